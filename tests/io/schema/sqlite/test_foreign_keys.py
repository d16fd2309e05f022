"""A revision on SQLite that breaks a foreign key is rolled back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.errors import MigrationFailedError
from work_data_hub.io.schema.drivers import HeardCursor

if TYPE_CHECKING:
    from tests.io.schema.sqlite.conftest import Project


pytestmark = pytest.mark.integration


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is executed on connections of the package."""
    statements: list[str] = []
    execute = HeardCursor.execute

    def noted(cursor: HeardCursor, sql: str, *parameters: Any) -> HeardCursor:
        statements.append(sql)
        return execute(cursor, sql, *parameters)

    monkeypatch.setattr(HeardCursor, "execute", noted)
    return statements


def test_a_foreign_key_that_a_revision_breaks_rolls_it_back(family: Project) -> None:
    assert "foreign key" in family.refused_script("DELETE FROM parent WHERE id = 1")


def test_a_foreign_key_that_was_broken_before_is_not_the_fault_of_the_revision(
    project: Project,
) -> None:
    project.existing("CREATE TABLE p (id INTEGER PRIMARY KEY)\n\nCREATE TABLE c (p REFERENCES p)")
    with closing(sqlite3.connect(project.file)) as connection, connection:
        connection.execute("INSERT INTO c VALUES (7)")
    project.batch("alter_column('p', nullable=False)", table="c")
    assert project.sql("SELECT p FROM c") == [(7,)]


def test_revisions_that_can_break_nothing_are_not_checked(
    project: Project, executed: list[str]
) -> None:
    for number in range(5):
        project.revision(
            f"""
            op.create_table("t{number}", sa.Column("id", sa.Integer(), primary_key=True))
            op.create_index("i{number}", "t{number}", ["id"])
            op.add_column("t{number}", sa.Column("x", sa.Integer()))
            """
        )
    for statement in (
        "SELECT count(x) FROM t1",
        "WITH one AS (SELECT 1) SELECT * FROM one",
        "EXPLAIN DELETE FROM t1",
        "PRAGMA user_version = 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TRIGGER tr AFTER INSERT ON t1 BEGIN SELECT 1; END",
        "DROP TRIGGER tr",
        "DROP VIEW v",
    ):
        project.revision(f"op.execute({statement!r})")
    project.revision("op.execute('SAVEPOINT here')\nop.execute('RELEASE here')")
    project.upgrade()
    assert any("CREATE TABLE t4" in statement for statement in executed)
    assert any("EXPLAIN DELETE" in statement for statement in executed)
    assert not [s for s in executed if "foreign_key_check" in s or "count(*)" in s]


def test_a_revision_that_changes_rows_is_checked(project: Project) -> None:
    project.existing("CREATE TABLE p (id INTEGER PRIMARY KEY)\n\nCREATE TABLE c (p REFERENCES p)")
    project.existing("INSERT INTO p VALUES (7)")
    for bad in (
        "INSERT INTO c VALUES (1)",
        "INSERT INTO p VALUES (1)\n\nINSERT INTO c VALUES (1)\n\nDELETE FROM p",
        "ALTER TABLE p ADD COLUMN x REFERENCES p DEFAULT 3",
        "WITH one AS (SELECT 1) INSERT INTO c SELECT * FROM one",
    ):
        assert "foreign key(s) would be broken" in project.refused_script(bad)


def test_a_foreign_key_to_what_is_not_unique_stops_only_who_made_it_so(project: Project) -> None:
    project.existing(
        "CREATE TABLE p (a, b)\n\nCREATE UNIQUE INDEX u ON p (a)\n\n"
        "CREATE TABLE bad (b REFERENCES p (b))\n\nCREATE TABLE good (a REFERENCES p (a))"
    )
    project.batch(table="good", recreate="'always'")
    said = project.refused_script("DROP INDEX u")
    assert 'foreign key mismatch - "good" referencing "p"' in said
    assert "must be a primary key or unique" in said


