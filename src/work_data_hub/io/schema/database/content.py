"""Everything that is in a database, and how it is dropped: dangerous, and so on its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import sqlalchemy as sa

from work_data_hub.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

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


class DatabaseObject(NamedTuple):
    """A thing that can be dropped.

    Attributes:
        kind: table, view, sequence, type, function, ...
        name: as it is written in SQL.
    """

    kind: str
    name: str


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
    lock_timeout: float,
    agreed: Sequence[DatabaseObject] | None = None,
) -> None:
    """Drop everything, in one transaction: all of it goes, or nothing.

    The database itself, its schemas, their rights and its extensions stay.

    Args:
        connection: on SQLite with foreign keys off, or dropping a table deletes rows of others.
        schemas: PostgreSQL's.
        lock_timeout: seconds that each table is waited for (PostgreSQL).
        agreed: what it may hold; anything when left out.

    Raises:
        RefusedError: it holds something else.
        DBAPIError: the role may not drop something, or somebody uses it.
    """
    connection.rollback()
    with connection.begin():
        is_sqlite = connection.dialect.name == "sqlite"
        if not is_sqlite:
            # Rounded up: 0 would mean for ever.
            milliseconds = math.ceil(lock_timeout * 1000)
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")
        content = read_content(connection, schemas)
        if agreed is not None and set(content) != set(agreed):
            _refuse_others(set(content) ^ set(agreed))
        for kind, name in content:
            word = "table" if kind == "virtual table" else _DROPPED_AS.get(kind, kind)
            cascade = "" if is_sqlite else " CASCADE"
            # IF EXISTS: what was dropped before may have taken it along.
            connection.exec_driver_sql(
                f"DROP {word} IF EXISTS {name}{cascade}",
                execution_options={"no_parameters": True},
            )


def _refuse_others(others: set[DatabaseObject]) -> NoReturn:
    first = min(others)
    raise RefusedError(
        f"the database has changed since it was listed: {first.kind} {first.name}"
        f"{f' and {len(others) - 1} more' if len(others) > 1 else ''}; nothing was dropped",
        hint="run it again, and look at the new list",
    )
