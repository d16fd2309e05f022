"""A CREATE TABLE is taken apart and put together without loss."""

from __future__ import annotations

import pytest

from work_data_hub.domain.sqlite import ddl as sqlite_ddl
from work_data_hub.domain.sqlite.column_names import with_names
from work_data_hub.domain.sqlite.comparison import lost
from work_data_hub.domain.sqlite.ddl import Clause, insert_into, parse, render
from work_data_hub.domain.sqlite.merge import Wishes, merge
from work_data_hub.domain.sqlite.text import (
    columns_in,
    names_in,
    names_that_may_turn_into_strings,
    spelling,
)

EVERYTHING = """CREATE TABLE "odd ""name" ( -- a comment, with a comma
  id integer primary key autoincrement,
  a varchar(20) collate nocase not null default 'x,y)' unique check (a <> ')'), /* and, another */
  [b c] int constraint "the key" references parent on delete set null on update set default
    not deferrable,
  d default null, e decimal(10, 2) default -1.5 null, f "my type" default (a || ','),
  g int generated always as (id + 1) stored, h as (id),
  constraint k unique (a, "b c") check (d > 0) foreign key (d, e) references z (x, y)
    on delete cascade, primary key (a desc, d)
) without rowid, strict"""


def test_every_part_is_found() -> None:
    table = parse(EVERYTHING)
    assert table.name == 'odd "name'
    assert [column.name for column in table.columns] == ["id", "a", "b c", "d", "e", "f", "g", "h"]
    types = [column.type for column in table.columns]
    assert types == ["integer", "varchar(20)", "int", "", "decimal(10, 2)", '"my type"', "int", ""]
    assert [[clause.kind for clause in column.clauses] for column in table.columns] == [
        ["PRIMARY KEY"],
        ["COLLATE", "NOT NULL", "DEFAULT", "UNIQUE", "CHECK"],
        ["FOREIGN KEY"],
        ["DEFAULT"],
        ["DEFAULT", "NULL"],
        ["DEFAULT"],
        ["GENERATED"],
        ["GENERATED"],
    ]
    assert table.constraints[0] == Clause(
        "UNIQUE", 'constraint k unique (a, "b c")', "k", ("a", "b c")
    )
    assert table.constraints[2].target_columns == ("x", "y")
    assert table.constraints[3].columns == ("a", "d")
    assert (table.columns[2].clauses[0].name, table.columns[2].clauses[0].target) == (
        "the key",
        "parent",
    )
    assert table.options == "without rowid, strict"


def test_what_is_put_together_says_the_same() -> None:
    again = parse(render(parse(EVERYTHING)))
    assert again == parse(EVERYTHING)
    assert spelling(render(again)).count(",") >= spelling(EVERYTHING).count(",")


@pytest.mark.parametrize(
    "sql",
    ["", "CREATE TABLE t", "CREATE TABLE t (a", "CREATE TABLE t (a,,b)", "CREATE TABLE t ()"],
)
def test_what_cannot_be_read_is_not_guessed(sql: str) -> None:
    with pytest.raises(ValueError, match=r"columns|closed|comma"):
        parse(sql)


def test_a_part_that_would_get_lost_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_ddl, "_clauses", lambda *_: ())
    with pytest.raises(ValueError, match="not understood"):
        parse("CREATE TABLE t (a INT NOT NULL)")


def test_a_rebuild_that_changes_nothing_changes_nothing() -> None:
    original = parse("CREATE TABLE t (a INT COLLATE NOCASE CHECK (a > 0), b, UNIQUE (b))")
    seen = parse("CREATE TABLE tmp (a INTEGER, b NUMERIC)")
    merged, losses = merge(original, seen, seen, Wishes())
    assert merged.columns == original.columns
    assert merged.constraints == original.constraints
    assert not losses


def test_a_column_that_may_not_be_null_any_more_is_not_said_to_be_null() -> None:
    merged, _ = merge(
        parse("CREATE TABLE t (a INT NULL DEFAULT 1)"),
        parse("CREATE TABLE t (a INTEGER)"),
        parse("CREATE TABLE t (a INTEGER NOT NULL)"),
        Wishes(),
    )
    assert {clause.kind for clause in merged.columns[0].clauses} == {"DEFAULT", "NOT NULL"}