@pytest.fixture
def shop(project: Project) -> Project:
    project.existing(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, code UNIQUE)\n\n"
        "CREATE TABLE c (p REFERENCES p)\n\nCREATE TABLE alone (a)\n\n"
        "INSERT INTO p VALUES (1, 'one')\n\nINSERT INTO c VALUES (1)"
    )
    return project


@pytest.mark.parametrize(
    "script",
    [
        "DROP TABLE p",
        "REPLACE INTO p VALUES (2, 'one')",
        "INSERT OR REPLACE INTO p VALUES (2, 'one')",
        "UPDATE p SET id = 3",
        "CREATE TRIGGER tr AFTER INSERT ON alone BEGIN DELETE FROM p; END\n\n"
        "INSERT INTO alone VALUES (1)",
        "CREATE TEMP TRIGGER tr AFTER INSERT ON alone BEGIN DELETE FROM p; END\n\n"
        "INSERT INTO alone VALUES (1)",
        "CREATE VIEW v AS SELECT 1 AS a\n\n"
        "CREATE TRIGGER tr INSTEAD OF DELETE ON v BEGIN DELETE FROM p; END\n\nDELETE FROM v",
        "INSERT INTO alone VALUES (1)\n\n"
        "CREATE TRIGGER tr AFTER INSERT ON alone BEGIN DELETE FROM p; END\n\n"
        "INSERT INTO alone VALUES (2)",
    ],
)
def test_whatever_leaves_a_row_without_its_parent_is_found(shop: Project, script: str) -> None:
    said = shop.refused_script(script)
    assert "1 foreign key(s) would be broken: c (rowid 1) has no row in p" in said


@pytest.mark.parametrize(
    "script", ["DELETE FROM boss", "DELETE FROM Boss", "INSERT INTO Log DEFAULT VALUES"]
)
def test_it_is_found_in_whatever_case_a_table_is_named(project: Project, script: str) -> None:
    project.existing(
        "CREATE TABLE boss (id INTEGER PRIMARY KEY)\n\nCREATE TABLE staff (b REFERENCES BOSS)\n\n"
        "CREATE TABLE log (a)\n\n"
        "CREATE TRIGGER tr AFTER INSERT ON LOG BEGIN DELETE FROM boss; END\n\n"
        "INSERT INTO boss VALUES (1)\n\nINSERT INTO staff VALUES (1)"
    )
    assert "staff (rowid 1) has no row in BOSS" in project.refused_script(script)


def test_it_is_found_when_the_drivers_connection_did_it(shop: Project) -> None:
    delete = "op.get_bind().connection.driver_connection.execute('DELETE FROM p')"
    assert "1 foreign key(s) would be broken" in shop.refused_body(delete)


def test_it_is_found_in_a_script_that_makes_the_table_itself(shop: Project) -> None:
    shop.revision(
        """
        with op.get_context().autocommit_block():
            op.get_bind().connection.driver_connection.executescript(
                "CREATE TABLE d (p REFERENCES p); INSERT INTO d VALUES (5)"
            )
        """
    )
    with pytest.raises(MigrationFailedError, match=r"d \(rowid 1\) has no row in p"):
        shop.upgrade()


def test_the_schema_is_read_once_for_many_rows(shop: Project, executed: list[str]) -> None:
    shop.revision(
        """
        for number in range(50):
            op.execute(f"INSERT INTO alone VALUES ({number})")
        op.execute("CREATE TABLE other (a)")
        for number in range(50):
            op.execute(f"INSERT INTO alone VALUES ({number})")
        """
    )
    shop.upgrade()
    assert shop.sql("SELECT count(*) FROM alone") == [(100,)]
    # Of the table before and behind the CREATE, and of Alembic's.
    assert len([text for text in executed if "pragma_foreign_key_list(:table)" in text]) == 3
