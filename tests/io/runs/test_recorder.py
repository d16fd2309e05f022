"""A run that is recorded: what its two tables hold, whatever the pipeline does."""

from __future__ import annotations

import asyncio
import itertools
import logging
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from work_data_hub.config import get_settings
from work_data_hub.errors import SettingsError, UsageError
from work_data_hub.io.runs import (
    data_quality_metrics,
    pipeline_executions,
    record_run,
    recorder,
)
from work_data_hub.io.runs import run_database as database_room
from work_data_hub.io.runs.flush import flush
from work_data_hub.io.runs.run_database import run_database
from work_data_hub.io.runs.sender import Sender
from work_data_hub.io.schema.engine import create_engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL


def test_a_run_is_recorded_from_its_start_to_its_end(
    test_db_with_migrations: str, rows: Any, tmp_path: Path, spool: Path
) -> None:
    before = datetime.now(UTC)
    with record_run("orders", input_file=tmp_path / "orders.csv") as run:
        begun = rows.run
        run.rows("load", 120)
        run.rows("load", 3)
        run.rows("reject", 0)
        run.metric("late", 3, of="customers", limit=0.5)
        run.metric("null_rate", float("nan"))
    ended = rows.run
    assert begun["status"] == "running"
    assert begun["completed_at"] is None
    assert ended["execution_id"] == run.execution_id
    assert ended["pipeline_name"] == "orders"
    assert ended["status"] == "success"
    assert before <= ended["started_at"] <= ended["completed_at"] <= datetime.now(UTC)
    assert ended["input_file"] == str(tmp_path / "orders.csv")
    assert ended["row_counts"] == {"load": 123, "reject": 0}
    assert ended["error_details"] is None
    late, null_rate = rows.metrics
    assert late["execution_id"] == run.execution_id
    assert late["pipeline_name"] == "orders"
    assert late["metric_type"] == "late"
    assert late["metric_value"] == Decimal("3.0000")
    assert late["metadata"] == {"of": "customers", "limit": 0.5}
    assert null_rate["metric_value"] is None
    assert null_rate["metadata"] is None
    assert not spool.exists()


def test_what_is_said_is_there_while_the_run_goes_on(
    migrated_database: URL, rows: Any, until: Callable[..., None]
) -> None:
    with record_run("orders", url=migrated_database) as run:
        run.rows("load", 120)
        until(lambda: rows.run["row_counts"] == {"load": 120})
        run.metric("late", 3)
        until(lambda: len(rows.metrics) == 1)


def test_a_failure_is_recorded_with_its_error_and_goes_on(
    migrated_database: URL, rows: Any
) -> None:
    def load() -> None:
        with record_run("orders", url=migrated_database) as run:
            run.rows("load", 7)
            raise ValueError("no such column: größe \0 password=hunter2")

    with pytest.raises(ValueError, match="no such column"):
        load()
    assert rows.run["status"] == "failed"
    assert rows.run["row_counts"] == {"load": 7}
    first, place = rows.run["error_details"].splitlines()
    assert first == "ValueError: no such column: größe \ufffd password=***"
    assert place.startswith("  at test_recorder.py:")


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (KeyboardInterrupt(), "cancelled"),
        (asyncio.CancelledError(), "cancelled"),
        (SystemExit(0), "success"),
        (SystemExit(None), "success"),
        (SystemExit(3), "failed"),
        (ExceptionGroup("two", [ValueError("one"), OSError("other")]), "failed"),
    ],
)
def test_how_a_block_ends_is_how_the_run_ended(
    migrated_database: URL, rows: Any, ending: BaseException, status: str
) -> None:
    with pytest.raises(type(ending)), record_run("orders", url=migrated_database):
        raise ending
    assert rows.run["status"] == status
    assert (rows.run["error_details"] is None) is (status == "success")


def test_ctrl_c_while_the_start_is_on_its_way_ends_the_run(
    migrated_database: URL, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Sender, "wait_until_started", interrupt)
    with pytest.raises(KeyboardInterrupt), record_run("orders", url=migrated_database):
        pass
    assert rows.run["status"] == "cancelled"


def test_a_retry_is_a_run_of_its_own(migrated_database: URL, rows: Any) -> None:
    def load(attempt: int) -> None:  # as Dagster and Airflow call it: a plain function
        with record_run("orders", url=migrated_database) as run:
            run.rows("load", attempt)
            if attempt < 3:
                raise OSError("the source does not answer")

    for attempt in (1, 2):
        with pytest.raises(OSError, match="does not answer"):
            load(attempt)
    load(3)
    assert [run["status"] for run in rows.runs] == ["failed", "failed", "success"]
    assert [run["row_counts"]["load"] for run in rows.runs] == [1, 2, 3]


def test_threads_may_share_a_run(migrated_database: URL, rows: Any) -> None:
    with record_run("orders", url=migrated_database) as run:

        def work() -> None:
            for number in range(50):
                run.rows("load", 1)
                run.metric("late", number)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert rows.run["row_counts"] == {"load": 400}
    assert len(rows.metrics) == 400
    assert sum(metric["metric_value"] for metric in rows.metrics) == 8 * sum(range(50))


