"""The database is away: the pipeline goes on, one line of the log says so, and nothing is lost."""

from __future__ import annotations

import logging
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.io.runs import delivery, metadata, record_run, run_database
from work_data_hub.io.runs.flush import flush
from work_data_hub.io.schema.engine import create_engine
from work_data_hub.io.schema.ephemeral.postgres_server import running_postgres

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

LOGGER = "work_data_hub.io.runs.delivery"


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, LOGGER)
    return caplog


def warnings(log: pytest.LogCaptureFixture) -> list[str]:
    """What was logged of losses."""
    return [each.getMessage() for each in log.records if each.levelno >= logging.WARNING]


@pytest.mark.parametrize("away_from", ["start", "middle", "end"])
def test_what_is_said_while_the_database_is_away_is_spooled_and_flushed(
    away: Any, rows: Any, spool: Path, log: pytest.LogCaptureFixture, away_from: str
) -> None:
    if away_from == "start":
        away.cut()
    with record_run("orders", url=away.url) as run:
        run.rows("load", 100)
        run.metric("late", 1)
        if away_from == "middle":
            away.cut()
        run.rows("load", 20)
        run.metric("late", 2)
        if away_from == "end":
            away.cut()
    (file,) = spool.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert spool.stat().st_mode & 0o777 == 0o700
    (said,) = warnings(log)
    assert str(run.execution_id) in said
    assert "wdh runs flush" in said
    password = away.url.password or "no password"
    assert password not in said
    assert password not in file.read_text(encoding="utf-8")
    away.open()
    flush(run_database.run_database(away.url))
    assert [*spool.iterdir()] == []
    assert rows.run["status"] == "success"
    assert rows.run["row_counts"] == {"load": 120}
    assert sorted(metric["metric_value"] for metric in rows.metrics) == [1, 2]


def test_a_database_that_comes_back_gets_what_was_spooled_by_itself(
    away: Any,
    rows: Any,
    spool: Path,
    log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    until: Callable[..., None],
) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_SECONDS", 0.05)
    with record_run("orders", url=away.url) as run:
        away.cut()
        run.metric("late", 1)
        until(lambda: spool.is_dir() and [*spool.iterdir()])
        run.rows("load", 3)
        away.open()
        time.sleep(0.3)  # longer than the pause before it is asked again
        run.metric("late", 2)
        until(lambda: [*spool.iterdir()] == [])
        until(lambda: rows.run["row_counts"] == {"load": 3})
        assert rows.run["status"] == "running"
    assert [metric["metric_value"] for metric in rows.metrics] == [1, 2]
    assert rows.run["status"] == "success"
    assert len(warnings(log)) == 1
    assert "answers again" in log.text


def test_a_database_that_hangs_holds_the_pipeline_up_for_a_bounded_time(
    migrated_database: URL,
    rows: Any,
    spool: Path,
    log: pytest.LogCaptureFixture,
    until: Callable[..., None],
) -> None:
    """A migration has the tables locked, or another writer the file; both for very long."""
    is_sqlite = migrated_database.get_backend_name() == "sqlite"
    with create_engine(migrated_database).connect() as other:
        started = time.monotonic()
        with record_run("orders", url=migrated_database, wait_seconds=0.3) as run:
            other.begin()
            if not is_sqlite:
                other.exec_driver_sql("LOCK TABLE pipeline_executions, data_quality_metrics")
            run.rows("load", 3)
            run.metric("late", 1)
        assert time.monotonic() - started < 4
        assert len([*spool.iterdir()]) == 1
        assert len(warnings(log)) == 1
        other.rollback()
    flush(run_database.run_database(migrated_database))
    assert rows.run["status"] == "success"
    # What hung has arrived, or will: it changes nothing that came after it.
    until(lambda: rows.run["row_counts"] == {"load": 3})
    assert len(rows.metrics) == 1
    assert [*spool.iterdir()] == []


