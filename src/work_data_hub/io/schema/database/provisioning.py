"""Makes the place of a database: PostgreSQL's database, or the folder of a SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa

from work_data_hub.config.database_url import database_of, mask, with_database
from work_data_hub.errors import DatabaseUnavailableError
from work_data_hub.io.schema import engine

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


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
        return database_of(url) is not None and not is_listed(url)


def is_listed(url: URL) -> bool:
    """Whether the server lists the database; True when it cannot be asked."""
    try:
        with engine.connect(with_database(url, "postgres")) as connection:
            query = sa.text("SELECT count(*) FROM pg_database WHERE datname = :name")
            return bool(connection.execute(query, {"name": database_of(url)}).scalar())
    except DatabaseUnavailableError:
        return True


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
            if isinstance(
                error.orig, psycopg.errors.DuplicateDatabase | psycopg.errors.UniqueViolation
            ):
                return False
            raise DatabaseUnavailableError(
                f"cannot create {mask(url)}: {engine.said(error)}",
                hint="let a user with the right CREATEDB create it, then run this again",
            ) from error
    return True