@pytest.mark.parametrize("original", ["", " (id)"])
@pytest.mark.parametrize("seen", ["", " (id)"])
def test_a_foreign_key_is_the_same_whether_or_not_it_says_the_columns_of_its_target(
    original: str, seen: str
) -> None:
    merged, _ = merge(
        parse(f"CREATE TABLE t (a REFERENCES p{original})"),
        parse(f"CREATE TABLE t (a, FOREIGN KEY (a) REFERENCES p{seen})"),
        parse("CREATE TABLE t (a)"),
        Wishes(),
    )
    assert merged.clauses == ()


@pytest.mark.parametrize(
    ("base", "wanted", "lost_columns"),
    [("a, b", "a, b", []), ("a, b", "a", []), ("a", "a, b", []), ("a", "a", ["column b of t"])],
)
def test_a_column_is_forgotten_where_nothing_of_the_rebuild_names_it(
    base: str, wanted: str, lost_columns: list[str]
) -> None:
    _, losses = merge(
        parse("CREATE TABLE t (a, b)"),
        parse(f"CREATE TABLE t ({base})"),
        parse(f"CREATE TABLE t ({wanted})"),
        Wishes(),
    )
    assert [loss.what for loss in losses] == lost_columns


def test_columns_are_called_otherwise_everywhere_in_their_table() -> None:
    table = parse(
        "CREATE TABLE tmp (x INT, y INT, UNIQUE (x), CHECK (x < y AND x(1) <> 'x'),"
        " FOREIGN KEY (x) REFERENCES x (x), FOREIGN KEY (y) REFERENCES t (x))"
    )
    text = " ".join(render(with_names(table, {"x": "old"}, itself="t")).split())
    assert text == (
        'CREATE TABLE "tmp" ( "old" INT, y INT, UNIQUE ("old"),'
        " CHECK (\"old\" < y AND x(1) <> 'x'),"
        ' FOREIGN KEY ("old") REFERENCES x (x), FOREIGN KEY (y) REFERENCES t ("old") )'
    )


def test_rows_are_copied_into_the_columns_there_are() -> None:
    copied = insert_into(
        'INSERT INTO t (id, "new", g) SELECT s.id, CAST(f(s.x, 1) AS INTEGER) AS x, s.g FROM s',
        {"new": "old"},
        {"g"},
    )
    assert copied == (
        'INSERT INTO t ("id", "old") SELECT s.id, CAST(f(s.x, 1) AS INTEGER) AS x FROM s'
    )


