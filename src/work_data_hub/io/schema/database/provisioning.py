"""Makes the place of a database: PostgreSQL's database, or the folder of a SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from work_data_hub.config.database_url import database_of, mask, with_database
from work_data_hub.errors import DatabaseUnavailableError
from work_data_hub.io.schema import engine
from work_data_hub.io.schema.alembic_bridge import commands
from work_data_hub.io.schema.alembic_bridge.request import Request
from work_data_hub.io.schema.drivers import sqlstate_of

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

_THERE_ALREADY = {"42P04", "23505"}  # duplicate_database, unique_violation


class Place(NamedTuple):
    """The place of a database.

    Attributes:
        database: its URL, without the password.
        was_created: whether it was not there before.
    """

    database: str
    was_created: bool


def create(database_url: str | URL | None = None, *, alembic_ini: Path | None = None) -> Place:
    """Make the database that is meant, empty: on its server, or as a file with its folder.

    Args:
        database_url: the database; the settings decide when it is left out.
        alembic_ini: the project.

    Raises:
        SettingsError: the URL or a setting is not valid.
        DatabaseUnavailableError: the server does not answer, or the user may not create it.
    """
    made: list[bool] = []
    request = Request(database_url=database_url, place=lambda url: made.append(_make(url)))
    done = commands.change_beside(request, alembic_ini).reported()
    return Place(done.database, made[0])


def _make(url: URL) -> bool:
    is_new = not engine.exists(url)
    created = ensure_database(url)
    # SQLite makes the file when it is opened; a server says now why it does not let us in.
    with engine.connect(url, read_only=True):
        return created or is_new


def ensure_database(url: URL) -> bool:
    """Create the database, or the folder of its file, when it is not there.

    Returns:
        Whether something was created.

    Raises:
        DatabaseUnavailableError: the server does not answer, or the user may not create it.
    """
    if (file := engine.sqlite_file(url)) is not None:
        folder = file.absolute().parent
        try:
            created = not folder.is_dir()
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseUnavailableError(
                f"cannot create the folder {folder}: {error.strerror}",
                hint="choose a folder that you may write to",
            ) from error
        return created
    if url.get_backend_name() != "postgresql" or not _is_missing(url):
        return False
    return _create(url)


def _is_missing(url: URL) -> bool:
    """Ask the server, because a refused connection says why only in words."""
    try:
        with engine.connect(url):
            return False
    except DatabaseUnavailableError:
        return not engine.is_listed(url)


def _create(url: URL) -> bool:
    database = database_of(url)
    assert database is not None
    with engine.connect(with_database(url, "postgres")) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        name = connection.dialect.identifier_preparer.quote(database)
        try:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        except sa.exc.DBAPIError as error:
            # Another process was quicker: what was asked for is there.
            if sqlstate_of(error) in _THERE_ALREADY:
                return False
            raise DatabaseUnavailableError(
                f"cannot create {mask(url)}: {engine.said(error)}",
                hint="let a user with the right CREATEDB create it, then run this again",
            ) from error
    return True