def test_tasks_may_share_a_run_and_the_loop_goes_on(
    away: Any, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What waited for this in the loop would hold it up for longer than any busy machine does.
    monkeypatch.setattr(database_room, "SQLITE_BUSY_MILLISECONDS", 10_000)

    async def tick(ticks: list[float]) -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.005)

    async def pipeline() -> list[float]:
        ticks: list[float] = []
        ticking = asyncio.create_task(tick(ticks))
        async with record_run("orders", url=away.url, wait_seconds=20) as run:
            away.cut()  # what is said now waits for the database, and nobody waits for it
            for number in range(20):
                run.rows("load", 1)
                run.metric("late", number)
                await asyncio.sleep(0)
            await asyncio.sleep(0.2)  # the thread of the run waits by now
            away.open()
        ticking.cancel()
        return ticks

    ticks = asyncio.run(pipeline())
    longest = max(after - before for before, after in itertools.pairwise(ticks))
    assert longest < 5
    assert rows.run["status"] == "success"
    assert rows.run["row_counts"] == {"load": 20}
    assert len(rows.metrics) == 20


def test_a_task_that_is_cancelled_ends_its_run(
    migrated_database: URL, rows: Any, until: Callable[..., None]
) -> None:
    async def pipeline(begun: asyncio.Event) -> None:
        async with record_run("orders", url=migrated_database):
            begun.set()
            await asyncio.sleep(60)

    async def supervisor(*, at_once: bool) -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(pipeline(begun))
        await (asyncio.sleep(0) if at_once else begun.wait())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(supervisor(at_once=False))
    assert rows.run["status"] == "cancelled"
    asyncio.run(supervisor(at_once=True))  # while the start is on its way
    until(lambda: [run["status"] for run in rows.runs] == ["cancelled"] * 2)


def test_the_transaction_of_the_pipeline_is_its_own(migrated_database: URL, rows: Any) -> None:
    engine = sa.create_engine(migrated_database, poolclass=QueuePool, pool_size=2, max_overflow=0)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE mine (a INTEGER)")

    def load() -> None:
        with record_run("orders", engine=engine) as run, engine.begin() as connection:
            assert connection.scalar(sa.select(sa.func.count(pipeline_executions.c.status))) == 1
            connection.exec_driver_sql("INSERT INTO mine VALUES (1)")
            run.metric("late", 3)
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        load()
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM mine").scalar() == 0
        # The pool's connections are as they were: a transaction is one.
        connection.exec_driver_sql("INSERT INTO mine VALUES (2)")
        connection.rollback()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM mine").scalar() == 0
    assert rows.run["status"] == "failed"
    assert len(rows.metrics) == 1
    assert engine.pool.status().count("Current Checked out connections: 0") == 1
    engine.dispose()


def test_the_driver_of_an_event_loop_is_not_used(migrated_database: URL, rows: Any) -> None:
    is_sqlite = migrated_database.get_backend_name() == "sqlite"
    driver = "sqlite+aiosqlite" if is_sqlite else "postgresql+asyncpg"
    url = migrated_database.set(drivername=driver)
    with record_run("orders", url=url):
        pass
    # As SQLAlchemy's AsyncEngine, for which greenlet would have to be installed.
    engine: Any = SimpleNamespace(sync_engine=None, url=url)
    with record_run("orders", engine=engine):
        pass
    assert [run["status"] for run in rows.runs] == ["success"] * 2


def test_metrics_of_one_moment_cost_one_statement(migrated_database: URL, rows: Any) -> None:
    engine = create_engine(migrated_database)
    seen: list[str] = []
    sa.event.listen(
        engine, "before_cursor_execute", lambda _c, _cu, statement, *_: seen.append(statement)
    )
    with record_run("orders", engine=engine) as run:
        seen.clear()
        for _ in range(50):
            run.metric("late", 3)
    inserts = [each for each in seen if "data_quality_metrics" in each]
    assert 1 <= len(inserts) <= 50
    assert not [each for each in seen if each.startswith(("BEGIN", "COMMIT", "ROLLBACK"))]
    assert len(rows.metrics) == 50


def test_the_heart_beats_by_the_clock_of_the_database(
    migrated_database: URL, rows: Any, monkeypatch: pytest.MonkeyPatch, until: Callable[..., None]
) -> None:
    monkeypatch.setattr(recorder, "BEAT_SECONDS", 1)
    old = datetime.now(UTC) - timedelta(seconds=5)
    with record_run("orders", url=migrated_database):
        rows.change(pipeline_executions.update().values(updated_at=old))
        assert rows.run["updated_at"] == old
        until(lambda: rows.run["updated_at"] > old)
        assert rows.run["status"] == "running"