def test_a_start_that_hangs_is_a_run_all_the_same(
    migrated_database: URL, rows: Any, spool: Path, log: pytest.LogCaptureFixture
) -> None:
    with create_engine(migrated_database).begin() as other:
        if migrated_database.get_backend_name() != "sqlite":
            other.exec_driver_sql("LOCK TABLE pipeline_executions")
        with record_run("orders", url=migrated_database, wait_seconds=0.1) as run:
            run.metric("late", 1)
    assert len(warnings(log)) == 1
    flush(run_database.run_database(migrated_database))
    assert rows.run["status"] == "success"
    assert len(rows.metrics) == 1
    assert [*spool.iterdir()] == []


def test_tables_that_are_not_there_are_an_outage_too(
    empty_database: URL, spool: Path, log: pytest.LogCaptureFixture
) -> None:
    create_engine(empty_database).connect().close()  # SQLite's file is there
    with record_run("orders", url=empty_database) as run:
        run.metric("late", 1)
    assert len([*spool.iterdir()]) == 1
    (said,) = warnings(log)
    assert "pipeline_executions" in said


def test_a_spool_that_cannot_be_written_is_said_and_ends_nothing(
    away: Any, spool: Path, log: pytest.LogCaptureFixture
) -> None:
    spool.write_text("a file where the folder should be", encoding="utf-8")
    away.cut()
    with record_run("orders", url=away.url) as run:
        run.metric("late", 1)
    (lost,) = [each for each in log.records if each.levelno == logging.ERROR]
    assert "is lost in part" in lost.getMessage()


def test_a_spool_file_that_somebody_removes_is_not_lost_to_its_run(
    away: Any,
    rows: Any,
    spool: Path,
    monkeypatch: pytest.MonkeyPatch,
    until: Callable[..., None],
) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_SECONDS", 0.05)
    with record_run("orders", url=away.url) as run:
        away.cut()
        run.metric("late", 1)
        until(lambda: spool.is_dir() and [*spool.iterdir()])
        (file,) = spool.iterdir()
        until(lambda: b'"late"' in file.read_bytes())
        file.unlink()
        away.open()
    assert rows.run["status"] == "success"
    assert [metric["metric_value"] for metric in rows.metrics] == [1]
    assert [*spool.iterdir()] == []


def test_a_connection_that_the_server_ends_is_made_again(
    migrated_postgresql: URL,
    rows_of: Callable[[URL], Any],
    log: pytest.LogCaptureFixture,
    until: Callable[..., None],
) -> None:
    rows = rows_of(migrated_postgresql)
    ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    with record_run("orders", url=migrated_postgresql) as run:
        run.metric("late", 1)
        until(lambda: rows.metrics)
        with create_engine(migrated_postgresql).connect() as connection:
            connection.exec_driver_sql(f"{ends} AND datname = current_database()")
        run.metric("late", 2)
        until(lambda: len(rows.metrics) == 2)
    assert rows.run["status"] == "success"
    assert warnings(log) == []


def test_a_server_that_crashes_and_restarts_loses_nothing(
    rows_of: Callable[[URL], Any], spool: Path, log: pytest.LogCaptureFixture
) -> None:
    with running_postgres() as server:
        # The server of the tests forgets what it committed a moment before a crash; others do not.
        url = server.url().update_query_dict({"options": "-c synchronous_commit=on"})
        metadata.create_all(create_engine(url))
        with record_run("orders", url=url) as run:
            for number in range(30):
                run.metric("late", number)
                if number == 10:
                    backend = "SELECT pg_backend_pid()"
                    with create_engine(url).connect() as victim:
                        # As a kill by the kernel's OOM killer: the server restarts, and recovers.
                        os.kill(int(victim.exec_driver_sql(backend).scalar_one()), signal.SIGKILL)
                        victim.invalidate()
                time.sleep(0.01)
        flushed = flush(run_database.run_database(_when_up(url)))
        found = rows_of(url)
        assert found.run["status"] == "success"
        assert sorted(metric["metric_value"] for metric in found.metrics) == [*range(30)]
        assert len(warnings(log)) <= 1
        assert [*spool.glob("*")] == []  # it may never have been needed
        assert flushed.in_use == []


def _when_up(url: URL) -> URL:
    deadline = time.monotonic() + 20
    while True:
        try:
            create_engine(url).connect().close()
        except sa.exc.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return url
