"""The statements that mend a SQLite schema make of it what it should be, either way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.sqlite_changes import CHANGES, SCHEMA

from work_data_hub.domain.snapshot.difference import differences
from work_data_hub.domain.snapshot.mending import mends
from work_data_hub.io.schema.snapshot.sqlite import read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from work_data_hub.domain.snapshot.mending import Mend
    from work_data_hub.domain.snapshot.schema import Snapshot

ROWS = """
INSERT INTO parent (id, code, name, amount) VALUES (2, 'b', 'two', 2), (7, 'd', 'seven', 7);
DELETE FROM parent WHERE id = 7;
INSERT INTO pair (x, y, z) VALUES ('a', 'b', 1), ('c', 'd', 2);
INSERT INTO child (id, parent_id, a, b) VALUES (1, 2, 'a', 'b'), (5, NULL, 'c', 'd');
INSERT INTO search (search) VALUES ('rebuild');
"""


def made(script: str) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("PRAGMA foreign_keys = ON")
    db.executescript(script)
    return db


def mend(db: sqlite3.Connection, planned: Sequence[Mend]) -> None:
    for each in planned:
        for statement in each.statements:
            rows = db.execute(statement).fetchall()
            assert rows == [] or not statement.startswith("PRAGMA foreign_key_check")


def said(wanted: Snapshot, found: Snapshot) -> list[str]:
    return [str(each) for each in differences(wanted, found)]


def rows(db: sqlite3.Connection, columns: dict[str, list[str]]) -> dict[str, list[Any]]:
    return {
        table: db.execute(f'SELECT {", ".join(names)} FROM "{table}" ORDER BY 1, 2').fetchall()
        for table, names in columns.items()
    }


def columns_of(db: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the columns of each table, with the number of a row where it has one."""
    tables = db.execute(
        "SELECT name FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    )
    found = {}
    for (table,) in tables.fetchall():
        options = db.execute("SELECT wr FROM pragma_table_list WHERE name = ?", (table,))
        numbers = [] if options.fetchone() == (1,) else ["rowid"]
        names = [row[1] for row in db.execute(f'PRAGMA table_info("{table}")')]
        found[table] = [*numbers, *(f'"{name}"' for name in names)]
    return found


def counter_of(db: sqlite3.Connection) -> list[tuple[str, int]]:
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
        return []
    return db.execute("SELECT name, seq FROM sqlite_sequence").fetchall()


def both_ways(before: str, after: str, data: str = "") -> list[list[Mend]]:
    """Make of one schema the other, with its rows, and the other way round."""
    plans = []
    for one, other, content in ((before, after, data), (after, before, "")):
        with closing(made(one + content)) as db, closing(made(other)) as pattern:
            wanted, found = read(pattern), read(db)
            planned = mends(wanted, found)
            assert len(planned) == len(differences(wanted, found))
            mend(db, planned)
            assert said(wanted, read(db)) == []
            assert db.in_transaction is False
            assert db.execute("PRAGMA foreign_keys").fetchone() == (1,)
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            plans.append(planned)
    return plans


@pytest.mark.parametrize(("old", "new"), [(old, new) for old, new, _, _ in CHANGES])
def test_each_change_is_undone_and_made_by_the_statements(old: str, new: str) -> None:
    for planned in both_ways(SCHEMA, SCHEMA.replace(old, new)):
        assert any(each.statements for each in planned)


CHANGES_THAT_ROWS_ALLOW = [
    (old, new)
    for old, new, _, _ in CHANGES
    if "pair (y, x)" not in new and new != "DELETE"  # which breaks a foreign key, or a trigger
]


@pytest.mark.parametrize(("old", "new"), CHANGES_THAT_ROWS_ALLOW)
def test_rows_keep_their_values_and_numbers_where_no_data_is_lost(old: str, new: str) -> None:
    changed = SCHEMA.replace(old, new)
    for one, other in ((SCHEMA, changed), (changed, SCHEMA)):
        with closing(made("PRAGMA foreign_keys = OFF;" + one + ROWS)) as db:
            with closing(made(other)) as pattern:
                planned, theirs = mends(read(pattern), read(db)), columns_of(pattern)
            kept = {
                table: [name for name in names if name in theirs[table]]
                for table, names in columns_of(db).items()
                if table in theirs
            }
            before = rows(db, kept)
            counter = counter_of(db)
            mend(db, planned)
            assert kept["child"]
            assert before["child"]
            assert rows(db, kept) == before
            if counter and "AUTOINCREMENT" in other:
                assert counter_of(db) == counter == [("parent", 7)]


def statements(before: str, after: str, data: str = "") -> list[str]:
    """Return what makes of one schema the other, when it has been tried both ways."""
    there, _ = both_ways(before, after, data)
    return [statement for each in there for statement in each.statements]


@pytest.mark.parametrize(
    "line",
    [
        "b INT",
        "b TEXT NOT NULL DEFAULT 'x' CHECK (b <> '')",
        "b DEFAULT NULL REFERENCES t (a)",
        "b COLLATE NOCASE",
        "b AS (a + 1)",
    ],
)
def test_a_column_is_added_and_dropped_where_sqlite_can(line: str) -> None:
    before, after = (
        "CREATE TABLE t (a INTEGER PRIMARY KEY);",
        (f"CREATE TABLE t (a INTEGER PRIMARY KEY, {line});"),
    )
    assert statements(before, after, "INSERT INTO t VALUES (1);") == [
        f'ALTER TABLE "t" ADD COLUMN {line}'
    ]
    is_plain = "CHECK" not in line and "REFERENCES" not in line
    assert (statements(after, before) == ['ALTER TABLE "t" DROP COLUMN "b"']) == is_plain


@pytest.mark.parametrize(
    "line",
    [
        "b UNIQUE",
        "b DEFAULT (1 + 1)",
        "b DEFAULT CURRENT_TIMESTAMP",
        "b AS (a + 1) STORED",
        "b DEFAULT 1 REFERENCES t (a)",
    ],
)
def test_a_column_takes_a_rebuild_where_sqlite_cannot_add_it(line: str) -> None:
    before, after = (
        "CREATE TABLE t (a INTEGER PRIMARY KEY);",
        (f"CREATE TABLE t (a INTEGER PRIMARY KEY, {line});"),
    )
    assert "BEGIN IMMEDIATE" in statements(before, after, "INSERT INTO t VALUES (1);")


def test_a_column_that_something_is_about_is_dropped_by_a_rebuild() -> None:
    table = "CREATE TABLE t (a INT, b INT); CREATE INDEX i ON t (a);"
    less = "CREATE TABLE t (a INT); CREATE INDEX i ON t (a);"
    assert statements(table, less) == ['ALTER TABLE "t" DROP COLUMN "b"']
    view = "CREATE VIEW v AS SELECT a FROM t ORDER BY b;"
    assert "BEGIN IMMEDIATE" in statements(table + view, less + view)


def test_all_differences_of_a_table_take_one_rebuild() -> None:
    before = "CREATE TABLE t (a INT, b INT, c TEXT, UNIQUE (b)); CREATE INDEX i ON t (b);"
    after = "CREATE TABLE t (a TEXT NOT NULL, b INT CHECK (b > 0), d INT) STRICT;"
    after += "CREATE INDEX i ON t (d, b); CREATE INDEX j ON t (a);"
    there, _ = both_ways(before, after)
    assert [bool(each.statements) for each in there].count(True) == 1
    assert all(each.statements or each.note for each in there)


def test_a_renamed_column_and_a_renamed_table_keep_their_values() -> None:
    before = "CREATE TABLE t (a INT PRIMARY KEY, b TEXT, c INT UNIQUE);"
    before += "CREATE VIEW v AS SELECT b FROM t; CREATE TABLE r (t INT REFERENCES t (a), x, y);"
    one = before.replace("b TEXT", "bb TEXT").replace("SELECT b ", "SELECT bb ")
    assert 'ALTER TABLE "t" RENAME COLUMN "b" TO "bb"' in statements(before, one)
    two = before.replace("c INT UNIQUE", "cc INT UNIQUE")
    assert 'SELECT rowid, "a", "b", "c" FROM "t"' in " ".join(statements(before, two))
    three = before.replace(" t ", " u ").replace("FROM t;", "FROM u;")
    found = statements(before, three)
    assert found == ['ALTER TABLE "t" RENAME TO "u"', 'DROP VIEW "v"', found[-1]]


def test_everything_is_made_from_nothing_and_dropped_again() -> None:
    both_ways(SCHEMA, "")
    crossed = "CREATE TABLE a (id INTEGER PRIMARY KEY, b REFERENCES b);"
    crossed += "CREATE TABLE b (id INTEGER PRIMARY KEY, a REFERENCES a ON DELETE CASCADE);"
    both_ways(crossed, "", "INSERT INTO a VALUES (1, NULL); INSERT INTO b VALUES (2, 1);")


def test_many_changes_at_once_are_mended_at_once() -> None:
    script, made_changes = SCHEMA, 0
    for old, new, _, _ in CHANGES:
        if script.count(old) == 1 and "pair (z)" not in new:
            changed = script.replace(old, new)
            with closing(sqlite3.connect(":memory:")) as db:
                try:
                    db.executescript(changed)
                except sqlite3.Error:
                    continue
            script, made_changes = changed, made_changes + 1
    assert made_changes > 25
    both_ways(SCHEMA, script)


def test_what_goes_with_a_view_or_moves_to_another_table_is_there_again() -> None:
    before = "CREATE TABLE t (a INT); CREATE TABLE u (a INT); CREATE VIEW v AS SELECT a FROM t;"
    before += "CREATE TRIGGER g INSTEAD OF INSERT ON v BEGIN SELECT 1; END;"
    before += "CREATE INDEX i ON t (a); CREATE TRIGGER h AFTER INSERT ON t BEGIN SELECT 2; END;"
    after = before.replace("SELECT a FROM t", "SELECT a FROM u").replace("i ON t", "i ON u")
    both_ways(before, after)
    both_ways(before, after.replace("u (a INT)", "u (a TEXT)"))
    both_ways(
        before, after.replace("t (a INT)", "t (a TEXT)").replace("INSERT ON t", "DELETE ON u")
    )
    both_ways(before, "CREATE VIEW t AS SELECT 1 AS a; CREATE TABLE v (a);")


def test_a_row_that_breaks_a_new_constraint_is_not_left_out() -> None:
    before = "CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (1);"
    with closing(made(before)) as db:
        after = "CREATE TABLE t (a INT UNIQUE ON CONFLICT IGNORE)"
        with closing(made(after)) as pattern:
            planned = mends(read(pattern), read(db))
        with pytest.raises(sqlite3.IntegrityError):
            mend(db, planned)
        db.execute("ROLLBACK")
        assert db.execute("SELECT count(*) FROM t").fetchone() == (2,)
    assert "a row that breaks what is new makes it fail" in planned[0].note


def test_a_virtual_table_is_made_again_and_says_that_it_is_empty() -> None:
    virtual = "CREATE VIRTUAL TABLE f USING fts5(a);"
    (there,), _ = both_ways(virtual, virtual.replace("(a)", "(a, b)"))
    assert there.loses_data
    assert there.note == "it is empty then: fill it again"


@pytest.mark.parametrize(
    "name", ["two words", 'quo"te', "x'y", "new\nline", "ü" * 31, "select", "a.b", "new_t"]
)
def test_any_name_will_do(name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    before = f"CREATE TABLE {quoted} (id INTEGER PRIMARY KEY AUTOINCREMENT, {quoted} INT);"
    before += f'CREATE INDEX {quoted[:-1]}i" ON {quoted} ({quoted});'
    after = before.replace(f"{quoted} INT", f"{quoted} TEXT NOT NULL UNIQUE, more INT")
    found = statements(before, after, f"INSERT INTO {quoted} ({quoted}) VALUES (5);")
    assert "BEGIN IMMEDIATE" in found
    both_ways(before, after.replace("TEXT NOT NULL", "INT"))


def test_a_table_that_cannot_be_taken_apart_has_a_note() -> None:
    with closing(made("CREATE TABLE t (a INT)")) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE t (a INT,, b)'")
        one = read(db)
        db.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE t (a INT,, c)'")
        (planned,) = mends(one, read(db))
    assert planned.statements == ()
    assert planned.note == "the CREATE TABLE of t could not be taken apart: rebuild it by hand"
