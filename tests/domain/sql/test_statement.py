"""What a statement does is read from its first words, whatever comments are between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from work_data_hub.domain.sql.lexer import Dialect
from work_data_hub.domain.sql.statement import (
    ConcurrentIndex,
    Kind,
    action_of,
    called_in,
    concurrent_index,
    if_not_exists,
    is_concurrent,
    kind_of,
    may_be_repeated,
    may_commit_a_part,
    only_reads,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

BOTH: Sequence[Dialect] = get_args(Dialect)


@pytest.mark.parametrize(
    ("statement", "action"),
    [
        ('DROP TABLE IF EXISTS main."a b"', ("DROP", "TABLE", "a b", None)),
        ("alter table [x y] rename to `z`", ("ALTER", "TABLE", "x y", "z")),
        ("ALTER TABLE t RENAME COLUMN a TO b", ("ALTER", "TABLE", "t", None)),
        ("/* x */ CREATE UNIQUE INDEX IF NOT EXISTS i ON t (a)", ("CREATE", "INDEX", "i", None)),
        ("-- x\nCREATE TEMP TABLE t (a)", ("CREATE", "TABLE", "t", None)),
        ("INSERT OR REPLACE INTO t VALUES (1)", ("INSERT", "", "t", None)),
        ("UPDATE OR IGNORE t SET a = 1", ("UPDATE", "", "t", None)),
        ("DELETE FROM t", ("DELETE", "", "t", None)),
        (
            "WITH a AS (DELETE FROM u), b (x) AS (SELECT 1) INSERT INTO t SELECT * FROM b",
            ("INSERT", "", "t", None),
        ),
        ("WITH a AS (SELECT 1) REPLACE INTO t SELECT * FROM a", ("REPLACE", "", "t", None)),
        ("WITH a AS (SELECT 1) UPDATE t SET x = 1", ("UPDATE", "", "t", None)),
        ("WITH a AS (SELECT 1) DELETE FROM t", ("DELETE", "", "t", None)),
        ("WITH a AS (SELECT 1) MERGE INTO t USING a ON true", ("MERGE", "", "t", None)),
        ("WITH a AS (DELETE FROM t) SELECT * FROM a", ("SELECT", "", "*", None)),
        ("WITH a AS (DELETE FROM t) TABLE a", ("WITH", "", "", None)),
        ("CREATE TEMPORARY TABLE t (a)", ("CREATE", "TABLE", "t", None)),
        ("CREATE VIRTUAL TABLE t USING fts5 (a)", ("CREATE", "TABLE", "t", None)),
        ("INSERT OR ABORT INTO t VALUES (1)", ("INSERT", "", "t", None)),
        ("INSERT OR FAIL INTO t VALUES (1)", ("INSERT", "", "t", None)),
        ("UPDATE OR ROLLBACK t SET a = 1", ("UPDATE", "", "t", None)),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", ("CREATE", "VIEW", "v", None)),
        ("\ufeffDROP TABLE t", ("DROP", "TABLE", "t", None)),
        ("WITH", ("WITH", "", "", None)),
        ("", ("", "", "", None)),
    ],
)
def test_the_first_words_say_what_a_statement_does(
    statement: str, action: tuple[str, str, str, str | None]
) -> None:
    assert tuple(action_of(statement)) == action


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("CREATE INDEX CONCURRENTLY a ON t (x)", ConcurrentIndex("a", "t")),
        (
            "create unique index concurrently A_b on S.t using gin (x)",
            ConcurrentIndex("a_b", "S.t"),
        ),
        (
            'CREATE INDEX CONCURRENTLY IF NOT EXISTS "My ""x" ON ONLY "s"."T t" (x)',
            ConcurrentIndex('My "x', '"s"."T t"'),
        ),
        (
            "/* a /* b */ c */ -- d\nCREATE INDEX CONCURRENTLY a ON t (x)",
            ConcurrentIndex("a", "t"),
        ),
        ("CREATE INDEX a ON t (x)", None),
        (
            "CREATE UNIQUE /* no lock */ INDEX CONCURRENTLY -- why\n a ON t (x)",
            ConcurrentIndex("a", "t"),
        ),
        ('CREATE INDEX CONCURRENTLY"a"ON"t"(x)', ConcurrentIndex("a", '"t"')),
        ("CREATE INDEX CONCURRENTLY a ON s . t (x)", ConcurrentIndex("a", "s . t")),
        ("CREATE INDEX CONCURRENTLY IX_\u00c9 ON t (x)", ConcurrentIndex("ix_\u00c9", "t")),
        ("CREATE INDEX CONCURRENTLY ON t (x)", None),
        ("CREATE INDEX concurrently_made ON t (x)", None),
        ("DROP INDEX CONCURRENTLY a", None),
    ],
)
def test_the_index_of_a_statement_is_known(statement: str, index: ConcurrentIndex | None) -> None:
    assert concurrent_index(statement) == index


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("BEGIN", Kind.TRANSACTION_BRACKET),
        ("begin immediate transaction", Kind.TRANSACTION_BRACKET),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE", Kind.TRANSACTION_BRACKET),
        ("START /* now */ TRANSACTION", Kind.TRANSACTION_BRACKET),
        ("COMMIT", Kind.TRANSACTION_BRACKET),
        ("COMMIT -- done", Kind.TRANSACTION_BRACKET),
        ("END WORK", Kind.TRANSACTION_BRACKET),
        ("END TRANSACTION AND NO CHAIN", Kind.TRANSACTION_BRACKET),
        ("COMMIT AND CHAIN", Kind.TRANSACTION_END),
        ("COMMIT PREPARED 'x'", Kind.TRANSACTION_END),
        ("ROLLBACK", Kind.TRANSACTION_END),
        ("ROLLBACK /* TO SAVEPOINT x */", Kind.TRANSACTION_END),
        ("ABORT", Kind.TRANSACTION_END),
        ("PREPARE TRANSACTION 'x'", Kind.TRANSACTION_END),
        ("ROLLBACK TO x", Kind.ORDINARY),
        ("ROLLBACK TRANSACTION TO SAVEPOINT x", Kind.ORDINARY),
        ("SAVEPOINT x", Kind.ORDINARY),
        ("RELEASE x", Kind.ORDINARY),
        ("PREPARE p AS SELECT 1", Kind.ORDINARY),
        ("INSERT INTO t VALUES ('COMMIT')", Kind.ORDINARY),
        ("(SELECT 1)", Kind.ORDINARY),
    ],
)
@pytest.mark.parametrize("dialect", BOTH)
def test_what_begins_or_ends_a_transaction_is_known(
    text: str, kind: Kind, dialect: Dialect
) -> None:
    assert kind_of(text, dialect) is kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("\\connect other", Kind.CLIENT_COMMAND),
        ("COPY t FROM stdin", Kind.COPY_STREAM),
        ("COPY public.t (a, b) FROM STDIN WITH (FORMAT csv)", Kind.COPY_STREAM),
        ("COPY (SELECT * FROM t) TO STDOUT", Kind.COPY_STREAM),
        ("COPY t FROM '/srv/from stdin'", Kind.ORDINARY),
        ("SET standard_conforming_strings = off", Kind.BACKSLASH_STRINGS),
        ("SET LOCAL standard_conforming_strings TO 'off'", Kind.BACKSLASH_STRINGS),
        ("SET standard_conforming_strings = on", Kind.ORDINARY),
        ("SET search_path = ''", Kind.ORDINARY),
    ],
)
def test_what_postgresql_cannot_take_from_a_file_is_known(text: str, kind: Kind) -> None:
    assert kind_of(text, "postgresql") is kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (".read other.sql", Kind.CLIENT_COMMAND),
        ("PRAGMA foreign_keys=OFF", Kind.FOREIGN_KEYS_OFF),
        ("pragma main.foreign_keys (0)", Kind.FOREIGN_KEYS_OFF),
        ("PRAGMA foreign_keys = 'no'", Kind.FOREIGN_KEYS_OFF),
        ("PRAGMA foreign_keys=ON", Kind.ORDINARY),
        ("PRAGMA foreign_keys", Kind.ORDINARY),
    ],
)
def test_what_sqlite_ignores_in_a_transaction_is_known(text: str, kind: Kind) -> None:
    assert kind_of(text, "sqlite") is kind


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE IF NOT EXISTS a (x int)",
        "create unlogged table if not exists a (x numeric(10), y int generated always as (x))",
        "CREATE UNIQUE INDEX IF NOT EXISTS i ON a (x);",
        "CREATE /* AS */ SEQUENCE IF NOT EXISTS s AS integer",
        "CREATE SCHEMA IF NOT EXISTS s",
        "CREATE EXTENSION IF NOT EXISTS citext",
        "CREATE INDEX CONCURRENTLY i ON a (x)",
        "-- why\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON a (x)",
        "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'so so'",
        "VACUUM",
        "VACUUM (ANALYZE) a",
        "ANALYZE a",
    ],
)
def test_what_only_makes_what_is_not_there_may_be_repeated(text: str, dialect: Dialect) -> None:
    assert may_be_repeated(text, dialect)


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "CREATE TABLE a (x int)",
        "CREATE TABLE IF NOT EXISTS a AS SELECT * FROM b",
        "CREATE TABLE IF NOT EXISTS a (x) AS SELECT f(y) FROM b",
        "CREATE MATERIALIZED VIEW IF NOT EXISTS a AS SELECT 1",
        "CREATE VIEW IF NOT EXISTS a AS SELECT 1",
        "CREATE TRIGGER IF NOT EXISTS a AFTER INSERT ON b BEGIN DELETE FROM c; END",
        "CREATE OR REPLACE VIEW a AS SELECT 1",
        "CREATE INDEX i ON a (x)",
        "DROP TABLE IF EXISTS a",
        "DROP INDEX CONCURRENTLY IF EXISTS i",
        "ALTER TABLE IF EXISTS a ADD COLUMN b int",
        "ALTER TABLE IF EXISTS a RENAME TO b",
        "ALTER TABLE a ADD COLUMN IF NOT EXISTS b int DEFAULT random()",
        "ALTER TYPE mood ADD VALUE 'so so'",
        "REINDEX INDEX CONCURRENTLY i",
        "REINDEX TABLE a",
        "CLUSTER a",
        "CREATE TEMP TABLE IF NOT EXISTS a (x int)",
        "CREATE FOREIGN TABLE IF NOT EXISTS a (x int) SERVER s",
        "CREATE SERVER IF NOT EXISTS s FOREIGN DATA WRAPPER w",
        "CREATE USER MAPPING IF NOT EXISTS FOR u SERVER s",
        "CREATE STATISTICS IF NOT EXISTS s ON x, y FROM a",
        "CREATE COLLATION IF NOT EXISTS c FROM d",
        "ALTER SEQUENCE IF EXISTS s RESTART",
        "REPLACE INTO a VALUES (1)",
        "SET lock_timeout = 0",
        "GRANT ALL ON a TO b",
        "COMMENT ON TABLE a IS 'b'",
        "LOCK TABLE a",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY a",
        "INSERT INTO a VALUES (1)",
        "UPDATE a SET x = 1",
        "DELETE FROM a",
        "MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE",
        "TRUNCATE a",
        "COPY a FROM STDIN",
        "SELECT f()",
        "WITH x AS (DELETE FROM a RETURNING 1) SELECT * FROM x",
        "DO $$ BEGIN DELETE FROM a; END $$",
        "CALL f()",
        "VACUUM INTO 'other.db'",
        "CREATE TABLE IF NOT EXISTS a (x int); UPDATE b SET n = n * 2",
        "VACUUM; VACUUM",
    ],
)
def test_nothing_else_may_be_repeated(text: str, dialect: Dialect) -> None:
    assert not may_be_repeated(text, dialect)


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("SELECT 1", True),
        ("/* x */ select * from a;", True),
        ("VALUES (1)", True),
        ("PRAGMA table_info(a)", True),
        ("EXPLAIN SELECT 1", True),
        ("SHOW search_path", True),
        ("SELECT * INTO b FROM a", False),
        ("EXPLAIN (ANALYZE) DELETE FROM a", False),
        ("PRAGMA user_version = 3", False),
        ("SELECT 1; DELETE FROM a", False),
        ("SELECTED", False),
        ("INSERT INTO a SELECT 1", False),
        ("WITH x AS (DELETE FROM a RETURNING 1) SELECT 1", False),
    ],
)
def test_what_only_reads_is_known(text: str, reads: bool, dialect: Dialect) -> None:
    assert only_reads(text, dialect) is reads


@pytest.mark.parametrize(
    ("text", "commits"),
    [
        ("INSERT INTO a VALUES (1), (2)", False),
        ("VACUUM a", False),
        ("SELECT 'CONCURRENTLY; COMMIT'", False),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY a", False),
        ("DROP INDEX CONCURRENTLY i", False),
        ("CALL fill()", True),
        ("/* a /* b */ c */ DO $$ BEGIN COMMIT; END $$", True),
        ("CREATE INDEX /* x */ CONCURRENTLY ON a (x)", True),
        ("REINDEX (VERBOSE) TABLE CONCURRENTLY a", True),
        ("ALTER TABLE a DETACH PARTITION b CONCURRENTLY", True),
    ],
)
def test_what_commits_on_its_way_is_known(text: str, commits: bool) -> None:
    assert may_commit_a_part(text, "postgresql") is commits
    assert not may_commit_a_part("INSERT INTO a VALUES (1), (2)", "sqlite")


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("CREATE INDEX CONCURRENTLY i ON a (x)", True),
        ("create unique index /* x */ concurrently i ON a (x)", True),
        ("DROP INDEX CONCURRENTLY i", True),
        ("REINDEX INDEX CONCURRENTLY i", True),
        ("CREATE INDEX i ON a (x)", False),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY a", False),  # which is one transaction
        ("ALTER TABLE a DETACH PARTITION b CONCURRENTLY", False),  # which leaves no index
    ],
)
def test_what_works_on_an_index_concurrently_is_known(text: str, is_it: bool) -> None:
    assert is_concurrent(text) is is_it


@pytest.mark.parametrize(
    ("text", "on_postgresql"),
    [("INSERT INTO a VALUES (1); DELETE FROM a", False), ("DELETE FROM a; COMMIT", True)],
)
def test_several_statements_are_one_transaction_on_postgresql_alone(
    text: str, on_postgresql: bool
) -> None:
    assert may_commit_a_part(text, "postgresql") is on_postgresql
    assert may_commit_a_part(text, "sqlite")


def test_what_a_statement_calls_stands_before_a_parenthesis() -> None:
    text = "SELECT count(*), s.Fill (1), \"Add_\u00c9\"('drop()') FROM a WHERE x IN (1) -- no()"
    assert called_in(text) == {"count", "fill", "Add_\u00c9", "in"}


@pytest.mark.parametrize(
    ("text", "made"),
    [
        (
            "CREATE INDEX CONCURRENTLY i ON a (x)",
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON a (x)",
        ),
        (
            "CREATE INDEX /* x */ CONCURRENTLY i -- y\n ON a (x)",
            "CREATE INDEX   CONCURRENTLY IF NOT EXISTS i  \n ON a (x)",
        ),
        ("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON a (x)", None),
        ("CREATE INDEX i ON a (x)", None),
    ],
)
def test_a_concurrent_build_can_be_made_conditional(text: str, made: str | None) -> None:
    assert if_not_exists(text) == (made or text)


def test_what_the_engine_takes_for_a_space_hides_nothing() -> None:
    for space in (*" \t\r\n\f", "-- ;\n", "/* ; */"):
        for dialect in get_args(Dialect):
            assert kind_of(f"{space}ROLLBACK", dialect) is Kind.TRANSACTION_END
    assert kind_of("\ufeff /**/ \ufeffROLLBACK", "sqlite") is Kind.TRANSACTION_END
    assert kind_of("\vROLLBACK", "postgresql") is Kind.TRANSACTION_END
    # To PostgreSQL it is the first letter of a name.
    assert kind_of("\ufeffROLLBACK", "postgresql") is Kind.ORDINARY