def test_a_misuse_is_said_at_once(migrated_database: URL, rows: Any) -> None:
    with pytest.raises(UsageError, match="of a pipeline has 151 characters, and 150 at most"):
        record_run("o" * 151, url=migrated_database)
    with pytest.raises(UsageError, match="both url= and engine="):
        record_run("orders", url=migrated_database, engine=create_engine(migrated_database))
    with pytest.raises(UsageError, match="one connection for everybody"):
        record_run("orders", engine=sa.create_engine("sqlite://"))
    with pytest.raises(UsageError, match="not Connection"):
        record_run("orders", engine=create_engine(migrated_database).connect())  # type: ignore[arg-type]
    run = record_run("orders", url=migrated_database)
    with pytest.raises(UsageError, match="not going on"):
        run.metric("late", 3)
    with run:
        with pytest.raises(UsageError, match="a metric is a number"):
            run.metric("late", "three")  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="whole number"):
            run.rows("load", 1.5)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="the name of a step"):
            run.rows(" ", 1)
    with pytest.raises(UsageError, match="not going on"):
        run.rows("load", 1)
    with pytest.raises(UsageError, match="started once"), run:
        pass
    assert rows.run["status"] == "success"
    assert rows.run["row_counts"] is None


def test_wrong_settings_are_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    get_settings.cache_clear()
    with pytest.raises(SettingsError):
        record_run("orders")


def test_a_forked_child_does_not_end_the_run_of_its_parent(
    migrated_database: URL, rows: Any
) -> None:
    program = """
import os, sys
from work_data_hub.errors import UsageError
from work_data_hub.io.runs import record_run
with record_run("orders", url=sys.argv[1]) as run:
    child = os.fork()
    if child == 0:
        try:
            run.metric("late", 1)
        except UsageError as error:
            os.write(1, error.message.encode())
        sys.exit(0)
    os.waitpid(child, 0)
    run.metric("late", 2)
"""
    url = migrated_database.render_as_string(hide_password=False)
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, url],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert process.stdout == "the run belongs to the process that started it"
    assert process.stderr == ""
    assert rows.run["status"] == "success"
    assert [metric["metric_value"] for metric in rows.metrics] == [2]


def test_secrets_are_kept_nowhere(migrated_database: URL, rows: Any) -> None:
    url = "s3://me:hunter2@bucket/orders.csv"
    with record_run("orders", url=migrated_database, input_file=url) as run:
        run.metric("late", 3, source=url, options={"password": "password=hunter2"})
    assert rows.run["input_file"] == "s3://me:***@bucket/orders.csv"
    assert "hunter2" not in str(rows.metrics)


def test_a_run_for_which_there_is_no_thread_is_spooled(
    migrated_database: URL,
    rows: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as crowded:
        crowded.setattr(threading.Thread, "start", no_thread)
        with record_run("orders", url=migrated_database) as run:
            run.rows("load", 3)
            run.metric("late", 3)
    assert "no thread could be started" in caplog.text
    flush(run_database(migrated_database))
    assert rows.run["status"] == "success"
    assert rows.run["row_counts"] == {"load": 3}
    assert len(rows.metrics) == 1


def test_no_thread_and_no_connection_stay(migrated_database: URL) -> None:
    with record_run("orders", url=migrated_database):
        (thread,) = (each for each in threading.enumerate() if each.name == "run log")
        assert thread.daemon  # a block that is never left holds no process
    assert "run log" not in {thread.name for thread in threading.enumerate()}
    if migrated_database.get_backend_name() == "postgresql":
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        deadline = time.monotonic() + 10
        with create_engine(migrated_database).connect() as connection:
            while connection.exec_driver_sql(others).scalar() != 1:
                connection.rollback()
                assert time.monotonic() < deadline
                time.sleep(0.01)


def test_the_tables_are_imported_without_the_recorder() -> None:
    program = (
        "import sys, work_data_hub.io.runs as runs; runs.pipeline_executions;"
        " print(sorted(name for name in sys.modules"
        " if name.startswith('work_data_hub.') or name in ('psycopg', 'pydantic', 'asyncio')))"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert "io.runs.tables" in process.stdout
    for costly in ("recorder", "config", "psycopg", "pydantic", "io.schema"):
        assert costly not in process.stdout


def test_a_database_that_is_not_there_is_not_made(
    tmp_path: Path, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with record_run("orders", url=f"sqlite:///{tmp_path}/none.db"):
        pass
    assert not (tmp_path / "none.db").exists()
    assert len(list(spool.iterdir())) == 1
    assert "there is no database" in caplog.text


def test_a_metric_whose_run_was_taken_away_brings_it_back(
    migrated_database: URL, rows: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with record_run("orders", url=migrated_database) as run:
        rows.change(pipeline_executions.delete())
        run.metric("late", 3)
    assert rows.run["status"] == "success"
    assert len(rows.metrics) == 1
    assert isinstance(rows.run["execution_id"], UUID)


def test_a_pipeline_may_refer_to_its_run(migrated_database: URL, rows: Any) -> None:
    with (
        record_run("orders", url=migrated_database) as run,
        create_engine(migrated_database).begin() as connection,
    ):
        connection.execute(
            data_quality_metrics.insert().values(
                execution_id=run.execution_id,
                pipeline_name="orders",
                metric_type="by_hand",
                recorded_at=datetime.now(UTC),
            )
        )
    assert [metric["metric_type"] for metric in rows.metrics] == ["by_hand"]
