"""What SQLite holds around a table: rows, indexes, triggers, views, and whether they work."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from work_data_hub.domain.sql.lexer import quoted, tokens
from work_data_hub.domain.sqlite.loss import Loss
from work_data_hub.domain.sqlite.text import names_in, names_that_may_turn_into_strings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


@dataclass(frozen=True)
class Index:
    """An index that was made by CREATE INDEX.

    Attributes:
        name: of the index.
        sql: its statement.
        columns: lower case; None stands for an expression.
        is_partial: it has a WHERE.
    """

    name: str
    sql: str
    columns: tuple[str | None, ...]
    is_partial: bool

    @property
    def described(self) -> str:
        """What people call it."""
        if None in self.columns:
            return f"expression index {self.name}"
        return f"{'partial index' if self.is_partial else 'index'} {self.name}"


@dataclass(frozen=True)
class Census:
    """What there was around a table before it was rebuilt.

    Attributes:
        table: its name.
        sql: its CREATE TABLE.
        rows: of the table and of every table that references it.
        indexes: by name; those of constraints are part of ``sql``.
        triggers: the statements of its own triggers, by name.
        sequence: the highest id that AUTOINCREMENT ever gave, if it has any.
        faults: of views and triggers, anywhere, that did not work before.
    """

    table: str
    sql: str
    rows: Mapping[str, int]
    indexes: Mapping[str, Index]
    triggers: Mapping[str, str]
    sequence: int | None
    faults: Collection[str]


def exists(raw: sqlite3.Connection, name: str, kind: str = "table") -> bool:
    """Whether there is something of this name; SQLite's names have no case."""
    found = raw.execute(
        "SELECT 1 FROM main.sqlite_master WHERE type = ? AND name = ? COLLATE NOCASE", (kind, name)
    )
    return found.fetchone() is not None


def sql_of(raw: sqlite3.Connection, table: str) -> str:
    """Return the CREATE TABLE of a table that exists."""
    (sql,) = raw.execute(
        "SELECT sql FROM main.sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE",
        (table,),
    ).fetchone()
    return str(sql)


def take(raw: sqlite3.Connection, table: str) -> Census:
    """Look at a table that exists. Rows are counted: that takes time as the table is long."""
    counted = {table, *children_of(raw, table)}
    return Census(
        table,
        sql_of(raw, table),
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
        set(faults(raw)),
    )


def has_relations(raw: sqlite3.Connection, table: str) -> bool:
    """Whether changing rows of a table may concern a foreign key; doubtful cases count."""
    (found,) = raw.execute(
        "SELECT EXISTS (SELECT 1 FROM pragma_foreign_key_list(?1))"
        " OR EXISTS (SELECT 1 FROM main.sqlite_master WHERE type = 'table'"
        " AND sql LIKE '%references%' AND instr(lower(sql), lower(?1)) > 0)"
        " OR EXISTS (SELECT 1 FROM main.sqlite_master WHERE type = 'trigger'"
        " AND tbl_name = ?1 COLLATE NOCASE)",
        (table,),
    ).fetchone()
    return bool(found)


def count(raw: sqlite3.Connection, table: str) -> int:
    """Count the rows of a table."""
    (rows,) = raw.execute(f"SELECT count(*) FROM main.{quoted(table)}").fetchone()  # noqa: S608
    return int(rows)


def children_of(raw: sqlite3.Connection, table: str) -> frozenset[str]:
    """Return the other tables that reference a table."""
    rows = raw.execute(
        "SELECT DISTINCT child.name FROM main.sqlite_master AS child,"
        " pragma_foreign_key_list(child.name) AS key WHERE child.type = 'table' AND key.\"table\""
        " = ?1 COLLATE NOCASE AND child.name <> ?1 COLLATE NOCASE",
        (table,),
    )
    return frozenset(name for (name,) in rows)


def indexes_of(raw: sqlite3.Connection, table: str) -> Iterator[Index]:
    """Yield the indexes of a table, in the order in which they were made."""
    rows = raw.execute(
        "SELECT master.name, master.sql, list.partial FROM main.sqlite_master AS master,"
        " pragma_index_list(?1) AS list WHERE master.type = 'index' AND list.name = master.name"
        " AND master.sql IS NOT NULL ORDER BY master.rowid",
        (table,),
    ).fetchall()
    for name, sql, is_partial in rows:
        columns = raw.execute(
            "SELECT cid, lower(name) FROM pragma_index_xinfo(?) WHERE key", (name,)
        )
        # cid -2 is an expression (sqlite.org/pragma, index_info).
        yield Index(name, sql, tuple(n if cid >= 0 else None for cid, n in columns), is_partial > 0)


def sequence_of(raw: sqlite3.Connection, table: str) -> int | None:
    """Return what AUTOINCREMENT has reached."""
    if not exists(raw, "sqlite_sequence"):
        return None
    row = raw.execute(
        "SELECT seq FROM main.sqlite_sequence WHERE name = ? COLLATE NOCASE", (table,)
    ).fetchone()
    return None if row is None else int(row[0])


def restore_sequence(raw: sqlite3.Connection, table: str, value: int | None) -> None:
    """Let AUTOINCREMENT go on where it was: ids of deleted rows are not given again."""
    present = sequence_of(raw, table)
    if value is None or (present is not None and present >= value):
        return
    raw.execute("DELETE FROM main.sqlite_sequence WHERE name = ? COLLATE NOCASE", (table,))
    raw.execute("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)", (table, value))


