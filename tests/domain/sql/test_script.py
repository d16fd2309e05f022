"""A SQL script is cut where the engine would cut it, and nowhere else."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, get_args

import pytest

from work_data_hub.domain.sql.lexer import Dialect
from work_data_hub.domain.sql.script import Statement, split

if TYPE_CHECKING:
    from collections.abc import Sequence

BOTH: Sequence[Dialect] = get_args(Dialect)


def texts(script: str, dialect: Dialect) -> list[str]:
    return [statement.text for statement in split(script, dialect)]


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t VALUES ('a;b')",
        "INSERT INTO t VALUES ('it''s; fine')",
        'INSERT INTO "odd;""name" VALUES (1)',
        "SELECT 1 -- not; here\n, 2",
        "SELECT 1 /* not; 'here */, 2",
        "SELECT ':name %s %(x)s \\'",
        "SELECT 'über; 日本語' AS größe",
        "SELECT CASE WHEN 1 = 1 THEN 'x' END",
        "SELECT '--', '/*', ';'",
    ],
)
def test_a_semicolon_inside_a_string_a_name_or_a_comment_ends_nothing(
    statement: str, dialect: Dialect
) -> None:
    assert texts(f"{statement};\nSELECT 2;", dialect) == [statement, "SELECT 2"]


@pytest.mark.parametrize(
    "statement",
    [
        r"SELECT E'it\'s; fine'",
        r"SELECT e'\\', 'x;y'",
        "SELECT E'doubled'' and \\'escaped;'",
        "SELECT E'one' -- it's\n  'goes; on \\' here;'",
        r"SELECT name'\' FROM t",
        "SELECT $$a;b$$",
        "SELECT $body$ $$;$$ $other$; $body$",
        "SELECT $größe$;$größe$",
        "SELECT a$b$c AS d$$e",
        "SELECT U&'\\', U&\"x;y\"",
        "SELECT 1 /* outer /* inner; */ still; */",
        "PREPARE p AS SELECT $1::int, $2::int",
        "DO $$ BEGIN PERFORM 1; END; $$",
        "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM u; DELETE FROM v;)",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
        "create or replace function f() returns int\nbegin /* ; */ atomic end",
        "CREATE PROCEDURE f() BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 1 AS end; END",
    ],
)
def test_postgresql_bodies_and_quotes_stay_whole(statement: str) -> None:
    assert texts(f"{statement};\nSELECT 2;", "postgresql") == [statement, "SELECT 2"]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM u; DELETE FROM v; END",
        "CREATE TEMP TRIGGER g AFTER INSERT ON t BEGIN\n  SELECT CASE WHEN 1 THEN 2 END;\nEND",
        "create trigger if not exists g after insert on t begin select ';'; /* ; */ end",
        "INSERT INTO [odd;name] VALUES (1)",
        "INSERT INTO `odd;name` VALUES (1)",
        "SELECT 'a\\'",
        "SELECT 1 /* not /* nested */",
        "SELECT a$b$ FROM t",
    ],
)
def test_sqlite_bodies_and_quotes_stay_whole(statement: str) -> None:
    assert texts(f"{statement};\nSELECT 2;", "sqlite") == [statement, "SELECT 2"]


def test_sqlite_is_cut_where_its_own_judgement_says_so() -> None:
    script = "".join(
        f"CREATE TRIGGER t{number} AFTER INSERT ON t BEGIN\n"
        "  SELECT 1; INSERT INTO u VALUES ('; END;');\nEND;\n"
        f"-- number {number};\nINSERT INTO t VALUES ({number});\n"
        for number in range(20)
    )
    expected, position = [], 0
    for end in range(len(script)):
        if script[end] == ";" and sqlite3.complete_statement(script[position : end + 1]):
            expected.append(script[position:end].strip())
            position = end + 1
    found = texts(script, "sqlite")
    assert len(found) == len(expected) == 40
    assert all(whole.endswith(part) for whole, part in zip(expected, found, strict=True))


@pytest.mark.parametrize("dialect", BOTH)
def test_the_line_is_that_of_the_first_word(dialect: Dialect) -> None:
    script = (
        "\n-- a comment; with a semicolon\n/* and\n   another */ SELECT 1;\n\n"
        "SELECT\n  2; SELECT 3;\n;\n  -- the last\n  SELECT 4"
    )
    assert list(split(script, dialect)) == [
        Statement("SELECT 1", 4),
        Statement("SELECT\n  2", 6),
        Statement("SELECT 3", 7),
        Statement("SELECT 4", 10),
    ]


@pytest.mark.parametrize("dialect", BOTH)
def test_lines_that_end_with_a_carriage_return_are_counted_once(dialect: Dialect) -> None:
    script = "-- one\r\nSELECT 1;\r\n\r\nSELECT '\r\n';\r\n-- end\r\n"
    assert list(split(script, dialect)) == [Statement("SELECT 1", 2), Statement("SELECT '\r\n'", 4)]


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize("script", ["", " \n", ";;\n;", "-- only; this\n", "/* and; this */", "--"])
def test_a_script_without_statements_has_none(script: str, dialect: Dialect) -> None:
    assert texts(script, dialect) == []


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize("statement", ["SELECT 'never closed; ", 'SELECT "never closed; '])
def test_what_is_never_closed_goes_to_the_engine_whole(statement: str, dialect: Dialect) -> None:
    assert texts(f"SELECT 1; {statement}", dialect) == ["SELECT 1", statement.rstrip()]


def test_a_comment_that_is_never_closed_is_a_fault_on_postgresql_only() -> None:
    assert texts("SELECT 1; /* never; closed", "sqlite") == ["SELECT 1"]
    assert texts("SELECT 1; /* /* */ closed", "postgresql") == ["SELECT 1", "/* /* */ closed"]


def test_a_psql_command_is_a_statement_of_its_own() -> None:
    script = "SELECT 1;\n\\connect other\nSELECT 2 \\gexec\nSELECT 3;"
    assert list(split(script, "postgresql")) == [
        Statement("SELECT 1", 1),
        Statement("\\connect other", 2),
        Statement("SELECT 2", 3),
        Statement("\\gexec", 3),
        Statement("SELECT 3", 4),
    ]


def test_the_restrict_lines_of_pg_dump_are_comments() -> None:
    script = "--\n\n\\restrict aB3\n\nSELECT 1;\n\n\\unrestrict aB3\n"
    assert list(split(script, "postgresql")) == [Statement("SELECT 1", 5)]


def test_a_trigger_behind_a_byte_order_mark_stays_whole() -> None:
    trigger = "CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END"
    assert texts(f"SELECT 1;\n\ufeff{trigger};\n\ufeff", "sqlite") == ["SELECT 1", trigger]