def test_names_are_told_from_functions_and_strings() -> None:
    sql = "date(x) || 'y' || \"Z\" || t.[w] -- v"
    assert names_in(sql) == {"x", "z", "t", "w"}
    sql = 'SELECT "a", t."b", c AS "d", \'e\' FROM t'
    assert names_that_may_turn_into_strings(sql) == {"a"}


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("CONSTRAINT x CHECK (a > 0.5e3 AND b = X'00' OR c <> 'd')", "abc"),
        ("CHECK (t.a NOT NULL AND CAST(b AS VARCHAR (10)) IS NOT c)", "abc"),
        ("CHECK (a BETWEEN b AND c COLLATE d AND NOT (e ISNULL))", "abce"),
        ("CHECK (CASE a WHEN 1 THEN b ELSE c END LIKE d ESCAPE 'e')", "abcd"),
        ('CHECK ("a" || [b] || f(c, NULL) /* d */ IN (1, e))', "abce"),
        ("CHECK (a NOT LIKE b)", "ab"),
        ("CHECK (a IS NULL LIKE b AND c ISNULL LIKE d)", "abcd"),
        ("CHECK (a NOTNULL LIKE b AND c NOT NULL LIKE d)", "abcd"),
        ("GENERATED ALWAYS AS (a -> '$.b' + -c) STORED", "ac"),
        ("CREATE UNIQUE INDEX x ON y (a COLLATE z DESC, abs(b)) WHERE c IS NULL", "abc"),
    ],
)
def test_columns_are_told_from_whatever_else_stands_in_an_expression(
    sql: str, columns: str
) -> None:
    assert columns_in(sql) == {*columns}


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("a INT CHECK (a > 0)", "a INT", ["CHECK (a > 0)"]),
        ("a INT CHECK (a > 0)", "a INT, CHECK (A>0)", []),
        ("a INT CHECK (a > 0)", "a INT CHECK (a > 1)", []),
        ("a INT, b INT CHECK (b > 0)", "a INT", []),
        ("a INT UNIQUE", "a INT", ["UNIQUE"]),
        ("a INT UNIQUE", "a INT PRIMARY KEY", []),
        ("a TEXT COLLATE NOCASE", "a TEXT COLLATE RTRIM", []),
        ("a INT AS (1)", "a INT", ["AS (1) on column a"]),
        ("a INT AS (1) NOT NULL", "a INT AS (1)", ["NOT NULL on column a"]),
        ("a INT NOT NULL", "a INT AS (1)", []),
        ("a INT", "a INT NOT NULL", []),
        ("a INT NOT NULL", "a INT NULL", []),
        ("a INT NOT NULL", "a INTEGER PRIMARY KEY", []),
        ("a INT NOT NULL", "a INT PRIMARY KEY", ["NOT NULL on column a"]),
        (
            "a INT NOT NULL ON CONFLICT IGNORE",
            "a INT NOT NULL",
            ["ON CONFLICT of NOT NULL on column a"],
        ),
        ("a DEFAULT NULL DEFAULT 5", "a", ["DEFAULT on column a"]),
        ("a DEFAULT 5 DEFAULT NULL", "a", []),
        ("a REFERENCES p ON DELETE CASCADE", "a REFERENCES p ON DELETE SET NULL", []),
        ("a REFERENCES p", "a", ["FOREIGN KEY (a) to p"]),
        ("a REFERENCES p", "a REFERENCES q", []),
        ("a REFERENCES p REFERENCES q", "a REFERENCES Q", ["FOREIGN KEY (a) to p"]),
        ("a REFERENCES p REFERENCES P (id)", "a REFERENCES p (id)", []),
        ("a REFERENCES p NOT DEFERRABLE", "a REFERENCES p", []),
        ("a REFERENCES p DEFERRABLE", "a REFERENCES p", ["DEFERRABLE of FOREIGN KEY (a) to p"]),
    ],
)
def test_a_constraint_is_lost_when_nothing_replaces_it(
    before: str, after: str, what: list[str]
) -> None:
    losses = lost(parse(f"CREATE TABLE t ({before})"), parse(f"CREATE TABLE t ({after})"))
    assert [loss.what for loss in losses] == [f"{text} of t" for text in what]


@pytest.mark.parametrize(
    ("after", "types_are_written", "what"),
    [
        ("a INT", False, ["type TEXT on column a of t"]),
        ("a INT", True, []),
        ("a TEXT", False, []),
    ],
)
def test_a_type_is_lost_where_nobody_wrote_the_other_one(
    after: str, types_are_written: bool, what: list[str]
) -> None:
    losses = lost(
        parse("CREATE TABLE t (a TEXT)"),
        parse(f"CREATE TABLE t ({after})"),
        types_are_written=types_are_written,
    )
    assert [loss.what for loss in losses] == what


def test_an_index_may_take_the_place_of_a_unique_constraint() -> None:
    before, after = parse("CREATE TABLE t (a UNIQUE)"), parse("CREATE TABLE t (a)")
    assert not list(lost(before, after, [frozenset({"a"})]))


def test_strict_is_lost_when_it_is_not_said_again() -> None:
    before, after = parse("CREATE TABLE t (a INT) STRICT"), parse("CREATE TABLE t (a INT)")
    assert [loss.what for loss in lost(before, after)] == ["STRICT of t"]
