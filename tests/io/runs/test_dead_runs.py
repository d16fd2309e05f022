"""Runs whose process died: found by the heartbeat that stopped, and closed as failed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from work_data_hub.io.runs import pipeline_executions, record_run
from work_data_hub.io.runs.dead_runs import close_dead_runs, find_dead_runs
from work_data_hub.io.runs.run_database import run_database
from work_data_hub.io.runs.run_list import Wanted, list_runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

BEGUN = "begun"
PROGRAM = f"""
import sys, time
from work_data_hub.io.runs import record_run
with record_run("orders", url=sys.argv[1]) as run:
    run.rows("load", 3)
    print("{BEGUN}", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def killed(migrated_database: URL, rows: Any, until: Callable[..., None]) -> UUID:
    """A run whose process was killed, an hour ago by the clock of the database."""
    url = migrated_database.render_as_string(hide_password=False)
    command = [sys.executable, "-c", PROGRAM, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == BEGUN
        until(lambda: rows.run["row_counts"])
        process.send_signal(signal.SIGKILL)
    age(rows, timedelta(hours=1))
    found: UUID = rows.run["execution_id"]
    return found


def age(rows: Any, time: timedelta) -> None:
    """Let the last sign of life of every run be older."""
    rows.change(pipeline_executions.update().values(updated_at=datetime.now(UTC) - time))


def test_a_killed_run_is_found_and_closed_as_failed(
    killed: UUID, migrated_database: URL, rows: Any
) -> None:
    last_beat = rows.run["updated_at"]
    with run_database(migrated_database).connect() as connection:
        assert [run.run_id for run in find_dead_runs(connection)] == [killed]
        assert rows.run["status"] == "running"
        assert [run.run_id for run in close_dead_runs(connection)] == [killed]
        assert close_dead_runs(connection) == []
    assert rows.run["status"] == "failed"
    assert rows.run["completed_at"] == last_beat
    assert rows.run["row_counts"] == {"load": 3}
    assert "ended without a word" in rows.run["error_details"]


def test_the_next_run_of_the_pipeline_closes_it(
    killed: UUID, migrated_database: URL, rows: Any, until: Callable[..., None]
) -> None:
    with record_run("customers", url=migrated_database):
        pass
    assert [run["status"] for run in rows.runs] == ["running", "success"]
    with record_run("orders", url=migrated_database):
        until(lambda: rows.runs[0]["status"] == "failed")
    assert [run["status"] for run in rows.runs] == ["failed", "success", "success"]
    assert rows.runs[0]["execution_id"] == killed


def test_two_who_find_it_at_once_close_it_once(killed: UUID, migrated_database: URL) -> None:
    closed: list[UUID] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        with run_database(migrated_database).connect() as connection:
            connection.exec_driver_sql("SELECT 1")
            connection.rollback()
            barrier.wait()
            closed.extend(run.run_id for run in close_dead_runs(connection))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert closed == [killed]


def test_a_run_that_beats_or_was_written_by_hand_is_not_dead(
    migrated_database: URL, rows: Any
) -> None:
    by_hand = {"execution_id": uuid4(), "pipeline_name": "orders", "status": "running"}
    rows.change(pipeline_executions.insert().values(**by_hand, started_at=datetime.now(UTC)))
    with record_run("orders", url=migrated_database):
        age(rows, timedelta(seconds=60))  # a few beats were missed
        with run_database(migrated_database).connect() as connection:
            assert close_dead_runs(connection) == []
        rows.change(
            pipeline_executions.update()
            .where(pipeline_executions.c.execution_id == by_hand["execution_id"])
            .values(updated_at=datetime.now(UTC) - timedelta(days=30))
        )
        with run_database(migrated_database).connect() as connection:
            assert close_dead_runs(connection) == []
    assert [run["status"] for run in rows.runs] == ["running", "success"]


def test_a_run_that_ended_is_not_silent_however_long_ago_that_was(
    migrated_database: URL, rows: Any
) -> None:
    with record_run("orders", url=migrated_database):
        pass
    age(rows, timedelta(days=30))
    with run_database(migrated_database).connect() as connection:
        (run,) = list_runs(connection, Wanted())
    assert run.last_sign < datetime.now(UTC) - timedelta(days=29)
    assert not run.is_silent


def test_a_run_that_was_only_thought_dead_says_how_it_ended(
    migrated_database: URL, rows: Any
) -> None:
    """A suspended laptop: its run wakes up after somebody else closed it."""
    with record_run("orders", url=migrated_database) as run:
        age(rows, timedelta(hours=1))
        with run_database(migrated_database).connect() as connection:
            assert len(close_dead_runs(connection)) == 1
        run.rows("load", 3)
    assert rows.run["status"] == "success"
    assert rows.run["error_details"] is None
    assert rows.run["row_counts"] == {"load": 3}
