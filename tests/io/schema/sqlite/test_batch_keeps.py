"""A batch operation on SQLite keeps what it was not asked to change."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.domain.sqlite.ddl import parse, render

if TYPE_CHECKING:
    from tests.io.schema.sqlite.conftest import Project


pytestmark = pytest.mark.integration


ANY_CHANGE = pytest.mark.parametrize(
    "operation",
    [
        "alter_column('name', type_=sa.String(50))",
        "alter_column('name', existing_type=sa.Text(), nullable=True)",
        "alter_column('amount', server_default='1')",
        "alter_column('code', existing_type=sa.String(20), type_=sa.String(30))",
        "alter_column('boss', new_column_name='chief')",
        "add_column(sa.Column('more', sa.Integer(), nullable=False, server_default='1'))",
        "add_column(sa.Column('first', sa.Integer()), insert_before='id')",
        "create_unique_constraint('u', ['name', 'id'])",
        "create_check_constraint('c', 'id > 0')",
        "create_index('i', ['name'])",
    ],
)


@ANY_CHANGE
def test_a_batch_loses_nothing_of_a_table_that_has_everything(
    family: Project, operation: str
) -> None:
    before = family.objects()
    family.batch(operation, recreate="'always'")
    assert before.items() <= family.objects().items()
    if "chief" in operation:
        family.sql("ALTER TABLE parent RENAME COLUMN chief TO boss")
    family.assert_family_works()


@ANY_CHANGE
def test_what_was_changed_is_changed(family: Project, operation: str) -> None:
    family.batch(operation, recreate="'always'")
    expected = {
        "sa.String(50)": "name VARCHAR(50) NOT NULL DEFAULT 'nobody'",
        "nullable=True": "name TEXT DEFAULT 'nobody'",
        "server_default='1')": "DEFAULT '1'",
        "sa.String(30)": "code VARCHAR(30) COLLATE NOCASE UNIQUE",
        "chief": "chief INTEGER REFERENCES parent(id) ON DELETE SET NULL",
        "'more'": "more INTEGER DEFAULT '1' NOT NULL",
        "'first'": "( first INTEGER, id INTEGER PRIMARY KEY AUTOINCREMENT",
        "create_unique": "CONSTRAINT u UNIQUE (name, id)",
        "create_check": "CONSTRAINT c CHECK (id > 0)",
    }
    for key, text in expected.items():
        if key in operation:
            assert text in family.schema("parent")
    assert "i" in family.names() or "create_index" not in operation


def test_a_table_may_be_rebuilt_twice_in_one_revision(family: Project) -> None:
    family.revision(
        """
        for size in (50, 60):
            with op.batch_alter_table("parent") as batch_op:
                batch_op.alter_column("name", type_=sa.String(size))
        """
    )
    family.upgrade()
    assert "name VARCHAR(60)" in family.schema("parent")
    family.assert_family_works()


def test_a_downgrade_keeps_everything_too(family: Project) -> None:
    rebuild = "with op.batch_alter_table('parent') as b: b.alter_column('name', type_=sa.{}())"
    family.revision(rebuild.format("String"), downgrade=rebuild.format("Text"))
    family.upgrade()
    family.downgrade()
    assert "name TEXT NOT NULL" in family.schema("parent")
    family.assert_family_works()


@pytest.mark.parametrize("name", ["two words", "UPPER", "größe", 'quo"te', "select", "x'y", "100%"])
def test_any_name_will_do(project: Project, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    project.existing(
        f"CREATE TABLE {quoted} (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        f" {quoted} TEXT COLLATE NOCASE, CHECK ({quoted} <> ''))\n\n"
        f"CREATE TABLE child (id INTEGER, p REFERENCES {quoted} ON DELETE CASCADE)\n\n"
        f"CREATE INDEX i ON {quoted} (upper({quoted}))\n\n"
        f"CREATE TRIGGER t AFTER INSERT ON {quoted} BEGIN INSERT INTO child VALUES (0, NEW.id);"
        f" END\n\nCREATE VIEW v AS SELECT {quoted}.{quoted} FROM {quoted}\n\n"
        f"INSERT INTO {quoted} VALUES (5, 'Text')"
    )
    kept = {object_name: project.schema(object_name) for object_name in ("i", "t", "v", "child")}
    project.batch(f"alter_column({name!r}, type_=sa.String(9))", table=name)
    assert {object_name: project.schema(object_name) for object_name in kept} == kept
    assert project.sql("SELECT * FROM v") == [("Text",)]
    assert project.sql(f"SELECT id FROM {quoted} WHERE {quoted} = 'TEXT'") == [(5,)]
    project.batch(f"alter_column({name!r}, new_column_name='new name')", table=name)
    assert "new name" in project.schema("i")
    assert project.sql("SELECT * FROM v") == [("Text",)]
    project.sql(f"DELETE FROM {quoted}")
    assert project.sql("SELECT * FROM child") == []
    with pytest.raises(sqlite3.IntegrityError):
        project.sql(f"INSERT INTO {quoted} VALUES (6, '')")


COLUMNS = [
    "x",
    "x BLOB",
    "x INT DEFAULT NULL",
    "x INTEGER DEFAULT -1",
    "x DEFAULT (abs(-3))",
    "x TEXT DEFAULT 'a,b)'",
    "x TIMESTAMP DEFAULT CURRENT_TIMESTAMP",
    "x VARCHAR(20) UNIQUE",
    "x DECIMAL(10, 2) UNIQUE ON CONFLICT REPLACE",
    "x TEXT CONSTRAINT filled NOT NULL ON CONFLICT IGNORE DEFAULT 'y'",
    "x MYTYPE COLLATE RTRIM",
    "x TEXT CHECK (x NOT IN (')', 'CHECK', '--'))",
    "x TEXT CONSTRAINT named CHECK (\n  length(x) > 0\n  AND x <> 'COLLATE')",
    "x INT CHECK (x > 0) CHECK (x < 9) COLLATE NOCASE",
    "x INTEGER REFERENCES other",
    "x INTEGER CONSTRAINT fk REFERENCES other (a) ON DELETE SET DEFAULT ON UPDATE CASCADE",
    "x REFERENCES {table} ON DELETE SET NULL NOT DEFERRABLE",
    "x INT AS (id + 1)",
    "x INT GENERATED ALWAYS AS (id * (2)) STORED UNIQUE",
    "x TEXT, y AS (x || ', ' || id) VIRTUAL, z TEXT DEFAULT (1)",
    'x "odd type" NULL',
    "x UNSIGNED BIG INT, CONSTRAINT u UNIQUE (x, id) CHECK (x) CHECK (id)",
    "x INT, y INT, FOREIGN KEY (x, y) REFERENCES pair (a, b) ON DELETE CASCADE,"
    " FOREIGN KEY (y, x) REFERENCES pair",
    "x INT, y INT, UNIQUE (x, y), UNIQUE (y, x), CHECK (x < y), CHECK (y > x)",
]


def is_a_table(statement: str) -> bool:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError:
            return False
    return True


def tables_of_every_column(key: str, options: str) -> dict[str, str]:
    """Return, by its name, a table for each of the columns that SQLite allows in such a table."""
    names = {f"t{number}": column for number, column in enumerate(COLUMNS)}
    tables = {
        name: f"CREATE TABLE {name} (id INTEGER {key} NOT NULL, {column}) {options}".rstrip()
        for name, column in names.items()
    }
    tables = {name: statement.format(table=name) for name, statement in tables.items()}
    return {name: statement for name, statement in tables.items() if is_a_table(statement)}


KINDS = list(
    itertools.product(
        ["PRIMARY KEY", "PRIMARY KEY AUTOINCREMENT", "PRIMARY KEY DESC ON CONFLICT ROLLBACK"],
        ["", "WITHOUT ROWID", "STRICT", "STRICT, WITHOUT ROWID"],
    )
)


@pytest.mark.parametrize(("key", "options"), [k for k in KINDS if tables_of_every_column(*k)])
def test_what_no_operation_names_stays_word_for_word(
    project: Project, key: str, options: str
) -> None:
    tables = tables_of_every_column(key, options)

    def read() -> dict[str, tuple[str, Any]]:
        statements = project.sql("SELECT name, sql FROM sqlite_master WHERE name GLOB 't[0-9]*'")
        return {
            name: (render(parse(sql)), project.sql(f"SELECT * FROM {name}"))
            for name, sql in statements
        }

    def batches(operation: str, arguments: str = "") -> None:
        project.revision(
            "\n".join(
                f"with op.batch_alter_table({name!r}{arguments}) as b:\n    {operation}"
                for name in tables
            )
        )
        project.upgrade()

    project.existing(
        "CREATE TABLE other (a INTEGER PRIMARY KEY, UNIQUE (a))\n\n"
        "CREATE TABLE pair (a, b, PRIMARY KEY (a, b))"
    )
    project.existing("\n\n".join(tables.values()))
    for name in tables:
        project.sql(f"INSERT INTO {name} (id) VALUES (3)")
    before = read()
    assert before.keys() == tables.keys()
    batches("pass", ", recreate='always'")
    assert read() == before
    batches("b.add_column(sa.Column('w', sa.Integer()))", ", recreate='always'")
    batches("b.drop_column('w')")
    assert read() == before


def test_a_renamed_column_is_renamed_wherever_it_is_named(family: Project) -> None:
    family.existing("DROP TRIGGER new_rich")
    family.batch(
        "alter_column('name', new_column_name='title')",
        "alter_column('amount', new_column_name='Amount', type_=sa.Integer())",
        "create_index('by_title', ['name'])",
        "create_check_constraint('c', 'title <> code')",
    )
    assert "lower(title)" in family.schema("by_lower_name")
    assert "NEW.title" in family.schema("note_new")
    assert "SELECT code, title FROM parent" in family.schema("rich")
    assert "UPDATE OF Amount" in family.schema("note_amount")
    assert "CONSTRAINT c CHECK (title <> code)" in family.schema("parent")
    assert "title" in family.schema("by_title")
    assert family.sql("SELECT title FROM rich") == [("Anna",)]


def test_a_renamed_key_takes_the_foreign_keys_to_it_along(family: Project) -> None:
    family.batch("alter_column('id', new_column_name='number')")
    assert "REFERENCES parent(number) ON DELETE CASCADE" in family.schema("child")
    assert "REFERENCES parent(number) ON DELETE SET NULL" in family.schema("parent")
    assert family.sql("PRAGMA foreign_key_check") == []
    family.batch("alter_column('number', new_column_name='id')")
    family.assert_family_works()


def test_two_columns_may_exchange_their_names(project: Project) -> None:
    project.existing(
        "CREATE TABLE t (a INT CHECK (a < 5), b TEXT COLLATE NOCASE)\n\n"
        "CREATE VIEW v AS SELECT a AS first, b AS second FROM t\n\n"
        "INSERT INTO t VALUES (1, 'x')"
    )
    project.batch(
        "alter_column('a', new_column_name='b')",
        "alter_column('b', new_column_name='a')",
        table="t",
    )
    assert project.sql("SELECT b, a FROM t") == [(1, "x")]
    assert project.sql("SELECT first, second FROM v") == [(1, "x")]
    assert "b INT CHECK (b < 5)" in project.schema("t")


def test_copy_from_need_not_know_what_reflection_misses(family: Project) -> None:
    before = family.objects()
    known = (
        "sa.Table('parent', sa.MetaData(), sa.Column('id', sa.Integer(), primary_key=True),"
        " sa.Column('code', sa.String(20)), sa.Column('name', sa.Text(), nullable=False),"
        " sa.Column('amount', sa.Integer()), sa.Column('boss', sa.Integer()))"
    )
    family.batch("alter_column('name', type_=sa.String(50))", copy_from=known)
    assert before.items() <= family.objects().items()
    assert "name VARCHAR(50)" in family.schema("parent")
    family.assert_family_works()


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TABLE t (a INT, b INT, CHECK (a <> 1))",
        "CREATE TABLE t (a INT, b INT)\n\nCREATE INDEX i ON t (a + 1)",
        "CREATE TABLE t (a INT, b INT)\n\nCREATE INDEX i ON t (a) WHERE/**/a > 1",
        "CREATE TABLE t (a INT, b INT /* , FOREIGN KEY (b) REFERENCES p (id) */)",
    ],
    ids=["unnamed CHECK", "expression", "condition", "words like a foreign key"],
)
def test_nothing_is_said_of_what_reflection_misses_and_the_batch_keeps(
    project: Project, made: str
) -> None:
    """Warnings are errors here: SQLAlchemy's and Alembic's would end the revision."""
    project.existing(made)
    before = project.sql("SELECT sql FROM sqlite_master WHERE tbl_name = 't' AND type = 'index'")
    project.batch("alter_column('b', type_=sa.Text())", table="t")
    kept = project.sql("SELECT sql FROM sqlite_master WHERE tbl_name = 't' AND type = 'index'")
    assert kept == before
    assert "b TEXT" in project.schema("t")
