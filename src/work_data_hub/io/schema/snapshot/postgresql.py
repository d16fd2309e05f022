"""Reads the schema of a PostgreSQL database into a snapshot: the same for all that is the same."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from work_data_hub.domain.snapshot.postgresql_text import canonical
from work_data_hub.domain.snapshot.schema import SchemaObject, Snapshot
from work_data_hub.io.schema.snapshot import postgresql_parts as parts
from work_data_hub.io.schema.snapshot import postgresql_standing as standing
from work_data_hub.io.schema.snapshot.postgresql_reading import Reading

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from work_data_hub.domain.snapshot.schema import Value

_REPLICA_IDENTITIES = {"n": "nothing", "f": "full", "i": "an index"}
_LITERAL = {"no_parameters": True}
_PLAIN = {
    "search_path": "",
    "quote_all_identifiers": "off",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
}


def read(connection: Connection, without: Collection[str] = ()) -> Snapshot:
    """Return every object of a database, but for Alembic's and the framework's own tables.

    Covers schemas, extensions, types, sequences, functions, tables and partitions, columns,
    constraints, indexes, views, triggers, rules, policies, statistics objects, and of each its
    owner, grants and comment. The owner of most is ``(owner)``: whoever restores a database is
    no difference. A constraint or an index that nobody named has its structure for a name.

    What the server writes is read under an empty ``search_path``, which qualifies every name, and
    the like; the settings are put back.

    Args:
        connection: in a transaction that sees one moment (``consistent``), or the one that
            changes the schema.
        without: schemas that are not read, with what is in them.
    """
    with _plain_session(connection):
        reading = Reading(connection, without)
        return Snapshot("postgresql", _objects(reading), reading.main_owner or "")


@contextmanager
def consistent(connection: Connection) -> Iterator[None]:
    """Begin a transaction that sees one moment and cannot write, for the length of the block.

    Args:
        connection: not in a transaction.
    """
    with connection.begin():
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def views_as_written(connection: Connection, texts: Mapping[str, str]) -> dict[str, str]:
    """Return views as this server writes them; one that it cannot make is left out.

    Args:
        connection: to a database that has what the views read, and is thrown away.
        texts: by the view's name.
    """
    written = {}
    with _plain_session(connection):
        for name, text in texts.items():
            with suppress(sa.exc.DBAPIError), connection.begin_nested() as made:
                execute = partial(connection.exec_driver_sql, execution_options=_LITERAL)
                execute(f"CREATE TEMPORARY VIEW written AS {text}")
                found = execute("SELECT pg_get_viewdef('pg_temp.written'::regclass)").scalar_one()
                written[name] = canonical(found)
                made.rollback()
    return written


@contextmanager
def _plain_session(connection: Connection) -> Iterator[None]:
    """The server writes a definition the same way, whatever a role or a database is set to.

    An error leaves the transaction to be rolled back, and the settings with it.
    """
    settings = list(_PLAIN)
    ask = ", ".join(f"current_setting('{name}')" for name in settings)
    before = connection.exec_driver_sql(f"SELECT {ask}").one()
    put = ", ".join(f"set_config('{name}', %s, true)" for name in settings)
    connection.exec_driver_sql(f"SELECT {put}", tuple(_PLAIN.values()))
    yield
    connection.exec_driver_sql(f"SELECT {put}", tuple(before))


def _objects(reading: Reading) -> Iterator[SchemaObject]:
    """Yield everything, in an order in which nearly all of it can be made."""
    yield from standing.schemas_and_extensions(reading)
    yield from standing.types(reading)
    yield from standing.sequences(reading)
    yield from _relations(reading)
    yield from parts.constraints(reading)
    yield from parts.indexes(reading)
    yield from standing.functions(reading)
    yield from parts.triggers(reading)
    yield from parts.policies(reading)
    yield from parts.statistics(reading)


def _relations(reading: Reading) -> Iterator[SchemaObject]:
    columns: dict[int, list[SchemaObject]] = {}
    for column in reading.columns:
        if column[0] in reading.relations:
            columns.setdefault(column[0], []).append(_column(reading, column))
    for row in reading.relation_rows:
        item, inner = _relation(reading, row, columns.get(row[0], [])), columns.get(row[0], [])
        yield item
        # What a view's columns are follows from its text.
        yield from (
            part
            for part in inner
            if item.kind not in ("view", "materialized view")
            or set(part.properties) & {"comment", "grants"}
        )


def _relation(reading: Reading, row: Any, columns: Sequence[SchemaObject]) -> SchemaObject:
    oid, name, kind = row[0], reading.relations[row[0]].name, reading.relations[row[0]].kind
    options = [*(row[7] or ()), *(f"toast.{option}" for option in row[8] or ())]
    is_partition = row[17] is not None
    text = None if row[15] is None else canonical(row[15])
    told: dict[str, Value] = {
        **reading.told("pg_class", oid, owner=row[6], grants=row[19]),
        "unlogged": row[5] == "u",
        "options": tuple(sorted(options)),
        "row security": row[9],
        "row security forced": row[10],
        "replica identity": _REPLICA_IDENTITIES.get(row[11]) if kind == "table" else None,
        "not populated": not row[12],
        "access method": row[13],
        "tablespace": row[14],
        "definition": text,
        "partitioned by": None if row[16] is None else canonical(row[16]),
        "bound": None if row[17] is None else canonical(row[17]),
        "inherits": tuple(row[18]),
    }
    lines = ", ".join(column.made_by for column in columns)
    made_by = {
        "view": f"CREATE VIEW {name} AS {text}",
        "materialized view": f"CREATE MATERIALIZED VIEW {name} AS {text}",
        "composite type": f"CREATE TYPE {name} AS ({lines})",
    }.get(kind)
    if made_by is None and is_partition:
        made_by = f"CREATE TABLE {name} PARTITION OF {row[18][0]} {row[17]}"
    elif made_by is None:
        ending = f" PARTITION BY {row[16]}" if row[16] else ""
        made_by = f"CREATE TABLE {name} ({lines}){ending}"
    shape = tuple(column.made_by for column in columns) if text is not None else ()
    return SchemaObject(kind, name, told, "", name, made_by, columns=shape)


def _column(reading: Reading, row: Any) -> SchemaObject:
    oid, number, name, _, kind, not_null, default, identity, generated, collation = row[:10]
    relation = reading.relations[oid]
    text = None if default is None else _without_given_names(reading, canonical(default))
    told: dict[str, Value] = {
        "comment": reading.comment("pg_class", oid, number),
        "grants": tuple(row[14] or ()),
        "type": kind,
        "not null": not_null,
        "generated" if generated else "default": text,
        "stored": generated == "s",
        "identity": {"a": "always", "d": "by default"}.get(identity),
        "collation": collation,
        "storage": row[10],
        "compression": row[11],
        "statistics": row[12],
        "options": tuple(sorted(row[13] or ())),
    }
    clauses = [name, kind, f"COLLATE {collation}" if collation else ""]
    if generated:
        stored = "STORED" if generated == "s" else "VIRTUAL"
        clauses.append(f"GENERATED ALWAYS AS ({default}) {stored}")
    elif identity:
        clauses.append(f"GENERATED {str(told['identity']).upper()} AS IDENTITY")
    elif default is not None:
        clauses.append(f"DEFAULT {default}")
    clauses.append("NOT NULL" if not_null else "")
    made_by = " ".join(clause for clause in clauses if clause)
    return SchemaObject("column", f"{relation.name}.{name}", told, relation.name, name, made_by)


def _without_given_names(reading: Reading, default: str) -> str:
    """Return a default in which the sequence of a column is called so."""
    found = re.fullmatch(r"nextval\('(.*)'::regclass\)", default)
    given = reading.given_sequences.get(found[1].replace("''", "'")) if found else None
    return f"nextval({given})" if given else default
