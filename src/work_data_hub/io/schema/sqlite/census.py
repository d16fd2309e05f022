"""Reads what SQLite holds around a table: rows, indexes, triggers, views; do they work?"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from work_data_hub.domain.sql.lexer import quoted
from work_data_hub.domain.sqlite import ddl
from work_data_hub.domain.sqlite.census import (
    Census,
    Dependent,
    Fault,
    Index,
    event_of,
    is_virtual,
    use_of,
)
from work_data_hub.domain.sqlite.loss import Loss
from work_data_hub.domain.sqlite.rowids import found_by_rowid, key_of, name_of_rowid
from work_data_hub.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from work_data_hub.domain.sqlite.rowids import Rowids


def exists(raw: sqlite3.Connection, name: str, kind: str = "table") -> bool:
    """Whether there is something of this name; SQLite's names have no case."""
    found = raw.execute(
        "SELECT 1 FROM main.sqlite_master WHERE type = ? AND name = ? COLLATE NOCASE", (kind, name)
    )
    return found.fetchone() is not None


def name_of(raw: sqlite3.Connection, table: str) -> str:
    """Return what a table that exists is called, in the case of its own name."""
    (name,) = raw.execute(
        "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE",
        (table,),
    ).fetchone()
    return str(name)


def sql_of(raw: sqlite3.Connection, table: str) -> str:
    """Return the CREATE TABLE of a table that exists."""
    (sql,) = raw.execute(
        "SELECT sql FROM main.sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE",
        (table,),
    ).fetchone()
    return str(sql)


def parsed(sql: str, table: str) -> ddl.Table:
    """Take a CREATE TABLE apart.

    Raises:
        RefusedError: it cannot be read.
    """
    try:
        return ddl.parse(sql)
    except ValueError as error:
        raise RefusedError(
            f"the CREATE TABLE of {table} cannot be read: {error}",
            hint="rebuild the table by hand (sqlite.org/lang_altertable, 12 steps)",
        ) from error


def take(raw: sqlite3.Connection, table: str) -> Census:
    """Look at a table that exists. Rows are counted: that takes time as the table is long."""
    table, sql = name_of(raw, table), sql_of(raw, table)
    counted = {table, *children_of(raw, table)}
    found_by = list(found_by_rowid(dependents(raw), table))
    return Census(
        table,
        sql,
        {name: count(raw, name) for name in counted},
        {index.name: index for index in indexes_of(raw, table)},
        dict(
            raw.execute(
                "SELECT name, sql FROM main.sqlite_master"
                " WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE ORDER BY rowid",
                (table,),
            )
        ),
        sequence_of(raw, table),
        {fault.what for fault in faults(raw)},
        found_by,
        _rowids(raw, sql, table) if found_by and not is_virtual(sql) else None,
    )


class Relations:
    """Which tables have rows that may concern a foreign key, read once until the schema changes.

    Reading it takes time as the schema is long, and a revision may change many rows.
    """

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw
        self._known: dict[str, bool] = {}

    def forget(self) -> None:
        """The schema may have changed."""
        self._known.clear()

    def has(self, table: str) -> bool:
        """Whether changing rows of a table may concern a foreign key; doubtful cases count."""
        if table not in self._known:
            self._known[table] = _has_relations(self._raw, table)
        return self._known[table]


def count(raw: sqlite3.Connection, table: str) -> int:
    """Count the rows of a table."""
    (rows,) = raw.execute(f"SELECT count(*) FROM main.{quoted(table)}").fetchone()  # noqa: S608
    return int(rows)


def children_of(raw: sqlite3.Connection, table: str) -> frozenset[str]:
    """Return the other tables that reference a table."""
    rows = raw.execute(
        "SELECT DISTINCT child.name FROM main.sqlite_master AS child,"
        " pragma_foreign_key_list(child.name) AS key WHERE child.type = 'table' AND key.\"table\""
        " = :table COLLATE NOCASE AND child.name <> :table COLLATE NOCASE",
        {"table": table},
    )
    return frozenset(name for (name,) in rows)


def indexes_of(raw: sqlite3.Connection, table: str) -> Iterator[Index]:
    """Yield the indexes of a table, in the order in which they were made."""
    rows = raw.execute(
        "SELECT master.name, master.sql, list.partial FROM main.sqlite_master AS master,"
        " pragma_index_list(:table) AS list WHERE master.type = 'index' AND list.name = master.name"
        " AND master.sql IS NOT NULL ORDER BY master.rowid",
        {"table": table},
    ).fetchall()
    for name, sql, is_partial in rows:
        columns = raw.execute(
            "SELECT cid, lower(name) FROM pragma_index_xinfo(?) WHERE key", (name,)
        )
        # cid -2 is an expression (sqlite.org/pragma, index_info).
        yield Index(name, sql, tuple(n if cid >= 0 else None for cid, n in columns), is_partial > 0)