def restore(raw: sqlite3.Connection, kind: str, name: str, sql: str, table: str) -> Loss | None:
    """Make an index or a trigger again; return it when that fails."""
    try:
        raw.execute(sql)
    except sqlite3.Error as error:
        keep = f"make it again in the revision, or say that it goes: DROP {kind.upper()} ({error})"
        return Loss(f"{kind} {name} of {table}", keep)
    return None


def missing_rows(raw: sqlite3.Connection, census: Census) -> list[Loss]:
    """Return the tables that have fewer rows than before."""
    keep = "copy every row; those that are to go, DELETE in a statement of their own before"
    left = {name: count(raw, name) for name in census.rows if exists(raw, name)}
    return [
        Loss(f"{before - left[name]} of {before} rows of {name}", keep)
        for name, before in sorted(census.rows.items())
        if name in left and left[name] < before
    ]


def new_faults(raw: sqlite3.Connection, census: Census) -> list[Loss]:
    """Return the views and triggers that worked before and would not any more."""
    return [
        Loss(
            f"{what} ({reason})",
            f"drop it first (op.execute('DROP {what.split()[0].upper()} ...')) and make it again"
            " as it shall be",
        )
        for what, reason in faults(raw).items()
        if what not in census.faults
    ]


def silent_faults(raw: sqlite3.Connection, table: str, dropped: Collection[str]) -> Iterator[Loss]:
    """Yield what would work without a dropped column, and mean something else.

    Names in double quotes turn into strings, and UPDATE OF takes any name (both: SQLite 3.40).
    """
    gone = {name.lower() for name in dropped}
    reached = {table.lower()}
    for kind, name, of, sql in _views_and_triggers(raw):
        if not (names_in(sql) & reached or of.lower() in reached):
            continue
        if kind == "view":
            reached.add(name.lower())
        lost = names_that_may_turn_into_strings(sql) & gone
        if kind == "trigger" and of.lower() == table.lower():
            lost |= _columns_of_trigger(sql) & gone
        if lost:
            yield Loss(
                f"{kind} {name}, which names the dropped column {min(lost)}",
                f"drop it first (op.execute('DROP {kind.upper()} ...')) and make it again as it"
                " shall be",
            )


def faults(raw: sqlite3.Connection) -> dict[str, str]:
    """Compile every view and every trigger, as its use would; return the reasons of what fails."""
    found = {}
    events: dict[tuple[str, str], list[str]] = {}
    for kind, name, table, sql in _views_and_triggers(raw):
        if kind == "trigger":
            events.setdefault((table, _event_of(sql)), []).append(name)
        elif reason := _refusal(raw, f"SELECT * FROM main.{quoted(name)}"):  # noqa: S608
            found[f"view {name}"] = reason
    for (table, event), names in events.items():
        if reason := _refusal(raw, _use_of(raw, table, event)):
            found[f"trigger {' or '.join(sorted(names))} of {table}"] = reason
    return found


def _views_and_triggers(raw: sqlite3.Connection) -> list[tuple[str, str, str, str]]:
    return raw.execute(
        "SELECT type, name, tbl_name, sql FROM main.sqlite_master"
        " WHERE type IN ('view', 'trigger') ORDER BY rowid"
    ).fetchall()


def _columns_of_trigger(sql: str) -> frozenset[str]:
    """Return what follows UPDATE OF."""
    found = list(tokens(sql))
    words = [token.word for token in found]
    head = words[: words.index("ON", 2)]
    if "OF" not in head:
        return frozenset()
    return names_in(sql[found[head.index("OF")].end : found[len(head)].start])


def _event_of(sql: str) -> str:
    """Return INSERT, UPDATE or DELETE: the first of these words that is not the trigger's name."""
    words = [token.word for token in tokens(sql)]
    start = 2 + (words[1] in ("TEMP", "TEMPORARY"))
    start += 3 * (words[start] == "IF")
    return next(word for word in words[start + 1 :] if word in ("INSERT", "UPDATE", "DELETE"))


def _use_of(raw: sqlite3.Connection, table: str, event: str) -> str:
    if event == "DELETE":
        return f"DELETE FROM main.{quoted(table)}"  # noqa: S608  # compiled only
    # The columns of a view that does not work cannot be known; that it does not is said so too.
    try:
        rows = raw.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (table,))
        columns = [quoted(name) for (name,) in rows] or ["rowid"]
    except sqlite3.Error:
        columns = ["rowid"]
    if event == "UPDATE":
        settings = ", ".join(f"{name} = {name}" for name in columns)
        return f"UPDATE main.{quoted(table)} SET {settings}"  # noqa: S608
    # Not DEFAULT VALUES: SQLite 3.40 crashes when it compiles that for a view with a trigger.
    values = ", ".join("NULL" for _ in columns)
    return f"INSERT INTO main.{quoted(table)} ({', '.join(columns)}) VALUES ({values})"  # noqa: S608


def _refusal(raw: sqlite3.Connection, statement: str) -> str | None:
    try:
        raw.execute(f"EXPLAIN {statement}").close()
    except sqlite3.Error as error:
        return str(error)
    return None
