"""A table rebuild that a revision writes out itself is compared at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.io.schema.sqlite.conftest import Project


pytestmark = pytest.mark.integration


TWELVE_STEPS = """
CREATE TABLE new_parent (
    id INTEGER PRIMARY KEY {autoincrement},
    code VARCHAR(20) {collate} UNIQUE,
    name VARCHAR(50) NOT NULL DEFAULT 'nobody',
    amount INT {check},
    boss INTEGER REFERENCES parent(id) {action} DEFERRABLE INITIALLY DEFERRED,
    CHECK (length(name) < 100),
    CONSTRAINT short_code CHECK (length(code) < 10)
) {comment}

INSERT INTO new_parent SELECT * FROM parent {where}

DROP TABLE parent

ALTER TABLE new_parent RENAME TO parent
"""


COMPLETE = {
    "autoincrement": "AUTOINCREMENT",
    "collate": "COLLATE NOCASE",
    "check": "CHECK (amount > 0)",
    "action": "ON DELETE SET NULL",
    "comment": "",
    "where": "",
}


def twelve_steps(**changes: str) -> str:
    return TWELVE_STEPS.format(**{**COMPLETE, **changes})


def test_a_rebuild_by_hand_gets_back_what_it_forgot(family: Project) -> None:
    before = family.objects()
    family.existing(twelve_steps())
    assert before.items() <= family.objects().items()
    assert "name VARCHAR(50)" in family.schema("parent")
    family.assert_family_works()


WAYS_TO_EXECUTE = pytest.mark.parametrize(
    "execute",
    [
        "op.execute(sa.text(statement))",
        "op.get_bind().connection.driver_connection.execute(statement)",
        "op.get_bind().connection.cursor().execute(statement)",
        "op.get_bind().connection.driver_connection.cursor().executemany(statement, [()])",
    ],
)


@WAYS_TO_EXECUTE
def test_a_rebuild_by_hand_is_heard_whoever_executes_it(family: Project, execute: str) -> None:
    def rebuild(**changes: str) -> None:
        statements = [text for text in twelve_steps(**changes).split("\n\n") if text.strip()]
        family.revision(f"for statement in {statements!r}:\n    {execute}")
        family.upgrade()

    before = family.objects()
    said = family.refused_run(lambda: rebuild(collate=""))
    assert "this would be lost: COLLATE NOCASE on column code of parent" in said
    rebuild()
    assert before.items() <= family.objects().items()
    family.assert_family_works()


def test_a_rebuild_by_a_script_outside_of_the_transaction_is_heard(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (a INT)\n\nCREATE INDEX i ON t (a)\n\nINSERT INTO t VALUES (1)"
    )
    project.revision(
        """
        with op.get_context().autocommit_block():
            op.get_bind().connection.driver_connection.executescript(
                "CREATE TABLE new_t (a BIGINT); INSERT INTO new_t SELECT a FROM t;"
                "DROP TABLE t; ALTER TABLE new_t RENAME TO t;"
            )
        """
    )
    project.upgrade()
    assert project.schema("t") == "CREATE TABLE t (a BIGINT)"
    assert project.schema("i") == "CREATE INDEX i ON t (a)"
    assert project.sql("SELECT a FROM t") == [(1,)]


def test_a_rebuild_by_hand_by_way_of_a_backup_table_gets_it_back_too(family: Project) -> None:
    create = twelve_steps().split("\n\n")[0].replace("new_parent", "parent")
    before = family.objects()
    family.existing(
        "CREATE TEMP TABLE backup AS SELECT * FROM parent\n\nDROP TABLE parent\n\n"
        f"{create}\n\nINSERT INTO parent SELECT * FROM backup\n\nDROP TABLE backup"
    )
    assert before.items() <= family.objects().items()
    family.assert_family_works()


def test_what_a_rebuild_by_hand_makes_itself_stays(family: Project) -> None:
    family.existing(
        f"{twelve_steps()}\n\nCREATE INDEX by_amount ON parent (amount)\n\n"
        "CREATE TRIGGER note_new AFTER INSERT ON parent BEGIN SELECT 1; END"
    )
    assert family.schema("by_amount") == "CREATE INDEX by_amount ON parent (amount)"
    assert "SELECT 1" in family.schema("note_new")
    assert "lower(name)" in family.schema("by_lower_name")


@pytest.mark.parametrize(
    ("part", "lost"),
    [
        ("autoincrement", "AUTOINCREMENT of parent"),
        ("collate", "COLLATE NOCASE on column code of parent"),
        ("check", "CHECK (amount > 0) of parent"),
        ("action", "ON DELETE of FOREIGN KEY (boss) to parent of parent"),
    ],
)
def test_a_rebuild_by_hand_must_say_what_is_to_go(family: Project, part: str, lost: str) -> None:
    said = family.refused_script(twelve_steps(**{part: ""}))
    assert f"this would be lost: {lost}" in said
    assert "write it into the new CREATE TABLE" in said
    comment = said[said.index("/* loses:") :]
    assert comment == f"/* loses: {lost} */"
    family.existing(twelve_steps(**{part: "", "comment": comment}))
    assert COMPLETE[part] not in family.schema("parent")


def test_a_rebuild_by_hand_that_leaves_rows_behind_is_refused(family: Project) -> None:
    said = family.refused_script(twelve_steps(where="WHERE amount > 5"))
    assert "this would be lost: 1 of 2 rows of parent" in said
    assert "DELETE" in said


def test_a_check_that_another_replaces_is_not_lost(family: Project) -> None:
    family.existing(twelve_steps(check="CHECK (amount > -5)"))
    assert "CHECK (amount > -5)" in family.schema("parent")


def test_a_table_that_is_renamed_away_takes_its_children_along_and_that_is_refused(
    family: Project,
) -> None:
    create = twelve_steps().split("\n\n")[0].replace("new_parent", "parent")
    said = family.refused_script(
        f"ALTER TABLE parent RENAME TO old_parent\n\n{create}\n\n"
        "INSERT INTO parent SELECT * FROM old_parent\n\nDROP TABLE old_parent"
    )
    assert "this would be lost: the foreign key of child to parent" in said
    assert "make the new table under another name" in said


def test_a_table_that_is_dropped_and_not_made_again_was_asked_to_go(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (a)\n\nCREATE INDEX i ON t (a)\n\nINSERT INTO t VALUES (1)\n\n"
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END"
    )
    project.existing("DROP TABLE t")
    assert not project.names() & {"t", "i", "tr"}


def test_a_table_that_is_dropped_and_another_made_under_its_name_is_new(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (a COLLATE NOCASE)\n\nCREATE INDEX i ON t (a)\n\nINSERT INTO t VALUES (1)"
    )
    project.existing("DROP TABLE t\n\nCREATE TABLE t (b)\n\nINSERT INTO t VALUES (2)")
    assert project.sql("SELECT * FROM t") == [(2,)]
    assert "i" not in project.names()


def test_a_table_that_is_dropped_once_more_is_rebuilt_all_the_same(project: Project) -> None:
    project.existing("CREATE TABLE t (a TEXT COLLATE NOCASE)\n\nINSERT INTO t VALUES ('x')")
    said = project.refused_script(
        "CREATE TABLE n (a TEXT)\n\nINSERT INTO n SELECT a FROM t\n\nDROP TABLE t\n\n"
        "DROP TABLE IF EXISTS t\n\nALTER TABLE n RENAME TO t"
    )
    assert "this would be lost: COLLATE NOCASE on column a of t" in said


def test_a_plain_rename_of_a_table_loses_nothing(family: Project) -> None:
    family.revision("op.rename_table('parent', 'person')")
    family.upgrade()
    assert "REFERENCES person(id)" in family.schema("child")
    assert "ON person" in family.schema("note_new")
    family.revision("op.rename_table('person', 'parent')")
    family.upgrade()
    family.assert_family_works()


def test_rows_that_are_deleted_after_a_rebuild_by_hand_were_asked_to_go(family: Project) -> None:
    family.existing(f"{twelve_steps()}\n\nDELETE FROM child\n\nDELETE FROM parent")
    assert family.sql("SELECT count(*) FROM parent") == [(0,)]


def test_rows_that_a_backup_table_does_not_bring_back_are_missed(family: Project) -> None:
    create = twelve_steps().split("\n\n")[0].replace("new_parent", "parent")
    said = family.refused_script(
        "CREATE TEMP TABLE backup AS SELECT * FROM parent WHERE id = 1\n\nDROP TABLE parent\n\n"
        f"{create}\n\nINSERT INTO parent SELECT * FROM backup"
    )
    assert "this would be lost: 1 of 2 rows of parent" in said


RENAMED_AWAY = """
ALTER TABLE t RENAME TO old_t