def sequence_of(raw: sqlite3.Connection, table: str) -> int | None:
    """Return what AUTOINCREMENT has reached; the table is named in the case of its own name."""
    if not exists(raw, "sqlite_sequence"):
        return None
    row = raw.execute("SELECT seq FROM main.sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return None if row is None else int(row[0])


def restore_sequence(raw: sqlite3.Connection, table: str, value: int | None) -> None:
    """Let AUTOINCREMENT go on where it was: ids of deleted rows are not given again."""
    present = sequence_of(raw, table)
    if value is None or (present is not None and present >= value):
        return
    raw.execute("DELETE FROM main.sqlite_sequence WHERE name = ?", (table,))
    raw.execute("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)", (table, value))


def restore(raw: sqlite3.Connection, kind: str, name: str, sql: str, table: str) -> Loss | None:
    """Make an index or a trigger again; return it when that fails."""
    try:
        raw.execute(sql)
    except sqlite3.Error as error:
        keep = f"make it again in the revision, or say that it goes: DROP {kind.upper()} ({error})"
        return Loss(f"{kind} {name} of {table}", keep)
    return None


def rows_left(raw: sqlite3.Connection, census: Census) -> dict[str, int]:
    """Count the rows of the tables that are still there."""
    return {name: count(raw, name) for name in census.rows if exists(raw, name)}


def dependents(raw: sqlite3.Connection) -> list[Dependent]:
    """Return every view and trigger, in the order in which they were made, then virtual tables."""
    rows = raw.execute(
        "SELECT CASE type WHEN 'table' THEN 'virtual table' ELSE type END, name, tbl_name, sql"
        " FROM main.sqlite_master WHERE type IN ('view', 'trigger')"
        " OR (type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE %') ORDER BY type = 'table', rowid"
    )
    return list(map(Dependent._make, rows))


def rowids_of(raw: sqlite3.Connection, table: ddl.Table, key: Collection[str]) -> Rowids | None:
    """Return the number and the key of each row; None when the numbers cannot be read.

    Args:
        raw: the driver's connection.
        table: that exists.
        key: the columns by which a row is known besides; no key where one of them is not there.
    """
    number = name_of_rowid(table)
    if number is None:
        return None
    columns = key if all(table.column(name) is not None for name in key) else ()
    wanted = ", ".join([number, *map(quoted, columns)])
    rows = raw.execute(f"SELECT {wanted} FROM main.{quoted(table.name)}")  # noqa: S608
    return {row[0]: row[1:] for row in rows}


def faults(raw: sqlite3.Connection) -> Iterator[Fault]:
    """Compile every view and every trigger, as its use would; yield those that fail."""
    events: dict[tuple[str, str], list[str]] = {}
    for kind, name, table, sql in dependents(raw):
        if kind == "trigger":
            events.setdefault((table, event_of(sql)), []).append(name)
        elif kind == "view" and (reason := _refusal(raw, f"SELECT * FROM main.{quoted(name)}")):  # noqa: S608
            yield Fault(kind, f"view {name}", reason)
    for (table, event), names in events.items():
        if reason := _refusal(raw, use_of(table, event, _columns(raw, table))):
            yield Fault("trigger", f"trigger {' or '.join(sorted(names))} of {table}", reason)


def _rowids(raw: sqlite3.Connection, sql: str, name: str) -> Rowids | None:
    table = parsed(sql, name)
    return rowids_of(raw, table, key_of(table))


def _has_relations(raw: sqlite3.Connection, table: str) -> bool:
    (found,) = raw.execute(
        "SELECT EXISTS (SELECT 1 FROM pragma_foreign_key_list(:table))"
        " OR EXISTS (SELECT 1 FROM main.sqlite_master WHERE type = 'table'"
        " AND sql LIKE '%references%' AND instr(lower(sql), lower(:table)) > 0)"
        " OR EXISTS (SELECT 1 FROM main.sqlite_master WHERE type = 'trigger'"
        " AND tbl_name = :table COLLATE NOCASE)"
        " OR EXISTS (SELECT 1 FROM temp.sqlite_master WHERE type = 'trigger')",
        {"table": table},
    ).fetchone()
    return bool(found)


def _columns(raw: sqlite3.Connection, table: str) -> list[str]:
    try:
        rows = raw.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (table,))
        return [name for (name,) in rows]
    except sqlite3.Error:
        # Those of a view that does not work cannot be known; that it does not is said so too.
        return []


def _refusal(raw: sqlite3.Connection, statement: str) -> str | None:
    # The driver keeps what it compiled, and EXPLAIN does not notice that the schema has changed.
    (version,) = raw.execute("PRAGMA main.schema_version").fetchone()
    try:
        raw.execute(f"EXPLAIN {statement} /* {version} */").close()
    except sqlite3.Error as error:
        return str(error)
    return None
