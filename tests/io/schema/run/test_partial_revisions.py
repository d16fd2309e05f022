"""Revisions that cannot be one transaction."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.errors import HistoryError, MigrationFailedError, UsageError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

TABLE = "op.execute('CREATE TABLE orders (id integer, state integer)')"
CONCURRENTLY = (
    "with op.get_context().autocommit_block():\n"
    "    op.execute('CREATE INDEX CONCURRENTLY by_state ON orders (state)')"
)
UNIQUE = CONCURRENTLY.replace("CREATE INDEX", "CREATE UNIQUE INDEX")


def indexes(url: URL) -> dict[str, bool]:
    query = (
        "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE i.indrelid = 'orders'::regclass"
    )
    with connect(url) as connection:
        return {row[0]: row[1] for row in connection.exec_driver_sql(query)}


def marks(url: URL) -> int:
    with connect(url) as connection:
        query = "SELECT count(*) FROM work_data_hub_in_progress"
        return int(connection.exec_driver_sql(query).scalar_one())


def execute(url: URL, statement: str) -> None:
    with connect(url) as connection, connection.begin():
        connection.exec_driver_sql(statement)


def test_an_index_is_built_concurrently_and_leaves_no_mark(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    project = make_history([revision_body(TABLE), revision_body(CONCURRENTLY)])
    run_alembic(project, postgresql_url, "upgrade", "head")
    assert indexes(postgresql_url) == {"by_state": True}
    assert marks(postgresql_url) == 0
    assert [e.outcome for e in migration_runner.journal(postgresql_url)] == ["done", "done"]


def test_an_invalid_index_is_found_dropped_and_built_again_on_the_next_run(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, caplog: Any
) -> None:
    project = make_history([revision_body(TABLE), revision_body(UNIQUE)])
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    execute(postgresql_url, "INSERT INTO orders VALUES (1, 1), (2, 1)")
    with pytest.raises(MigrationFailedError, match="could not create unique index") as failed:
        run_alembic(project, postgresql_url, "upgrade", "head")
    assert "a part of it is committed" in failed.value.hint
    assert indexes(postgresql_url) == {"by_state": False}
    assert marks(postgresql_url) == 1
    execute(postgresql_url, "DELETE FROM orders WHERE id = 2")
    run_alembic(project, postgresql_url, "upgrade", "head")
    assert indexes(postgresql_url) == {"by_state": True}
    assert marks(postgresql_url) == 0
    assert "was interrupted; what it left INVALID was dropped" in caplog.text


def test_if_not_exists_does_not_succeed_on_an_invalid_index(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    project = make_history(
        [revision_body(TABLE), revision_body(CONCURRENTLY.replace("by_st", "IF NOT EXISTS by_st"))]
    )
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    execute(postgresql_url, "INSERT INTO orders VALUES (1, 1), (2, 1)")
    with connect(postgresql_url) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        with pytest.raises(sa.exc.IntegrityError):
            connection.exec_driver_sql(
                "CREATE UNIQUE INDEX CONCURRENTLY by_state ON orders (state)"
            )
    assert indexes(postgresql_url) == {"by_state": False}
    run_alembic(project, postgresql_url, "upgrade", "head")
    assert indexes(postgresql_url) == {"by_state": True}


def test_an_index_that_somebody_else_made_is_never_dropped(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    project = make_history([revision_body(TABLE), revision_body(CONCURRENTLY)])
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    execute(postgresql_url, "CREATE INDEX by_state ON orders (id)")
    for _ in range(2):
        with pytest.raises(MigrationFailedError, match="already exists"):
            run_alembic(project, postgresql_url, "upgrade", "head")
    with connect(postgresql_url) as connection:
        query = "SELECT indexdef FROM pg_indexes WHERE indexname = 'by_state'"
        assert "(id)" in connection.exec_driver_sql(query).scalar_one()


HALF = (
    "op.execute('CREATE TABLE first (id integer)')\n"
    "with op.get_context().autocommit_block():\n"
    "    op.execute('CREATE TABLE second (id integer)')\n"
    "    op.execute('CREATE TABLE second (id integer)')\n"
    "op.execute('CREATE TABLE third (id integer)')"
)


def test_a_half_applied_revision_is_named_precisely_and_resolved_by_a_person(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    project = make_history([revision_body("pass"), revision_body(HALF)])
    with pytest.raises(MigrationFailedError, match="already exists"):
        run_alembic(project, database_url, "upgrade", "head")
    for verb, arguments in (("upgrade", ("head",)), ("downgrade", ("base",))):
        with pytest.raises(MigrationFailedError) as interrupted:
            run_alembic(project, database_url, verb, *arguments)
        message = interrupted.value.message
        assert "upgrade 20260101_0001 was interrupted" in message
        assert "committed: CREATE TABLE first (id integer); CREATE TABLE second" in message
        assert "perhaps" not in message  # the database said that it failed
        assert "not committed: everything after that" in message
        assert "resolved=20260101_0001" in interrupted.value.hint
    with pytest.raises(MigrationFailedError):
        run_alembic(project, database_url, "upgrade", "head", resolved="20260101_0000")
    edited = project / "io/schema/migrations/versions/20260101_0000_step_0.py"
    as_it_was = edited.read_text(encoding="utf-8")
    edited.write_text(as_it_was.replace("    pass", "    print(1)", 1), encoding="utf-8")
    with pytest.raises(HistoryError):  # a run that is refused keeps the mark
        run_alembic(project, database_url, "upgrade", "head", resolved="20260101_0001")
    edited.write_text(as_it_was, encoding="utf-8")
    assert marks(database_url) == 1
    run_alembic(project, database_url, "stamp", "20260101_0001", resolved="20260101_0001")
    run_alembic(project, database_url, "upgrade", "head")
    assert migration_runner.current(database_url) == ("20260101_0001",)
    with pytest.raises(UsageError, match="was not interrupted"):
        run_alembic(project, database_url, "upgrade", "head", resolved="20260101_0001")


def test_a_killed_index_build_is_named_and_built_again(
    postgresql_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    start_alembic: Any,
) -> None:
    project: Path = make_history([revision_body(TABLE), revision_body(CONCURRENTLY)])
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    with connect(postgresql_url) as blocker:
        # An older transaction that wrote to the table: the build waits for it.
        blocker.exec_driver_sql("INSERT INTO orders VALUES (1, 1)")
        victim = start_alembic(project, postgresql_url)
        deadline = time.monotonic() + 30
        while "by_state" not in indexes(postgresql_url) and time.monotonic() < deadline:
            time.sleep(0.05)
        victim.kill()
        victim.communicate(timeout=10)
        assert indexes(postgresql_url) == {"by_state": False}
        blocker.rollback()
    run_alembic(project, postgresql_url, "upgrade", "head")
    assert indexes(postgresql_url) == {"by_state": True}
    assert marks(postgresql_url) == 0


def test_an_autocommit_block_works_on_sqlite(
    sqlite_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    vacuum = "with op.get_context().autocommit_block():\n    op.execute('VACUUM')"
    failing = "op.execute('CREATE TABLE half (id integer)')\nop.execute('SELECT * FROM missing')"
    project = make_history([revision_body(vacuum), revision_body(failing)])
    with pytest.raises(MigrationFailedError, match="missing"):
        run_alembic(project, sqlite_url, "upgrade", "head")
    with connect(sqlite_url) as connection:
        assert not sa.inspect(connection).has_table("half")
    assert marks(sqlite_url) == 0


@pytest.mark.parametrize(
    "ending",
    [
        "op.get_bind().commit()",
        "op.get_bind().rollback()",
        "op.execute('COMMIT')",
        "op.execute(' rollback')",
    ],
)
def test_a_revision_that_ends_its_own_transaction_is_refused_and_rolled_back(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, ending: str
) -> None:
    code = f"op.execute('CREATE TABLE half (id integer)')\n{ending}\nop.execute('SELECT 1')"
    project = make_history([revision_body("pass"), revision_body(code)])
    with pytest.raises(MigrationFailedError, match="its own transaction"):
        run_alembic(project, database_url, "upgrade", "head")
    assert migration_runner.current(database_url) == ("20260101_0000",)
    with connect(database_url) as connection:
        assert not sa.inspect(connection).has_table("half")


@pytest.mark.parametrize("set_back", ["", "\nraw.autocommit = False"])
def test_a_driver_that_would_commit_each_statement_by_itself_is_refused_before_one_runs(
    set_back: str, postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    code = (
        "raw = op.get_bind().connection.driver_connection\nraw.autocommit = True\n"
        f"raw.execute('CREATE TABLE half (id integer)'){set_back}\nraise RuntimeError('half way')"
    )
    project = make_history([revision_body(code)])
    with pytest.raises(MigrationFailedError, match="ended its transaction") as refused:
        run_alembic(project, postgresql_url, "upgrade", "head")
    assert "it was rolled back" in refused.value.hint
    with connect(postgresql_url) as connection:
        assert not sa.inspect(connection).has_table("half")


@pytest.mark.parametrize("before", ["", "/* x */ ", "SELECT 1; "])
@pytest.mark.parametrize(
    "ending",
    [
        *("ABORT", "BEGIN", "begin immediate", "COMMIT", "commit and chain", "COMMIT PREPARED 1"),
        *("END", "end transaction", "PREPARE TRANSACTION 1", "ROLLBACK", "rollback work"),
        *("START TRANSACTION", "start transaction read only"),
    ],
)
def test_every_word_that_begins_or_ends_a_transaction_is_refused(
    sqlite_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    ending: str,
    before: str,
) -> None:
    code = f"op.execute('CREATE TABLE half (id integer)')\nop.execute('{before}{ending}')"
    with pytest.raises(MigrationFailedError, match="ends its own transaction"):
        run_alembic(make_history([revision_body(code)]), sqlite_url, "upgrade", "head")
    with connect(sqlite_url) as connection:
        assert not sa.inspect(connection).has_table("half")


def test_savepoints_are_a_revisions_own(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    code = (
        "with op.get_bind().begin_nested():\n    op.execute('CREATE TABLE kept (id integer)')\n"
        "op.execute('SAVEPOINT s')\nop.execute('CREATE TABLE dropped (id integer)')\n"
        "op.execute('ROLLBACK TO SAVEPOINT s')"
    )
    run_alembic(make_history([revision_body(code)]), database_url, "upgrade", "head")
    with connect(database_url) as connection:
        assert sa.inspect(connection).has_table("kept")
        assert not sa.inspect(connection).has_table("dropped")
