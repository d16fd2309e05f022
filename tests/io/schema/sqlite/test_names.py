"""SQLite's names have no case in ASCII, and every case beyond it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.io.schema.sqlite.conftest import Project


pytestmark = pytest.mark.integration

ANY_CASE = pytest.mark.parametrize("table", ["parent", "PARENT", "Parent"])
PARENT = (
    "CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,"
    " boss REFERENCES Parent (ID), CHECK (Name <> ''))"
)


@pytest.fixture
def related(project: Project) -> Project:
    project.existing(
        f"{PARENT}\n\nCREATE TABLE child (p REFERENCES Parent)\n\n"
        "CREATE INDEX by_name ON PARENT (lower(NAME))\n\nCREATE TABLE log (name)\n\n"
        "CREATE TRIGGER note AFTER INSERT ON PaReNt BEGIN INSERT INTO log VALUES (NEW.Name);"
        " END\n\n"
        "CREATE VIEW names AS SELECT NAME FROM pARENT\n\n"
        "INSERT INTO parent (name) VALUES ('a'), ('b')\n\nINSERT INTO child VALUES (1), (2)\n\n"
        "INSERT INTO parent (id, name) VALUES (9, 'i')\n\nDELETE FROM parent WHERE id = 9"
    )
    return project


@ANY_CASE
def test_a_batch_finds_a_table_and_what_is_around_it_in_any_case(
    related: Project, table: str
) -> None:
    before = related.objects()
    related.batch("alter_column('name', type_=sa.String(50))", table=table)
    assert related.objects() == before
    assert related.schema("parent") == (
        "CREATE TABLE parent ( id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(50) NOT NULL,"
        " boss REFERENCES Parent (ID), CHECK (Name <> '') )"
    )
    related.sql("INSERT INTO parent (name) VALUES ('c')")
    assert related.sql("SELECT max(id) FROM parent") == [(10,)]


@ANY_CASE
def test_rows_of_children_are_counted_in_any_case(related: Project, table: str) -> None:
    said = related.refused_script(
        f"{PARENT.replace(' parent', ' new')}\n\nINSERT INTO new SELECT * FROM {table}\n\n"
        f"DROP TABLE {table}\n\nDELETE FROM child\n\nALTER TABLE new RENAME TO {table}"
    )
    assert "this would be lost: 2 of 2 rows of child" in said


@ANY_CASE
def test_a_rebuild_by_hand_finds_what_is_around_the_table_in_any_case(
    related: Project, table: str
) -> None:
    before = related.objects()
    rebuild = (
        f"{PARENT.replace(' parent', ' NEW')}\n\nINSERT INTO new SELECT * FROM {table}\n\n"
        f"DROP TABLE {table}\n\nALTER TABLE NEW RENAME TO {table}"
    )
    related.existing(rebuild)
    assert related.objects() == before
    related.sql("INSERT INTO parent (name) VALUES ('c')")
    assert related.sql("SELECT id, name FROM parent WHERE id > 2") == [(10, "c")]
    related.sql("DROP VIEW names")
    said = related.refused_script(rebuild.replace("Name <> ''", "1"))
    assert f"this would be lost: CHECK (Name <> '') of {table}" in said


@ANY_CASE
def test_a_table_that_is_renamed_away_is_missed_by_its_children_in_any_case(
    related: Project, table: str
) -> None:
    said = related.refused_script(
        f"ALTER TABLE {table} RENAME TO old\n\n{PARENT}\n\n"
        "INSERT INTO parent SELECT * FROM OLD\n\nDROP TABLE Old"
    )
    assert "the foreign key of child to parent" in said


def test_names_that_differ_beyond_ascii_are_two(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (É TEXT COLLATE NOCASE CHECK (É <> 'x'), é INT NOT NULL DEFAULT 5)\n\n"
        "CREATE INDEX i ON t (É, é)\n\nINSERT INTO t VALUES ('a', 1)"
    )
    before = project.objects()
    project.batch("alter_column('é', type_=sa.BigInteger())", table="t")
    assert project.schema("t") == (
        "CREATE TABLE t ( É TEXT COLLATE NOCASE CHECK (É <> 'x'), é BIGINT NOT NULL DEFAULT 5 )"
    )
    assert project.objects() == before
    assert project.sql("SELECT * FROM t") == [("a", 1)]
    project.existing("DROP INDEX i")
    project.batch("drop_column('é')", table="t", recreate="'always'")
    assert project.schema("t") == "CREATE TABLE t ( É TEXT COLLATE NOCASE CHECK (É <> 'x') )"
    rebuild = (
        "CREATE TABLE n (é TEXT)\n\nINSERT INTO n SELECT É FROM t\n\nDROP TABLE t\n\n"
        "ALTER TABLE n RENAME TO t"
    )
    project.existing(rebuild)
    assert project.schema("t") == "CREATE TABLE t (é TEXT)"