CREATE TABLE t (a INT)

INSERT INTO t SELECT a FROM old_t
"""


def test_an_index_that_is_dropped_with_the_old_table_stays_dropped(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (a INT)\n\nCREATE INDEX i ON t (a)\n\nCREATE INDEX j ON t (a DESC)"
    )
    project.existing(f"{RENAMED_AWAY}\n\nDROP INDEX i\n\nDROP TABLE old_t")
    assert project.objects() == {"j": "CREATE INDEX j ON t (a DESC)"}


@pytest.mark.parametrize("column", ["b", '"b"'])
def test_a_view_on_a_column_that_is_left_out_must_be_dropped_first(
    project: Project, column: str
) -> None:
    rebuild = (
        "CREATE TABLE new_t (a INT)\n\nINSERT INTO new_t SELECT a FROM t\n\nDROP TABLE t\n\n"
        "ALTER TABLE new_t RENAME TO t"
    )
    project.existing(f"CREATE TABLE t (a, b)\n\nCREATE VIEW v AS SELECT a, {column} FROM t")
    assert "this would be lost: view v" in project.refused_script(rebuild)
    project.existing(f"DROP VIEW v\n\n{rebuild}")
    assert project.schema("t") == "CREATE TABLE t (a INT)"


def test_a_table_may_be_rebuilt_by_hand_twice_in_one_revision(family: Project) -> None:
    family.existing(
        f"{twelve_steps()}\n\nCREATE INDEX by_boss ON parent (boss)\n\n{twelve_steps()}"
    )
    assert family.schema("by_boss")
    family.assert_family_works()


def test_a_batch_may_follow_a_rebuild_by_hand(family: Project) -> None:
    statements = [s for s in twelve_steps().split("\n\n") if s.strip()]
    family.revision(
        f"""
        for statement in {statements!r}:
            op.get_bind().exec_driver_sql(statement)
        with op.batch_alter_table("parent") as batch_op:
            batch_op.drop_constraint("short_code")
        """
    )
    before = family.objects()
    family.upgrade()
    assert "short_code" not in family.schema("parent")
    assert "AUTOINCREMENT" in family.schema("parent")
    assert family.objects() == before


def test_virtual_tables_are_left_alone(project: Project) -> None:
    project.existing("CREATE VIRTUAL TABLE f USING fts4\n\nINSERT INTO f VALUES ('word')")
    project.existing(
        "CREATE VIRTUAL TABLE new_f USING fts4(content, b)\n\n"
        "INSERT INTO new_f (content) SELECT content FROM f\n\n"
        "DROP TABLE f\n\nALTER TABLE new_f RENAME TO f"
    )
    assert project.sql("SELECT content, b FROM f WHERE f MATCH 'word'") == [("word", None)]


def test_a_table_that_goes_on_under_another_name_is_not_rebuilt(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (a INT CHECK (a > 0))\n\nCREATE INDEX i ON t (a)\n\n"
        "INSERT INTO t VALUES (1)"
    )
    project.existing("ALTER TABLE t RENAME TO archive\n\nCREATE TABLE t (a INT)")
    assert project.sql("SELECT a FROM archive") == [(1,)]
    assert project.schema("i") == "CREATE INDEX i ON archive (a)"
    assert project.schema("t") == "CREATE TABLE t (a INT)"


def test_tables_that_change_places_are_a_rebuild(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (a INT CHECK (a > 0))\n\nCREATE INDEX i ON t (a)\n\n"
        "INSERT INTO t VALUES (1)"
    )
    swap = (
        "CREATE TABLE new_t (a INT {check})\n\nINSERT INTO new_t SELECT a FROM t\n\n"
        "ALTER TABLE t RENAME TO old_t\n\nALTER TABLE new_t RENAME TO t\n\nDROP TABLE old_t"
    )
    assert "CHECK (a > 0) of t" in project.refused_script(swap.format(check=""))
    project.existing(swap.format(check="CHECK (a > 0)"))
    assert project.schema("i") == "CREATE INDEX i ON t (a)"


@pytest.mark.parametrize(
    "dependent",
    [
        "CREATE TRIGGER tr AFTER DELETE ON p BEGIN DELETE FROM t WHERE a = OLD.a; END",
        "CREATE VIEW v AS SELECT a FROM t",
    ],
)
def test_what_follows_a_table_that_is_renamed_away_is_missed(
    project: Project, dependent: str
) -> None:
    project.existing(f"CREATE TABLE t (a)\n\nCREATE TABLE p (a)\n\n{dependent}")
    said = project.refused_script(
        "CREATE TABLE new_t (a)\n\nALTER TABLE t RENAME TO old_t\n\n"
        "ALTER TABLE new_t RENAME TO t\n\nDROP TABLE old_t"
    )
    assert "no such table: main.old_t" in said
