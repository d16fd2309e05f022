"""Reads the schema of a database into a snapshot, of whichever engine it is."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import sqlalchemy as sa

from work_data_hub.domain.record.record import is_version_table
from work_data_hub.domain.snapshot.ignored import DEFAULT_SCHEMA
from work_data_hub.io.schema.engine import connect, driver_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy.engine import URL, Connection

    from work_data_hub.domain.snapshot.schema import Snapshot

_TRIES = 20


def default_schema_of(connection: Connection) -> str:
    """Return where a name without a schema is; on SQLite, and so in no case asked of it, nothing.

    Where the search path names no schema that there is, it is the usual one.
    """
    if connection.dialect.name != "postgresql":
        return ""
    found = connection.exec_driver_sql("SELECT current_schema()").scalar()
    return str(found or DEFAULT_SCHEMA)


def read_schema(connection: Connection, without: Collection[str] = ()) -> Snapshot:
    """Return all that a database consists of, but for what records where it stands.

    That is the framework's own tables, and Alembic's, whatever a project calls it: a table
    of one column ``version_num``.

    Args:
        connection: as ``postgresql.read`` wants it.
        without: schemas of PostgreSQL that are not read.

    Raises:
        sqlalchemy.exc.DBAPIError, sqlite3.Error: the database cannot be read.
    """
    # Each engine's room is imported for those who have it: a run waits for its imports.
    if connection.dialect.name == "sqlite":
        from work_data_hub.io.schema.snapshot import sqlite

        found = sqlite.read(driver_connection(connection))
    else:
        from work_data_hub.io.schema.snapshot import postgresql

        found = postgresql.read(connection, without)
    versions = _version_tables(found)
    return found.without(lambda item: item.name in versions) if versions else found


def read_within(connection: Connection, without: Collection[str] = ()) -> Snapshot:
    """Return the same within a transaction that goes on, also where it could not be read.

    Args:
        connection: in a transaction that sees what others commit.
        without: schemas of PostgreSQL that are not read.

    Raises:
        sqlalchemy.exc.DBAPIError, sqlite3.Error: the database cannot be read.
    """

    def read() -> Snapshot:
        with connection.begin_nested():
            return read_schema(connection, without)

    return read_patiently(read)


def read_patiently(read: Callable[[], Snapshot]) -> Snapshot:
    """Read again where something was dropped while it was read.

    PostgreSQL writes definitions of what there is now, whatever a transaction sees: for what is
    gone it has an internal error.

    Args:
        read: one look, whose transaction, or savepoint, is its own.
    """
    for _ in range(_TRIES):
        with contextlib.suppress(sa.exc.InternalError):
            return read()
    return read()


def schema_of(url: URL) -> Snapshot:
    """Return the same of a throw-away database, where nobody else is at work.

    Raises:
        DatabaseUnavailableError: it does not answer.
    """
    with connect(url, read_only=True) as connection:
        return read_schema(connection)


def _version_tables(found: Snapshot) -> set[str]:
    columns: dict[str, list[str]] = {}
    for item in found:
        if item.kind == "column":
            columns.setdefault(item.parent, []).append(item.own_name)
    return {table for table, names in columns.items() if is_version_table(names)}
