"""An administrator, a fail-over or a time-out ends one of a run's sessions in the middle of it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.sessions import (
    BLOCKER_WATCH,
    RUN_LOCK,
    SLEEPING,
    WAITING,
    end_sessions,
    ending_sessions,
    wait_for_session,
)

from work_data_hub.config import get_settings
from work_data_hub.errors import LockTimeoutError, MigrationFailedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL
    from tests.warm_python import Program

SLEEP = "op.execute('SELECT pg_sleep(0.8)')"


def made(name: str) -> str:
    return f"op.execute('CREATE TABLE {name} (x int)')"


def tables(url: URL) -> set[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    with connect(url) as connection:
        return set(connection.exec_driver_sql(query).scalars())


def scalar(url: URL, query: str) -> Any:
    with connect(url) as connection:
        return connection.exec_driver_sql(query).scalar()


def outcomes(url: URL) -> list[tuple[str, str]]:
    return [(entry.revision[-1], entry.outcome) for entry in migration_runner.journal(url)]


def test_a_run_that_has_lost_its_lock_begins_no_further_revision(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    project = make_history([revision_body(SLEEP), revision_body(made("second"))])
    with (
        ending_sessions(postgresql_url, RUN_LOCK, when=SLEEPING),
        pytest.raises(LockTimeoutError, match="the run lock was lost") as stopped,
    ):
        run_alembic(project, postgresql_url, "upgrade", "head")
    assert "pg_terminate_backend" in stopped.value.hint
    assert migration_runner.current(postgresql_url) == ("20260101_0000",)
    assert "second" not in tables(postgresql_url)
    run_alembic(project, postgresql_url, "upgrade", "head")
    assert outcomes(postgresql_url) == [("0", "done"), ("1", "done")]


def test_the_next_run_may_start_and_no_revision_is_done_twice(
    postgresql_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    start_alembic: Callable[..., Program],
) -> None:
    counter = (
        "op.execute('CREATE TABLE counter (n int)')\nop.execute('INSERT INTO counter VALUES (0)')"
    )
    count = "op.execute('UPDATE counter SET n = n + 1')"
    project = make_history([revision_body(c) for c in (counter, f"{count}\n{SLEEP}", count)])
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    first = start_alembic(project, postgresql_url)
    end_sessions(postgresql_url, RUN_LOCK, when=SLEEPING)
    second = start_alembic(project, postgresql_url)
    ends = [(run.communicate(timeout=60)[1], run.returncode) for run in (first, second)]
    assert "error: the run lock was lost" in ends[0][0]
    assert ends[0][1] == 5
    assert ends[1][1] in (0, 6), ends  # the first may have ended before, or it was in the way
    run_alembic(project, postgresql_url, "upgrade", "head")
    done = [revision for revision, outcome in outcomes(postgresql_url) if outcome == "done"]
    assert done == ["0", "1", "2"]
    assert scalar(postgresql_url, "SELECT n FROM counter") == 2


def test_a_watch_that_is_ended_leaves_the_run_alone_and_says_nothing(
    postgresql_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    start_alembic: Callable[..., Program],
) -> None:
    project = make_history([revision_body(made("t")), revision_body("op.drop_table('t')")])
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    with connect(postgresql_url) as reader:
        reader.exec_driver_sql("SELECT * FROM t")
        run = start_alembic(project, postgresql_url, WDH_LOCK_TIMEOUT="20")
        end_sessions(postgresql_url, BLOCKER_WATCH, when=WAITING)
        time.sleep(0.6)  # of the watch's looks, two more
        assert run.is_running()
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 0, said
    lines = [line for line in said.splitlines() if not line.startswith(("INFO ", "WARNING "))]
    assert lines == [], said
    assert "t" not in tables(postgresql_url)


def test_a_run_that_is_ended_inside_a_revision_has_rolled_it_back(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    cut = f"{made('second')}\n{SLEEP}"
    project = make_history([revision_body(made("first")), revision_body(cut)])
    with (
        ending_sessions(postgresql_url, SLEEPING),
        pytest.raises(MigrationFailedError, match="terminating connection") as failed,
    ):
        run_alembic(project, postgresql_url, "upgrade", "head")
    assert "it was rolled back (done before it: 20260101_0000)" in failed.value.hint
    assert "second" not in tables(postgresql_url)
    assert outcomes(postgresql_url) == [("0", "done"), ("1", "failed")]
    run_alembic(project, postgresql_url, "upgrade", "head")
    assert "second" in tables(postgresql_url)


def test_a_run_that_is_ended_at_its_commit_is_asked_for(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    slow_commit = (
        "CREATE TABLE second (x int);"
        "CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN PERFORM pg_sleep(0.8); RETURN NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER pause AFTER INSERT ON second"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pause();"
        "INSERT INTO second VALUES (1)"
    )
    project = make_history([revision_body("pass"), revision_body(f"op.execute('{slow_commit}')")])
    with (
        ending_sessions(postgresql_url, SLEEPING),
        pytest.raises(MigrationFailedError, match="terminating connection") as failed,
    ):
        run_alembic(project, postgresql_url, "upgrade", "head")
    assert "it was rolled back" in failed.value.hint
    assert migration_runner.current(postgresql_url) == ("20260101_0000",)
    run_alembic(project, postgresql_url, "upgrade", "head")
    assert outcomes(postgresql_url) == [("0", "done"), ("1", "failed"), ("1", "done")]


def test_a_run_that_is_ended_outside_of_a_transaction_leaves_it_to_a_person(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    outside = (
        f"{made('first')}\nwith op.get_context().autocommit_block():\n"
        "    op.execute('INSERT INTO first SELECT 1 FROM pg_sleep(0.8)')"
    )
    project = make_history([revision_body(outside)])
    with (
        ending_sessions(postgresql_url, SLEEPING),
        pytest.raises(MigrationFailedError, match="terminating connection") as failed,
    ):
        run_alembic(project, postgresql_url, "upgrade", "head")
    assert "a part of it is committed" in failed.value.hint
    with pytest.raises(MigrationFailedError) as asked:
        run_alembic(project, postgresql_url, "upgrade", "head")
    assert "committed: CREATE TABLE first (x int); perhaps committed: INSERT" in asked.value.message


@pytest.mark.parametrize("patience", ["20", "0.3"])
def test_a_build_that_goes_on_without_its_client_is_waited_for(
    postgresql_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    start_alembic: Callable[..., Program],
    monkeypatch: pytest.MonkeyPatch,
    patience: str,
) -> None:
    build = (
        "with op.get_context().autocommit_block():\n"
        "    op.execute('CREATE INDEX CONCURRENTLY by_x ON t (x)')"
    )
    project = make_history([revision_body(made("t")), revision_body(build)])
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    monkeypatch.setenv("WDH_LOCK_DEADLINE", patience)
    get_settings.cache_clear()
    with connect(postgresql_url) as writer:
        writer.exec_driver_sql("INSERT INTO t VALUES (1)")
        run = start_alembic(project, postgresql_url)
        wait_for_session(postgresql_url, WAITING)
        run.kill()
        run.communicate(timeout=10)
        if patience == "0.3":
            with pytest.raises(LockTimeoutError, match="still executes a statement") as waited:
                run_alembic(project, postgresql_url, "upgrade", "head")
            assert "pg_terminate_backend" in waited.value.hint
        else:
            threading.Timer(1, writer.rollback).start()
            run_alembic(project, postgresql_url, "upgrade", "head")
            assert scalar(
                postgresql_url,
                "SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 't'::regclass",
            )


def test_what_is_recorded_of_a_failed_attempt_does_not_hold_the_password(
    give_settings: Callable[..., URL], make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    url = give_settings()
    project = make_history([revision_body("raise RuntimeError('nobody lets hunter2 in')")])
    with pytest.raises(Exception, match="nobody lets"):
        run_alembic(project, url, "upgrade", "head")
    (entry,) = migration_runner.journal(url)
    assert entry.outcome == "failed"
    assert entry.detail == "RuntimeError: nobody lets *** in"
