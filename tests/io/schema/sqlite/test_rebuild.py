"""What stands around every revision on SQLite."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.migration import MigrationContext
from alembic.operations import Operations

from work_data_hub.errors import MigrationFailedError, RefusedError
from work_data_hub.io.schema.engine import connect, foreign_keys_off
from work_data_hub.io.schema.run.transaction_watch import TransactionWatch
from work_data_hub.io.schema.sqlite.rebuild import RebuildGuard

if TYPE_CHECKING:
    from sqlalchemy.engine import URL
    from tests.io.schema.sqlite.conftest import Project


pytestmark = pytest.mark.integration


def test_a_revision_that_makes_again_what_plain_alembic_loses_still_runs(family: Project) -> None:
    family.revision(
        """
        with op.batch_alter_table("parent") as batch_op:
            batch_op.alter_column("name", type_=sa.String(50))
        op.execute("CREATE INDEX by_lower_name ON parent (lower(name), id)")
        op.execute("CREATE TRIGGER note_new AFTER INSERT ON parent BEGIN SELECT 'new'; END")
        """
    )
    family.upgrade()
    assert "(lower(name), id)" in family.schema("by_lower_name")
    assert "SELECT 'new'" in family.schema("note_new")


def test_what_did_not_work_before_is_not_the_fault_of_the_revision(family: Project) -> None:
    family.sql("CREATE VIEW broken AS SELECT * FROM nowhere")
    family.sql("CREATE TRIGGER lame AFTER DELETE ON log BEGIN SELECT OLD.missing; END")
    family.batch("alter_column('name', type_=sa.String(50))")
    assert "name VARCHAR(50)" in family.schema("parent")
    assert family.schema("broken")
    assert family.schema("lame")


def test_a_rebuild_that_fails_leaves_nothing_behind(family: Project) -> None:
    said = family.refused("alter_column('boss', nullable=False)")
    assert "NOT NULL constraint failed" in said
    assert not [name for name in family.names() if "tmp" in name]
    family.assert_family_works()


def test_the_table_of_an_earlier_accident_is_named_with_what_to_do(family: Project) -> None:
    family.sql("CREATE TABLE _alembic_tmp_parent (id INTEGER)")
    said = family.refused("alter_column('name', type_=sa.String(50))")
    assert "_alembic_tmp_parent is in the way" in said
    assert 'DROP TABLE "_alembic_tmp_parent"' in said
    family.sql("DROP TABLE _alembic_tmp_parent")


def test_an_error_that_is_caught_does_not_commit_half_a_rebuild(project: Project) -> None:
    project.existing("CREATE TABLE t (a INT)")
    project.revision(
        """
        with op.batch_alter_table("t", recreate="always") as batch_op:
            pass
        op.execute("CREATE TABLE _alembic_tmp_t (a)")
        """
    )
    with pytest.raises(MigrationFailedError, match="leave the table _alembic_tmp_t behind"):
        project.upgrade()


def test_a_rebuild_by_hand_is_compared_behind_a_batch_whose_error_was_caught(
    project: Project,
) -> None:
    project.existing("CREATE TABLE t (a TEXT COLLATE NOCASE)\n\nINSERT INTO t VALUES (NULL)")
    said = project.refused_body(
        """
        try:
            with op.batch_alter_table("t") as batch_op:
                batch_op.alter_column("a", nullable=False)
        except sa.exc.IntegrityError:
            op.execute("CREATE TABLE n (a TEXT NOT NULL)")
            op.execute("INSERT INTO n SELECT coalesce(a, '') FROM t")
            op.execute("DROP TABLE t")
            op.execute("ALTER TABLE n RENAME TO t")
        """
    )
    assert "this would be lost: COLLATE NOCASE on column a of t" in said


@pytest.mark.parametrize(
    ("statement", "lost"),
    [
        ("CREATE TABLE t (a)", "this would be lost: PRIMARY KEY of t"),
        ("CREATE TABLE t (a PRIMARY KEY, b REFERENCES p DEFAULT 5)", "foreign key(s) would be"),
    ],
)
def test_what_would_be_lost_is_found_before_a_revision_commits_a_part_of_itself(
    project: Project, statement: str, lost: str
) -> None:
    project.existing(
        "CREATE TABLE p (id INTEGER PRIMARY KEY)\n\nCREATE TABLE t (a PRIMARY KEY)\n\n"
        "INSERT INTO t VALUES (1)"
    )
    said = project.refused_body(
        f"""
        op.execute("CREATE TEMP TABLE backup AS SELECT * FROM t")
        op.execute("DROP TABLE t")
        op.execute({statement!r})
        op.execute("INSERT INTO t (a) SELECT * FROM backup")
        with op.get_context().autocommit_block():
            op.execute("VACUUM")
        """
    )
    assert lost in said
    assert "it was rolled back" in said


def test_the_modes_of_the_connection_are_put_back(family: Project) -> None:
    family.revision(
        """
        with op.batch_alter_table("parent") as batch_op:
            batch_op.alter_column("name", type_=sa.String(50))
        found = op.get_bind().exec_driver_sql("PRAGMA legacy_alter_table").scalar()
        op.get_bind().exec_driver_sql(f"INSERT INTO log VALUES ('legacy {found}')")
        """
    )
    family.upgrade()
    assert family.sql("SELECT text FROM log WHERE text LIKE 'legacy%'") == [("legacy 0",)]


def test_a_table_of_the_database_itself_may_be_named_with_its_schema(family: Project) -> None:
    family.batch("alter_column('name', type_=sa.String(50))", schema="'main'")
    assert "name VARCHAR(50)" in family.schema("parent")
    family.assert_family_works()


def test_a_table_of_an_attached_database_is_refused(project: Project) -> None:
    other = project.file.with_name("other.db")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE t (a)")
    project.revision(
        "with op.batch_alter_table('t', schema='other', recreate='always') as batch_op:\n    pass"
    )
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(project.file)))
    with engine.connect() as connection:
        connection.exec_driver_sql("ATTACH ? AS other", (str(other),))
        connection.rollback()
        config = project.config()
        config.attributes["connection"] = connection
        with pytest.raises(MigrationFailedError, match=r"other\.t is in an attached database"):
            command.upgrade(config, "head")
    engine.dispose()


def test_outside_an_env_py_rebuilds_are_known_by_their_statements(sqlite_url: URL) -> None:
    with connect(sqlite_url) as connection, foreign_keys_off(connection):
        operations = Operations(MigrationContext.configure(connection))
        watch = TransactionWatch(connection)
        with watch.listening(), RebuildGuard(connection, watch.unheard) as guard:
            with connection.begin():
                operations.execute("CREATE TABLE t (a TEXT, b TEXT COLLATE NOCASE)")
                operations.execute("CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END")
            connection.begin()
            guard.begin_revision()
            watch.begin(guard)
            with operations.batch_alter_table("t") as batch_op:
                batch_op.alter_column("a", nullable=False)
            with (
                watch.unheard(),
                pytest.raises(RefusedError, match="COLLATE NOCASE on column b of t"),
            ):
                guard.end_revision()
            watch.end()
            assert sa.inspect(connection).has_table("t")
            connection.rollback()
