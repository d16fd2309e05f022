"""A table that a revision replaces by hand promises afterwards what it promised before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.io.schema.sqlite.conftest import Project


pytestmark = pytest.mark.integration


RENAMED_INTO_PLACE = """
CREATE TABLE new_t {after}

INSERT INTO new_t SELECT {columns} FROM t

DROP TABLE t

ALTER TABLE new_t RENAME TO t
"""
BACKED_UP = """
CREATE TEMP TABLE backup AS SELECT * FROM t

DROP TABLE t

CREATE TABLE t {after}

INSERT INTO t SELECT {columns} FROM backup
"""
RENAMED_AWAY = """
ALTER TABLE t RENAME TO old_t

CREATE TABLE t {after}

INSERT INTO t SELECT {columns} FROM old_t

DROP TABLE old_t
"""
EXCHANGED = """
CREATE TABLE new_t {after}

INSERT INTO new_t SELECT {columns} FROM t

ALTER TABLE t RENAME TO old_t

ALTER TABLE new_t RENAME TO t

DROP TABLE old_t
"""
EVERY_ORDER = pytest.mark.parametrize(
    "rebuild", [RENAMED_INTO_PLACE, BACKED_UP, RENAMED_AWAY, EXCHANGED]
)

ROW_BY_ROW = """
rows = op.get_bind().exec_driver_sql("SELECT * FROM t").mappings().all()
op.execute("DROP TABLE t")
op.execute("CREATE TABLE t {after}")
op.bulk_insert(sa.table("t", *map(sa.column, rows[0])), [dict(row) for row in rows])
"""

FORGOTTEN = [
    ("(a TEXT PRIMARY KEY, b INT)", "(a TEXT, b INT)", "PRIMARY KEY of t"),
    ("(a TEXT, b INT, PRIMARY KEY (a, b))", "(a TEXT, b INT)", "PRIMARY KEY of t"),
    ("(a INTEGER PRIMARY KEY, b INT)", "(a INTEGER UNIQUE, b INT)", "PRIMARY KEY of t"),
    ("(a INTEGER PRIMARY KEY, b)", "(a INT PRIMARY KEY, b)", "INTEGER PRIMARY KEY of t"),
    ("(a INTEGER, b, PRIMARY KEY (a DESC))", "(a INTEGER PRIMARY KEY DESC, b)", "INTEGER PRIMARY"),
    ("(a TEXT NOT NULL, b INT)", "(a TEXT, b INT)", "NOT NULL on column a of t"),
    (
        "(a, b NOT NULL ON CONFLICT REPLACE DEFAULT 1)",
        "(a, b NOT NULL DEFAULT 1)",
        "ON CONFLICT of",
    ),
    ("(a, b INT DEFAULT 5)", "(a, b INT)", "DEFAULT on column b of t"),
    ("(a, b TEXT DEFAULT ('*/'))", "(a, b TEXT)", "DEFAULT on column b of t"),
    ("(a, b UNIQUE ON CONFLICT REPLACE)", "(a, b UNIQUE)", "ON CONFLICT of UNIQUE (b) of t"),
    ("(a PRIMARY KEY ON CONFLICT IGNORE, b)", "(a PRIMARY KEY, b)", "ON CONFLICT of PRIMARY KEY"),
    ("(a, b, UNIQUE (a COLLATE NOCASE))", "(a, b, UNIQUE (a))", "COLLATE of UNIQUE (a) of t"),
    (
        "(a UNIQUE, b, UNIQUE (a COLLATE NOCASE))",
        "(a, b, UNIQUE (a COLLATE NOCASE))",
        "UNIQUE of t",
    ),
    ("(a TEXT PRIMARY KEY, b) WITHOUT ROWID", "(a TEXT NOT NULL PRIMARY KEY, b)", "WITHOUT ROWID"),
    ("(a TEXT PRIMARY KEY, b INT) STRICT", "(a TEXT NOT NULL PRIMARY KEY, b INT)", "STRICT of t"),
    ("(a, b CHECK (b <> '*/'))", "(a, b)", "CHECK (b <> '*/') of t"),
    ("(a INT UNIQUE, b INT REFERENCES t (a))", "(a INT UNIQUE, b INT)", "FOREIGN KEY (b) to t"),
]


@EVERY_ORDER
@pytest.mark.parametrize(("before", "after", "lost"), FORGOTTEN)
def test_what_is_forgotten_is_named_and_goes_only_where_that_is_said(
    project: Project, rebuild: str, before: str, after: str, lost: str
) -> None:
    project.existing(f"CREATE TABLE t {before}\n\nINSERT INTO t VALUES ('1', 1), ('2', 2)")
    script = rebuild.format(after=after, columns="*")
    said = project.refused_script(script)
    assert re.search(f"this would be lost: .*{re.escape(lost)}", said)
    assert "write it into the new CREATE TABLE: " in said
    assert " of t" in said
    project.existing(f"{script}\n\n{said[said.index('/* loses: ') :]}")
    assert project.schema("t") == f"CREATE TABLE t {after}"


@pytest.mark.parametrize(
    ("rule", "lost"),
    [
        ("ON DELETE CASCADE", "ON DELETE"),
        ("ON UPDATE SET NULL", "ON UPDATE"),
        ("DEFERRABLE INITIALLY DEFERRED", "DEFERRABLE"),
    ],
)
def test_what_a_foreign_key_does_is_missed(project: Project, rule: str, lost: str) -> None:
    project.existing(f"CREATE TABLE t (a INT UNIQUE, b REFERENCES t (a) {rule})")
    said = project.refused_script(
        RENAMED_INTO_PLACE.format(after="(a INT UNIQUE, b REFERENCES t (a))", columns="*")
    )
    assert f"this would be lost: {lost} of FOREIGN KEY (b) to t" in said


@EVERY_ORDER
def test_a_generated_column_that_becomes_a_plain_one_is_named(
    project: Project, rebuild: str
) -> None:
    project.existing("CREATE TABLE t (a INT, b INT AS (a + 1))\n\nINSERT INTO t VALUES (1)")
    said = project.refused_script(rebuild.format(after="(a INT, b INT)", columns="a, b"))
    assert "this would be lost: AS (a + 1) on column b of t" in said


@pytest.mark.parametrize(("before", "after", "lost"), FORGOTTEN)
def test_it_is_noticed_when_the_rows_are_written_one_by_one(
    project: Project, before: str, after: str, lost: str
) -> None:
    project.existing(f"CREATE TABLE t {before}\n\nINSERT INTO t VALUES ('1', 1)")
    said = project.refused_body(ROW_BY_ROW.format(after=after))
    assert re.search(f"this would be lost: .*{re.escape(lost)}", said)
    comment = said[said.index("/* loses: ") :]
    project.revision(f"{ROW_BY_ROW.format(after=after)}\nop.execute({comment!r})")
    project.upgrade()
    assert project.sql("SELECT a = 1 OR a = '1', b = 1 OR b = '1' FROM t") == [(1, 1)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("(a TEXT NOT NULL, b)", "(a TEXT NULL, b)"),
        ("(a, b DEFAULT 5)", "(a, b DEFAULT NULL)"),
        ("(a, b DEFAULT NULL)", "(a, b)"),
        ("(a INTEGER NOT NULL PRIMARY KEY, b)", "(a INTEGER PRIMARY KEY, b)"),
        ("(a TEXT NOT NULL PRIMARY KEY, b)", "(a TEXT PRIMARY KEY, b) WITHOUT ROWID"),
        ("(a TEXT PRIMARY KEY, b)", "(a TEXT UNIQUE, b INTEGER PRIMARY KEY)"),
        ("(a INTEGER PRIMARY KEY, b)", "(a INTEGER, b, PRIMARY KEY (b, a))"),
        ("(a UNIQUE ON CONFLICT ABORT, b)", "(a UNIQUE, b)"),
        ("(a UNIQUE ON CONFLICT REPLACE, b)", "(a UNIQUE ON CONFLICT IGNORE, b)"),
        ("(a VARCHAR(9), b DEFAULT 5)", "(a TEXT, b DEFAULT 6)"),
        ("(a COLLATE NOCASE, b)", "(a COLLATE RTRIM, b)"),
        ("(a, b NOT NULL DEFAULT 1)", "(a, b AS (1))"),
    ],
)
def test_what_is_said_otherwise_is_not_lost(project: Project, before: str, after: str) -> None:
    project.existing(f"CREATE TABLE t {before}\n\nINSERT INTO t VALUES (1, 1)")
    rebuild = RENAMED_INTO_PLACE.format(after=after, columns="*")
    if " AS " in after:
        rebuild = rebuild.replace("SELECT *", "SELECT a")
    project.existing(rebuild)
    assert project.schema("t") == f"CREATE TABLE t {after}"


@pytest.mark.parametrize(
    "body",
    [
        "a, b COLLATE NOCASE",
        "a, b AS (a + 1)",
        "a, b NOT NULL DEFAULT 1 UNIQUE CHECK (b > 0) REFERENCES t (b)",
        "a, b INTEGER PRIMARY KEY AUTOINCREMENT",
        "a, b, PRIMARY KEY (a, b)",
    ],
)
def test_a_column_may_be_left_out_with_all_that_was_about_it(project: Project, body: str) -> None:
    project.existing(f"CREATE TABLE t ({body})\n\nCREATE INDEX i ON t (b)")
    project.existing(RENAMED_INTO_PLACE.format(after="(a)", columns="a"))
    assert project.schema("t") == "CREATE TABLE t (a)"
    assert "i" not in project.names()


def test_create_table_as_is_refused_with_all_that_it_forgets(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (id TEXT PRIMARY KEY, v INTEGER NOT NULL DEFAULT 5, d VARCHAR(9))\n\n"
        "INSERT INTO t VALUES ('u', 1, NULL)"
    )
    script = (
        "CREATE TABLE made AS SELECT id, v, d FROM t\n\nALTER TABLE made RENAME TO new_t\n\n"
        "DROP TABLE t\n\nALTER TABLE new_t RENAME TO t"
    )
    lost = (
        "DEFAULT on column v of t; NOT NULL on column v of t; type VARCHAR(9) on column d of t;"
        " PRIMARY KEY of t"
    )
    said = project.refused_script(script)
    assert f"this would be lost: {lost} | " in said
    assert said.endswith(f"; if it is to go, say so in a statement: /* loses: {lost} */")
    said = project.refused_script(f"{script} /* loses: {lost.replace('PRIMARY', 'SECONDARY')} */")
    assert "this would be lost: PRIMARY KEY of t | " in said
    project.existing(f"{script} /* loses: {lost} */")
    assert project.schema("t") == "CREATE TABLE t(id TEXT,v INT,d TEXT)"


def test_consent_to_a_loss_is_of_that_table_alone(project: Project) -> None:
    project.existing("CREATE TABLE t (a PRIMARY KEY)\n\nINSERT INTO t VALUES (1)")
    comment = "/* loses: PRIMARY KEY of t2; NOT PRIMARY KEY of t */"
    script = f"{RENAMED_INTO_PLACE.format(after='(a)', columns='*')} {comment}"
    assert "this would be lost: PRIMARY KEY of t | " in project.refused_script(script)


def test_rows_that_are_to_go_need_not_be_counted(project: Project) -> None:
    project.existing("CREATE TABLE t (a)\n\nINSERT INTO t VALUES (1), (2)")
    script = RENAMED_INTO_PLACE.format(after="(a)", columns="*").replace("FROM t", "FROM t LIMIT 1")
    said = project.refused_script(script)
    assert "this would be lost: 1 of 2 rows of t | " in said
    comment = said[said.index("/* loses: ") :]
    assert comment == "/* loses: rows of t */"
    project.existing(f"{comment} {script.strip()}")
    assert project.sql("SELECT a FROM t") == [(1,)]


def test_rows_that_are_copied_behind_a_with_are_counted(project: Project) -> None:
    project.existing("CREATE TABLE t (a)\n\nINSERT INTO t VALUES (1), (2)")
    script = BACKED_UP.format(after="(a)", columns="*").replace(
        "INSERT", "WITH half AS (SELECT * FROM backup LIMIT 1) INSERT"
    )
    said = project.refused_script(script.replace("FROM backup\n", "FROM half\n"))
    assert "this would be lost: 1 of 2 rows of t | " in said


def test_rows_that_are_written_one_by_one_get_the_triggers_and_indexes_back(
    project: Project,
) -> None:
    project.existing(
        "CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT, b)\n\nCREATE TABLE log (b)\n\n"
        "CREATE UNIQUE INDEX i ON t (b) WHERE b > 0\n\n"
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (NEW.b); END\n\n"
        "INSERT INTO t VALUES (1, 1), (9, 9)\n\nDELETE FROM t WHERE a = 9\n\nDELETE FROM log"
    )
    before = project.objects()
    project.revision(ROW_BY_ROW.format(after="(a INTEGER PRIMARY KEY AUTOINCREMENT, b INT)"))
    project.upgrade()
    assert project.objects() == before
    assert project.sql("SELECT * FROM log") == []
    project.sql("INSERT INTO t (b) VALUES (2)")
    assert project.sql("SELECT * FROM t") == [(1, 1), (10, 2)]
    assert project.sql("SELECT * FROM log") == [(2,)]


def test_a_sequence_that_went_on_is_not_set_back(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT, b)\n\nINSERT INTO t VALUES (5, 5)"
    )
    after = "(a INTEGER PRIMARY KEY AUTOINCREMENT, b)"
    project.existing(
        f"{RENAMED_INTO_PLACE.format(after=after, columns='*')}\n\n"
        "INSERT INTO t VALUES (20, 20)\n\nDELETE FROM t WHERE a = 20"
    )
    project.sql("INSERT INTO t (b) VALUES ('next')")
    assert project.sql("SELECT max(a) FROM t") == [(21,)]


def test_an_index_that_was_dropped_and_made_again_before_is_kept(project: Project) -> None:
    project.existing("CREATE TABLE t (a, b)\n\nCREATE INDEX i ON t (a)")
    project.existing(
        "DROP INDEX i\n\nCREATE INDEX i ON t (b)\n\n"
        + RENAMED_INTO_PLACE.format(after="(a, b)", columns="*")
    )
    assert project.schema("i") == "CREATE INDEX i ON t (b)"


def test_what_a_batch_is_asked_for_needs_no_comment(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (a TEXT CONSTRAINT pk PRIMARY KEY, b INT NOT NULL DEFAULT 5,"
        " c COLLATE NOCASE)"
    )
    project.batch("alter_column('b', nullable=True, server_default=None)", table="t")
    project.batch("drop_constraint('pk')", table="t")
    assert project.schema("t") == "CREATE TABLE t ( a TEXT, b INT, c COLLATE NOCASE )"


def test_a_rebuild_by_hand_behind_a_batch_is_compared_with_what_the_batch_made(
    project: Project,
) -> None:
    project.existing("CREATE TABLE t (a TEXT NOT NULL, b INT NOT NULL)")
    statements = [s for s in RENAMED_INTO_PLACE.split("\n\n") if s.strip()]
    body = """
    with op.batch_alter_table("t") as batch_op:
        batch_op.alter_column("a", nullable=True)
    for statement in {statements!r}:
        op.execute(statement.format(after={after!r}, columns="*"))
    """
    said = project.refused_body(body.format(statements=statements, after="(a TEXT, b INT)"))
    assert "this would be lost: NOT NULL on column b of t | " in said
    project.revision(body.format(statements=statements, after="(a TEXT, b INT NOT NULL)"))
    project.upgrade()
    assert project.schema("t") == "CREATE TABLE t (a TEXT, b INT NOT NULL)"
