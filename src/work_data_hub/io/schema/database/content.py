"""Everything that is in a database, and how it is dropped: dangerous, and so on its own."""

from __future__ import annotations

import logging
import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import sqlalchemy as sa

from work_data_hub.errors import RefusedError
from work_data_hub.io.schema.drivers import sqlstate_of
from work_data_hub.io.schema.record.framework_tables import NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

log = logging.getLogger(__name__)

# What depends on a schema is in it. Members of an extension belong to the extension, which stays:
# it was installed by somebody with more rights. Tables go first, their sequences with them.
_OBJECTS = sa.text("""
    SELECT found.type, found.identity
      FROM pg_depend AS d
      JOIN pg_namespace AS n ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid
     CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, 0) AS found
     WHERE n.nspname = ANY (:schemas)
       AND d.deptype = 'n'
       AND d.classid NOT IN ('pg_extension'::regclass, 'pg_default_acl'::regclass,
                             'pg_publication_namespace'::regclass)
       AND NOT EXISTS (SELECT FROM pg_depend AS e
                        WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')
     ORDER BY found.type NOT LIKE '%table', found.type = 'sequence', found.type, found.identity
""")
# Where what PostgreSQL calls it is not what DROP calls it.
_DROPPED_AS = {"statistics object": "statistics", "composite type": "type"}
_SQLITE_OBJECTS = """
    SELECT CASE WHEN sql LIKE 'CREATE VIRTUAL%' THEN 'virtual table' ELSE type END, name
      FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite!_%' ESCAPE '!'
     ORDER BY type = 'table', sql NOT LIKE 'CREATE VIRTUAL%', name
"""

# Each table that is dropped is locked until the transaction ends, with its indexes and its TOAST
# table; all sessions of the server share the room for locks.
_LOCKS = sa.text("""
    SELECT coalesce(sum(1 + 2 * (reltoastrelid <> 0)::int), 0) AS needed,
           current_setting('max_locks_per_transaction')::bigint
           * (current_setting('max_connections')::bigint
              + current_setting('max_prepared_transactions')::bigint) AS room
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname = ANY (:schemas)
""")
_OUT_OF_SHARED_MEMORY = "53200"


class DatabaseObject(NamedTuple):
    """A thing that can be dropped.

    Attributes:
        kind: table, view, sequence, type, function, ...
        name: as it is written in SQL.
    """

    kind: str
    name: str

    @property
    def table(self) -> str | None:
        """The name of a table without that of its schema."""
        return self.name.rpartition(".")[2].strip('"') if self.kind == "table" else None

    @property
    def is_ours(self) -> bool:
        """Whether it says what the database is, or is a part of what does."""
        return self.name.rpartition(".")[2].startswith(tuple(NAMES))


def read_content(connection: Connection, schemas: Sequence[str]) -> tuple[DatabaseObject, ...]:
    """Return what is in a SQLite file, or in these schemas of PostgreSQL, as it is to be dropped.

    Indexes, triggers and constraints go with their table and are not listed.
    """
    if connection.dialect.name == "sqlite":
        quote = connection.dialect.identifier_preparer.quote_identifier
        rows = connection.exec_driver_sql(_SQLITE_OBJECTS)
        return tuple(DatabaseObject(kind, quote(name)) for kind, name in rows)
    rows = connection.execute(_OBJECTS, {"schemas": list(schemas)})
    return tuple(DatabaseObject(kind, name) for kind, name in rows)


