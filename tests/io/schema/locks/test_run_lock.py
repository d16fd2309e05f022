"""One run at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from tests.own_history import IDS
from tests.sessions import RUN_LOCK, end_sessions

from work_data_hub.config import get_settings
from work_data_hub.errors import (
    DatabaseUnavailableError,
    LockTimeoutError,
    MigrationFailedError,
)
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect, create_engine
from work_data_hub.io.schema.locks.advisory_lock import AdvisoryLock
from work_data_hub.io.schema.locks.file_lock import FileLock
from work_data_hub.io.schema.locks.run_lock import run_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy.engine import URL
    from tests.warm_python import Program

ROUNDS, PROCESSES = 10, 8
HISTORY = "public.alembic_version"
# Eight processes take turns on what the machine has; each only proves that it gets its turn.
PATIENCE = {"WDH_RUN_LOCK_WAIT": "120"}


@pytest.fixture
def slow_project(make_history: Callable[..., Path], revision_body: Any) -> Path:
    """A history whose revisions take long enough for others to come in between."""
    bodies = [
        revision_body(
            f"import time\nop.create_table('t{n}', sa.Column('id', sa.Integer, primary_key=True))\n"
            "time.sleep(0.02)"
        )
        for n in range(3)
    ]
    return make_history(bodies)


def test_a_race_of_plain_commands_applies_each_revision_exactly_once(
    request: pytest.FixtureRequest,
    slow_project: Path,
    start_alembic: Callable[..., Program],
    tmp_path: Path,
    race_engine: str,
) -> None:
    for number in range(ROUNDS):
        if race_engine == "sqlite":
            url = request.getfixturevalue("sqlite_url").set(database=str(tmp_path / f"{number}.db"))
        else:
            url = request.getfixturevalue("make_postgresql_url")()
        racers = [start_alembic(slow_project, url, **PATIENCE) for _ in range(PROCESSES)]
        ends = [(racer.communicate(timeout=180)[1], racer.returncode) for racer in racers]
        assert [code for _, code in ends] == [0] * PROCESSES, ends
        entries = migration_runner.journal(url)
        applied = Counter(entry.revision for entry in entries if entry.direction == "upgrade")
        assert applied == {f"20260101_{step:04}": 1 for step in range(3)}
        assert {entry.outcome for entry in entries} == {"done"}


@pytest.fixture(params=["sqlite", "postgresql"])
def race_engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_two_threads_take_turns(database_url: URL) -> None:
    ends: list[Any] = []

    def work() -> None:
        try:
            ends.append(len(migration_runner.upgrade(database_url).steps))
        except Exception as error:
            ends.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ends, key=str) == [0, len(IDS)]


def test_waiting_ends_and_names_the_holder(
    database_url: URL, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WDH_RUN_LOCK_WAIT", "0.8")
    get_settings.cache_clear()
    holder = create_engine(database_url)
    with run_lock(holder, HISTORY, 0, print):
        started = time.monotonic()
        with pytest.raises(LockTimeoutError) as timeout:
            migration_runner.upgrade(database_url)
        assert 0.7 < time.monotonic() - started < 10
    assert timeout.value.exit_code == 5
    assert f"process {os.getpid()}" in timeout.value.message
    assert "WDH_RUN_LOCK_WAIT" in timeout.value.hint
    assert any("waiting for another run to end" in record.message for record in caplog.records)
    assert migration_runner.upgrade(database_url).steps


def test_a_holder_in_another_database_of_the_server_is_not_named(
    make_postgresql_url: Callable[[], URL],
) -> None:
    here, elsewhere = make_postgresql_url(), make_postgresql_url()
    holder, waiter = (AdvisoryLock(create_engine(here), HISTORY) for _ in range(2))
    try:
        with run_lock(create_engine(elsewhere), HISTORY, 0, print):
            assert holder.try_to_take()
            assert not waiter.try_to_take()
            assert f"process {os.getpid()}" in waiter.holder()
            holder.release()
            deadline = time.monotonic() + 10
            while waiter.holder() != "it has just ended":  # the server takes a moment
                assert time.monotonic() < deadline, waiter.holder()
    finally:
        holder.release()
        waiter.release()


def test_the_plain_command_ends_with_exit_code_5(
    database_url: URL, alembic: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with run_lock(create_engine(database_url), HISTORY, 0, print):
        environment = {"WDH_RUN_LOCK_WAIT": "0.3"}
        process = alembic("upgrade", "head", url=database_url, env=environment)
    assert process.returncode == 5
    assert process.stderr.splitlines()[-2].startswith("error: another run did not end")


def hold_lock(environment: dict[str, str], url: URL) -> subprocess.Popen[str]:
    """Start a process that holds the lock for a minute; returns when it does."""
    code = (
        "import sys, time, sqlalchemy as sa\n"
        "from work_data_hub.io.schema.engine import create_engine\n"
        "from work_data_hub.io.schema.locks.run_lock import run_lock\n"
        f"with run_lock(create_engine(sa.make_url(sys.argv[1])), {HISTORY!r}, 0, print):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, url.render_as_string(hide_password=False)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_the_lock_is_free_at_once_when_its_holder_is_killed(
    database_url: URL, clean_environment: dict[str, str]
) -> None:
    holder = hold_lock(clean_environment, database_url)
    holder.send_signal(signal.SIGKILL)
    holder.communicate(timeout=10)
    with run_lock(create_engine(database_url), HISTORY, 2, print):
        pass
    assert migration_runner.upgrade(database_url).steps


def test_two_histories_in_one_database_do_not_block_each_other(postgresql_url: URL) -> None:
    with (
        run_lock(create_engine(postgresql_url), HISTORY, 0, print),
        run_lock(create_engine(postgresql_url), "other.alembic_version", 0, print),
        pytest.raises(LockTimeoutError),
        run_lock(create_engine(postgresql_url), HISTORY, 0, print),
    ):
        pytest.fail("the lock was given twice")


def test_a_link_to_a_file_means_the_same_lock(sqlite_url: URL, tmp_path: Path) -> None:
    migration_runner.upgrade(sqlite_url)
    link = tmp_path / "link.db"
    link.symlink_to(str(sqlite_url.database))
    linked = sqlite_url.set(database=str(link))
    with (
        run_lock(create_engine(sqlite_url), HISTORY, 0, print),
        pytest.raises(LockTimeoutError),
        run_lock(create_engine(linked), HISTORY, 0, print),
    ):
        pytest.fail("the lock was given twice")


def test_an_index_is_built_concurrently_beside_the_lock(postgresql_url: URL) -> None:
    migration_runner.upgrade(postgresql_url)
    engine = create_engine(postgresql_url)
    with run_lock(engine, HISTORY, 0, print), engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("SET statement_timeout = '5s'")
        connection.exec_driver_sql(
            "CREATE INDEX CONCURRENTLY extra ON pipeline_executions (status)"
        )
        query = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'extra'::regclass"
        assert connection.exec_driver_sql(query).scalar_one()


def test_a_run_that_waited_plans_again(
    database_url: URL, slow_project: Path, start_alembic: Callable[..., Program]
) -> None:
    with run_lock(create_engine(database_url), HISTORY, 0, print):
        waiting = start_alembic(slow_project, database_url)
        time.sleep(1.5)
        assert waiting.is_running()
    first = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, first
    second = start_alembic(slow_project, database_url)
    assert second.communicate(timeout=60)[1].endswith(": nothing to do\n")


def test_a_race_through_a_transaction_pooler_applies_each_revision_exactly_once(
    slow_project: Path,
    start_alembic: Callable[..., Program],
    postgresql_url: URL,
    transaction_pooler: Callable[[URL, int], AbstractContextManager[URL]],
) -> None:
    with transaction_pooler(postgresql_url, 4) as pooled:
        racers = [start_alembic(slow_project, pooled, **PATIENCE) for _ in range(5)]
        ends = [(racer.communicate(timeout=120)[1], racer.returncode) for racer in racers]
        assert [code for _, code in ends] == [0] * 5, ends
    applied = Counter(entry.revision for entry in migration_runner.journal(postgresql_url))
    assert applied == {f"20260101_{step:04}": 1 for step in range(3)}


def test_behind_a_pooler_the_time_outs_hold_and_leak_to_nobody(
    make_history: Callable[..., Path],
    revision_body: Any,
    run_alembic: Any,
    postgresql_url: URL,
    transaction_pooler: Callable[[URL, int], AbstractContextManager[URL]],
) -> None:
    check = (
        "shown = op.get_bind().exec_driver_sql('SHOW lock_timeout').scalar()\n"
        "assert shown == '2s', shown"
    )
    project = make_history([revision_body(check), revision_body(check)])
    with transaction_pooler(postgresql_url, 2) as pooled:
        run_alembic(project, pooled, "upgrade", "head")
        with create_engine(pooled).connect() as connection:
            assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "0"


def test_behind_a_pooler_an_autocommit_block_has_the_time_outs_of_the_server(
    make_history: Callable[..., Path],
    revision_body: Any,
    run_alembic: Any,
    postgresql_url: URL,
    transaction_pooler: Callable[[URL, int], AbstractContextManager[URL]],
) -> None:
    names = ("lock_timeout", "idle_session_timeout")
    look = (
        "for name in {}:\n"
        "    shown = op.get_bind().exec_driver_sql(f'SHOW {{name}}').scalar()\n"
        "    assert shown == {!r}, (name, shown)\n"
    )
    code = (
        "op.execute('SELECT 1')\nwith op.get_context().autocommit_block():\n"
        + textwrap.indent(look.format(("lock_timeout",), "0"), "    ")
        + textwrap.indent(look.format(("idle_session_timeout",), "77s"), "    ")
    )
    with connect(postgresql_url) as connection, connection.begin():
        connection.exec_driver_sql(
            f"ALTER DATABASE \"{postgresql_url.database}\" SET idle_session_timeout = '77s'"
        )
    project = make_history([revision_body(code)])
    with transaction_pooler(postgresql_url, 2) as pooled:
        run_alembic(project, pooled, "upgrade", "head")
        for _ in range(2):
            with create_engine(pooled).connect() as connection:
                shown = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names]
                assert shown == ["0", "77s"]


def test_the_lock_is_free_at_once_when_its_holder_behind_a_pooler_is_killed(
    clean_environment: dict[str, str],
    postgresql_url: URL,
    transaction_pooler: Callable[[URL, int], AbstractContextManager[URL]],
) -> None:
    with transaction_pooler(postgresql_url, 3) as pooled:
        holder = hold_lock(clean_environment, pooled)
        with (
            pytest.raises(LockTimeoutError),
            run_lock(create_engine(pooled), HISTORY, 0.2, print),
        ):
            pytest.fail("the lock was given twice")
        holder.send_signal(signal.SIGKILL)
        holder.communicate(timeout=10)
        with run_lock(create_engine(pooled), HISTORY, 2, print):
            pass


@pytest.fixture
def other_role(postgresql_url: URL) -> URL:
    """A role that has a schema of its own name first on its search path, as many have."""
    make = (
        "DO $$ BEGIN CREATE ROLE deploy SUPERUSER LOGIN PASSWORD 'deploy';"
        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    with connect(postgresql_url) as connection, connection.begin():
        connection.exec_driver_sql(make)
        connection.exec_driver_sql("CREATE SCHEMA deploy AUTHORIZATION deploy")
    return postgresql_url.set(username="deploy", password="deploy", query={})


def test_the_lock_is_that_of_the_version_table_whoever_runs(
    postgresql_url: URL, other_role: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration_runner.upgrade(postgresql_url)
    monkeypatch.setenv("WDH_RUN_LOCK_WAIT", "0.3")
    get_settings.cache_clear()
    with (
        run_lock(create_engine(postgresql_url), HISTORY, 0, print),
        pytest.raises(LockTimeoutError),
    ):
        migration_runner.downgrade(other_role)
    assert migration_runner.current(other_role) == migration_runner.current(postgresql_url)


def test_a_history_that_came_while_the_lock_was_waited_for_is_found(
    postgresql_url: URL, other_role: URL
) -> None:
    ends: list[Any] = []
    with run_lock(create_engine(postgresql_url), "deploy.alembic_version", 0, print):
        waiting = threading.Thread(
            target=lambda: ends.append(migration_runner.upgrade(other_role).steps)
        )
        waiting.start()
        # Another process, which has not the path of that role.
        code = (
            "import sys; from work_data_hub.io.schema import migration_runner as m;"
            "m.upgrade(sys.argv[1])"
        )
        text = postgresql_url.render_as_string(hide_password=False)
        subprocess.run([sys.executable, "-c", code, text], check=True, timeout=60)
    waiting.join(60)
    assert ends == [()]
    with connect(postgresql_url) as connection:
        query = "SELECT count(*) FROM pg_tables WHERE tablename = 'alembic_version'"
        assert connection.exec_driver_sql(query).scalar() == 1


def test_a_lock_whose_connection_is_ended_while_it_waits_is_worded(
    postgresql_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WDH_RUN_LOCK_WAIT", "30")
    get_settings.cache_clear()
    ends: list[BaseException] = []

    def wait() -> None:
        try:
            migration_runner.upgrade(postgresql_url)
        except Exception as error:
            ends.append(error)

    with run_lock(create_engine(postgresql_url), HISTORY, 0, print):
        waiting = threading.Thread(target=wait)
        waiting.start()
        end_sessions(postgresql_url, f"{RUN_LOCK} AND state = 'idle'")
        waiting.join(60)
    assert isinstance(ends[0], DatabaseUnavailableError)
    assert "terminating connection" in ends[0].message


def test_a_run_whose_lock_is_ended_stops_before_its_next_revision(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("work_data_hub.io.schema.locks.advisory_lock._VERIFY_EVERY_SECONDS", 0)
    end_lock = (
        'op.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE'
        " starts_with(application_name, 'run lock of') AND datname = current_database()\")"
    )
    made = "op.execute('CREATE TABLE made_{} (x int)')"
    project = make_history(
        [
            revision_body(f"{made.format(1)}\n{end_lock}"),
            revision_body(made.format(2)),
        ]
    )
    with pytest.raises(LockTimeoutError, match="the run lock was lost"):
        run_alembic(project, postgresql_url, "upgrade", "head")
    assert migration_runner.current(postgresql_url) == ("20260101_0000",)


@pytest.mark.parametrize(
    "setting", ["idle_in_transaction_session_timeout", "transaction_timeout", "statement_timeout"]
)
def test_no_time_out_of_the_role_ends_the_lock(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, setting: str
) -> None:
    with connect(postgresql_url) as connection, connection.begin():
        known = f"SELECT count(*) FROM pg_settings WHERE name = '{setting}'"
        if not connection.exec_driver_sql(known).scalar():
            return  # of a later PostgreSQL
        database = postgresql_url.database
        connection.exec_driver_sql(f'ALTER DATABASE "{database}" SET {setting} = 400')
    slow = "import time\nfor _ in range(6):\n    time.sleep(0.15)\n    op.execute('SELECT 1')"
    look = (
        "held = \"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        ' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"\n'
        "assert op.get_bind().exec_driver_sql(held).scalar() == 1"
    )
    project = make_history([revision_body(slow), revision_body(look)])
    if setting == "transaction_timeout":
        project = make_history([revision_body(f"import time; time.sleep(0.3)\n{look}")] * 3)
    run_alembic(project, postgresql_url, "upgrade", "head")


def test_a_pool_of_one_connection_is_too_small_and_that_is_said(
    postgresql_url: URL, transaction_pooler: Callable[[URL, int], AbstractContextManager[URL]]
) -> None:
    with (
        transaction_pooler(postgresql_url, 1) as url,
        pytest.raises(MigrationFailedError, match="query_wait_timeout") as refused,
    ):
        migration_runner.upgrade(url)
    assert "raise the size of the pool" in refused.value.hint
    assert migration_runner.current(postgresql_url) == ()
    with transaction_pooler(postgresql_url, 2) as url:
        assert migration_runner.upgrade(url).steps


@pytest.mark.parametrize(("tries", "told"), [(2, 0), (4, 0), (9, 1)])
def test_a_wait_is_told_once_and_only_when_it_takes_a_moment(
    sqlite_url: URL, monkeypatch: pytest.MonkeyPatch, tries: int, told: int
) -> None:
    answers = iter([False] * tries + [True])
    monkeypatch.setattr(FileLock, "try_to_take", lambda _self: next(answers))
    monkeypatch.setattr(FileLock, "holder", lambda _self: "somebody")
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    said: list[str] = []
    with run_lock(create_engine(sqlite_url), HISTORY, 60, said.append):
        assert said == ["waiting for another run to end: somebody"] * told
