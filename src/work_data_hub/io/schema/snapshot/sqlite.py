"""Reads the schema of a SQLite database into a snapshot: the same for all that means the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.record.record import NOT_THE_SCHEMA
from work_data_hub.domain.snapshot.schema import SchemaObject, Snapshot
from work_data_hub.domain.sqlite import ddl
from work_data_hub.domain.sqlite.canonical import canonical_name, written_name
from work_data_hub.domain.sqlite.census import is_virtual
from work_data_hub.domain.sqlite.definition import (
    of_anything,
    of_index,
    of_table,
    of_trigger,
    of_view,
    of_virtual_table,
)
from work_data_hub.domain.sqlite.text import folded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

    from work_data_hub.domain.sqlite.definition import Definition, Properties


class _Row(NamedTuple):
    """What the catalogue says of an object; ``table`` is what an index or a trigger is of."""

    kind: str
    name: str
    table: str
    sql: str


def read(raw: sqlite3.Connection) -> Snapshot:
    """Return the schema ``main``, but for SQLite's, Alembic's and the framework's own tables.

    One statement reads all of it, which sees one moment, and nothing is written: it may be in a
    transaction, and the file may be read-only.

    Covers tables (also virtual ones, but not what they keep their content in), columns, primary
    keys, UNIQUE, foreign keys, CHECK, indexes, views and triggers. What is only written
    otherwise, the order of columns and of clauses, and the case and quotes of names are no
    difference (see ``domain.sqlite.definition``). The name of a constraint is one, and has a case:
    SQLite never looks at it.

    Args:
        raw: the driver's connection.

    Raises:
        sqlite3.Error: the database cannot be read.
    """
    rows = _rows(raw)
    tables = {row.name: _parsed(row.sql) for row in rows if row.kind == "table"}
    return Snapshot("sqlite", _objects(rows, tables))


def _rows(raw: sqlite3.Connection) -> list[_Row]:
    cursor = raw.cursor()
    cursor.row_factory = None
    found = cursor.execute(
        "SELECT type, name, tbl_name, sql FROM main.sqlite_master"
        " WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite@_%' ESCAPE '@' AND name NOT IN"
        " (SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow')"
        " ORDER BY rowid"
    )
    rows = [_Row(*row) for row in found]
    return [row for row in rows if folded(row.table) not in NOT_THE_SCHEMA]


def _parsed(sql: str) -> ddl.Table | None:
    """Take a CREATE TABLE apart, where it is one that can be."""
    try:
        return None if is_virtual(sql) else ddl.parse(sql)
    except ValueError:
        return None


def _objects(
    rows: Sequence[_Row], tables: Mapping[str, ddl.Table | None]
) -> Iterator[SchemaObject]:
    """Yield all of it in the order in which it can be made."""
    keys = {
        folded(name): table.primary_key.columns
        for name, table in tables.items()
        if table is not None and table.primary_key is not None
    }
    for row in rows:
        if row.kind == "table":
            yield from _of_table(row, tables[row.name], keys)
    for kind in ("index", "view", "trigger"):
        for row in rows:
            if row.kind == kind:
                yield _of_statement(row, tables.get(row.table))


def _of_table(
    row: _Row, table: ddl.Table | None, keys: Mapping[str, Sequence[str]]
) -> Iterator[SchemaObject]:
    if table is None:
        kind = "virtual table" if is_virtual(row.sql) else "table"
        told = of_virtual_table(row.sql) if is_virtual(row.sql) else of_anything(row.sql)
        yield _object(row, kind, told)
        return
    whole, *parts = of_table(table, keys)
    yield _object(row, whole.kind, whole.properties)
    for part in parts:
        yield _part(row.name, part)


def _of_statement(row: _Row, table: ddl.Table | None) -> SchemaObject:
    if row.kind == "view":
        return _object(row, row.kind, of_view(row.sql))
    told = of_index(row.sql, table) if row.kind == "index" else of_trigger(row.sql)
    return _object(row, row.kind, told, parent=canonical_name(row.table))


def _object(row: _Row, kind: str, properties: Properties, parent: str = "") -> SchemaObject:
    return SchemaObject(
        kind,
        canonical_name(row.name),
        properties,
        parent,
        own_name=row.name,
        made_by=row.sql,
        shown=written_name(row.name),
    )


def _part(table: str, part: Definition) -> SchemaObject:
    """Return a column or a constraint of a table."""
    parent, called = canonical_name(table), f" {part.structure}"
    name = called
    if part.name is not None:
        called = f".{written_name(part.name)}"
        # SQLite compares names without case, but never those of constraints.
        name = f".{canonical_name(part.name)}" if part.kind == "column" else called
    return SchemaObject(
        part.kind,
        parent + name,
        part.properties,
        parent,
        own_name=part.name or "",
        made_by=part.made_by,
        shown=written_name(table) + called,
    )