def drop_content(
    connection: Connection,
    schemas: Sequence[str],
    history: str,
    lock_timeout: float,
    agreed: Sequence[DatabaseObject] | None = None,
) -> None:
    """Drop everything, in one transaction: all of it goes, or nothing.

    Where a PostgreSQL server has no room for that many locks it takes several: the version table
    goes with the first, what says what the database is with the last. Whoever is interrupted finds
    a database at no revision, and can do it again.

    The database itself, its schemas, their rights and its extensions stay.

    Args:
        connection: on SQLite with foreign keys off, or dropping a table deletes rows of others.
        schemas: PostgreSQL's.
        history: the name of the version table.
        lock_timeout: seconds that each table is waited for (PostgreSQL).
        agreed: what it may hold; anything when left out.

    Raises:
        RefusedError: it holds something else, or a thing that there is no room for.
        DBAPIError: the role may not drop something, or somebody uses it.
    """
    connection.rollback()
    with connection.begin():
        content = read_content(connection, schemas)
        if agreed is not None and set(content) != set(agreed):
            _refuse_others(set(content) ^ set(agreed))
        if connection.dialect.name == "sqlite":
            _drop(connection, content)
            return
        needed, room = connection.execute(_LOCKS, {"schemas": list(schemas)}).one()
    size = len(content) if 2 * needed <= room else len(content) * room // (4 * needed)
    if size < len(content) or not _is_dropped(connection, content, lock_timeout):
        log.warning("the server has no room for so many locks: it is dropped in several steps")
        for group in _in_order(content, history):
            _drop_in_portions(connection, group, max(1, size), lock_timeout)


def _in_order(content: Sequence[DatabaseObject], history: str) -> list[list[DatabaseObject]]:
    """Return what goes one after the other when it does not all go at once."""
    ours = [each for each in content if each.is_ours]
    rest = [each for each in content if not each.is_ours]
    tables = [each for each in rest if each.kind.endswith("table")]
    tables.sort(key=lambda each: each.table != history)
    return [tables, [each for each in rest if not each.kind.endswith("table")], ours]


def _drop_in_portions(
    connection: Connection, objects: Sequence[DatabaseObject], most: int, lock_timeout: float
) -> None:
    """Drop so many at a time as there is room for; one that takes too much along comes later."""
    left, size, stuck = deque(objects), most, 0
    while left:
        portion = [left.popleft() for _ in range(min(size, len(left)))]
        if _is_dropped(connection, portion, lock_timeout):
            size, stuck = min(most, 2 * size), 0
        elif len(portion) > 1:
            left.extendleft(reversed(portion))
            size = len(portion) // 2
        else:
            left.append(portion[0])
            stuck += 1
            if stuck == len(left):
                _refuse_more_locks(connection, portion[0])


def _is_dropped(
    connection: Connection, content: Sequence[DatabaseObject], lock_timeout: float
) -> bool:
    """Drop it in one transaction; return whether there was room for the locks."""
    try:
        with connection.begin():
            # Rounded up: 0 would mean for ever.
            milliseconds = math.ceil(lock_timeout * 1000)
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")
            _drop(connection, content)
    except sa.exc.OperationalError as error:
        if sqlstate_of(error) != _OUT_OF_SHARED_MEMORY:
            raise
        return False
    return True


def _drop(connection: Connection, content: Sequence[DatabaseObject]) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    for kind, name in content:
        word = "table" if kind == "virtual table" else _DROPPED_AS.get(kind, kind)
        # IF EXISTS: what was dropped before may have taken it along.
        connection.exec_driver_sql(
            f"DROP {word} IF EXISTS {name}{'' if is_sqlite else ' CASCADE'}",
            execution_options={"no_parameters": True},
        )


def _refuse_more_locks(connection: Connection, what: DatabaseObject) -> NoReturn:
    name = connection.dialect.identifier_preparer.quote(connection.engine.url.database or "")
    raise RefusedError(
        f"the server has no room for the locks that dropping {what.kind} {what.name} takes",
        hint="raise max_locks_per_transaction and restart the server, or drop the whole database"
        f" (in psql: DROP DATABASE {name}), then `wdh db create` and `wdh db upgrade`",
    )


def _refuse_others(others: set[DatabaseObject]) -> NoReturn:
    first = min(others)
    raise RefusedError(
        f"the database has changed since it was listed: {first.kind} {first.name}"
        f"{f' and {len(others) - 1} more' if len(others) > 1 else ''}; nothing was dropped",
        hint="run it again, and look at the new list",
    )
