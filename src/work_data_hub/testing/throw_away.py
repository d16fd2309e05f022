"""Databases that a test makes, and that nothing but the same test may drop."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from work_data_hub.config.database_url import mask
from work_data_hub.errors import RefusedError
from work_data_hub.io.schema import engine, migration_runner, provisioning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL

    from work_data_hub.domain.target import Identity


@contextmanager
def throw_away_database(url: URL) -> Iterator[URL]:
    """Create and migrate a database for the block, and drop it afterwards.

    Before it is dropped the database is asked what it is: it must be recorded as ephemeral, with
    the identity that was recorded here. A URL that means another database by then, however that
    came, drops nothing.

    Args:
        url: a database that does not exist yet, with its password.

    Raises:
        RefusedError: the database is there already, or is no longer the one that was made.
        WorkDataHubError: as ``migration_runner.upgrade``.
    """
    if not _make(url):
        raise RefusedError(
            f"{mask(url)} is there already, so it is no test's to drop",
            hint="give the test a name of its own",
        )
    made: Identity | None = None
    try:
        migration_runner.upgrade(url, ephemeral=True)
        made = migration_runner.identity(url)
        yield url
    finally:
        if made is None:  # its first run failed; it was made a moment ago, by this call
            _drop(url)
        else:
            drop_throw_away(url, made)


def drop_throw_away(url: URL, made: Identity) -> None:
    """Drop a database that a test made.

    Args:
        url: where it should be.
        made: the identity that it was given.

    Raises:
        RefusedError: the database is not that one, or not recorded as ephemeral.
    """
    found = migration_runner.identity(url)
    if found is None or found != made or found.environment != "ephemeral":
        raise RefusedError(
            f"{mask(url)} is not the throw-away database that this test made, and stays",
            hint="look what it is: the table work_data_hub_identity says so",
        )
    _drop(url)


def _drop(url: URL) -> None:
    if (file := engine.sqlite_file(url)) is not None:
        for name in (file, *(Path(f"{file}{suffix}") for suffix in ("-wal", "-shm", ".lock"))):
            name.unlink(missing_ok=True)
        return
    with engine.connect(url.set(database="postgres")) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        name_in_sql = connection.dialect.identifier_preparer.quote(str(url.database))
        connection.execute(sa.text(f"DROP DATABASE {name_in_sql} WITH (FORCE)"))


def _make(url: URL) -> bool:
    """Make the place of the database; False when it is there already."""
    file = engine.sqlite_file(url)
    if file is not None:
        provisioning.ensure_database(url)
        return not file.exists()
    return provisioning.ensure_database(url)
