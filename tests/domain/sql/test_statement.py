"""What a statement does is read from its first words, whatever comments are between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from work_data_hub.domain.sql.lexer import Dialect
from work_data_hub.domain.sql.statement import (
    ConcurrentIndex,
    Kind,
    action_of,
    concurrent_index,
    kind_of,
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
        ("CREATE INDEX CONCURRENTLY ON t (x)", None),
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
