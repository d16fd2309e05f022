"""The run log on the command line: what is shown of runs and metrics, and what keeps them."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from work_data_hub.cli import screen
from work_data_hub.cli.verbs.runs import STATUSES
from work_data_hub.config import get_settings
from work_data_hub.io.runs import (
    RUN_STATUSES,
    data_quality_metrics,
    pipeline_executions,
    pruning,
    record_run,
)
from work_data_hub.io.runs.writer import Writer
from work_data_hub.io.schema.engine import create_engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

FIRST = "11111111-1111-4111-8111-111111111111"
SHOWN = """\
Run        22222222-2222-4222-8222-222222222222
Pipeline   orders_daily
Status     failed
Started    2025-11-11 02:00:00 UTC
Ended      2025-11-11 02:00:12 UTC
Took       12 s
File       orders_2025-11-10.csv
Rows       read 311, written 0, rejected 311
Metric     schema_match - (missing=['größe'])
Error      column "größe" is missing; nothing was written
"""


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "spool"
    monkeypatch.setenv("WDH_RUN_SPOOL", str(folder))
    get_settings.cache_clear()
    return folder


@pytest.fixture
def runs(wdh: Callable[..., Any], migrated_database: URL) -> Callable[..., Any]:
    """Call `wdh runs ...` on a database with the shipped seeds."""
    assert wdh("seed", url=migrated_database).exit_code == 0

    def call(*arguments: str) -> Any:
        return wdh(*arguments, url=migrated_database, noun="runs")

    return call


def count(url: URL, table: sa.Table) -> int:
    with create_engine(url).connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_runs_are_listed_the_newest_first(runs: Callable[..., Any]) -> None:
    lines = runs("list").out.splitlines()
    assert [line[:8] for line in lines] == [digit * 8 for digit in "53214"]
    assert lines[3] == (
        "11111111  2025-11-10 02:00:00 UTC  success    4:31 min  orders_daily"
        " (read 12840, written 12838, rejected 2)"
    )
    assert lines[4].endswith("cancelled 10:00 min  customers_weekly: stopped by hand")
    assert runs("list", "--quiet").out.splitlines()[3] == FIRST


def test_on_a_terminal_a_line_fits_and_what_failed_is_red(
    runs: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "is_live", lambda _: True)
    monkeypatch.setattr(screen, "columns", lambda _: 60)
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = runs("list", "--failed").out
    assert "\x1b[1;31mfailed\x1b[0m" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    (line,) = runs("list", "--failed").out.splitlines()
    assert len(line) == 60
    assert line.endswith("…")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--pipeline", "orders_daily"], "321"),
        (["--pipeline", "none"], ""),
        (["--failed"], "2"),
        (["--status", "running", "--status", "cancelled"], "54"),
        (["--failed", "--status", "success"], "321"),
        (["--since", "2025-11-11"], "532"),
        (["--since", "2025-11-11T10:30:00+02:00"], "53"),
        (["--since", "1h"], ""),
        (["--last", "2"], "53"),
    ],
)
def test_runs_are_chosen(runs: Callable[..., Any], arguments: list[str], found: str) -> None:
    data = runs("list", "--json", *arguments).data
    assert [run["execution_id"][0] for run in data["runs"]] == [*found]
    if not found:
        assert runs("list", *arguments).out == "there is no such run\n"


def test_the_json_of_a_run_has_all_of_it(runs: Callable[..., Any]) -> None:
    (run,) = runs("list", "--json", "--failed").data["runs"]
    assert run.pop("last_sign").endswith("+00:00")
    assert run == {
        "execution_id": "22222222-2222-4222-8222-222222222222",
        "pipeline": "orders_daily",
        "status": "failed",
        "started_at": "2025-11-11T02:00:00+00:00",
        "completed_at": "2025-11-11T02:00:12+00:00",
        "seconds": 12.0,
        "input_file": "orders_2025-11-10.csv",
        "row_counts": {"read": 311, "written": 0, "rejected": 311},
        "error_details": 'column "größe" is missing; nothing was written',
        "is_silent": False,
    }


@pytest.mark.parametrize("part", ["22222222", "222-222222222222", "22222222-2222-4222-8222"])
def test_a_run_is_shown_by_a_part_of_its_id(runs: Callable[..., Any], part: str) -> None:
    assert runs("show", part).out == SHOWN


def test_without_an_id_the_last_run_is_shown(
    runs: Callable[..., Any], wdh: Callable[..., Any], database_url: URL
) -> None:
    assert runs("show", "--json").data["run"]["execution_id"][0] == "5"
    found = runs("show", "--pipeline", "orders_daily", "--json").data
    assert found["run"]["execution_id"][0] == "3"
    assert found["metrics"] == [
        {
            "metric": "null_rate",
            "value": 0.0009,
            "recorded_at": "2025-11-11T08:34:01+00:00",
            "execution_id": "33333333-3333-4333-8333-333333333333",
            "metadata": {"column": "customer_id"},
        }
    ]
    assert wdh("upgrade", url=database_url).exit_code == 0
    assert wdh("show", noun="runs", url=database_url).out == "there is no run yet\n"


@pytest.mark.parametrize(
    ("part", "said"), [("zzz", "there is no run"), ("%", "there is no run"), ("", "more than one")]
)
def test_an_id_that_means_none_or_several_is_said(
    runs: Callable[..., Any], part: str, said: str
) -> None:
    found = runs("show", part)
    assert found.exit_code == 2
    assert said in found.err


def test_of_many_runs_that_an_id_may_mean_the_three_newest_are_named(
    runs: Callable[..., Any],
) -> None:
    said = runs("show", "").err
    assert [digit for digit in "54321" if f"{digit * 8}-" in said] == [*"532"]


def test_a_metric_is_shown_over_time(
    runs: Callable[..., Any], migrated_database: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runs("metrics").out.splitlines() == [
        "orders_daily  null_rate     █▁  0.0009 (0.0009 to 0.0012), 2 values since"
        " 2025-11-10 02:04:30 UTC",
        "orders_daily  row_count     ▄  12838 (12838 to 12838), 1 value since"
        " 2025-11-10 02:04:30 UTC",
        "orders_daily  schema_match     -, 1 value since 2025-11-11 02:00:11 UTC",
    ]
    with record_run("orders", url=migrated_database) as run:
        for value in range(40):
            run.metric("late", value)
    (late,) = runs("metrics", "late", "--last", "8", "--json").data["metrics"]
    assert late["pipeline"] == "orders"
    assert [each["value"] for each in late["values"]] == [*range(32, 40)]
    (line,) = runs("metrics", "late", "--last", "8").out.splitlines()
    assert "▁▂▃▄▅▆▇█  39 (32 to 39)" in line
    assert runs("metrics", "--since", "1h", "--json").data["metrics"][0]["metric"] == "late"
    assert runs("metrics", "none").out == "there is no such metric\n"


def test_a_run_that_is_silent_says_so_until_a_flush_closes_it(
    runs: Callable[..., Any], migrated_database: URL
) -> None:
    run = record_run("orders", url=migrated_database)
    with run:
        pass
    started = datetime.now(UTC) - timedelta(hours=1)
    values = {"status": "running", "completed_at": None, "updated_at": started}
    with create_engine(migrated_database).begin() as connection:
        is_it = pipeline_executions.c.execution_id == run.execution_id
        connection.execute(pipeline_executions.update().where(is_it).values(values))
    note = f"no heartbeat since {started:%Y-%m-%d %H:%M:%S} UTC"
    assert runs("list", "--last", "1").out.rstrip().endswith(f"orders: {note}")
    assert f"running ({note})" in runs("show").out
    (data,) = runs("list", "--pipeline", "orders", "--json").data["runs"]
    assert data["is_silent"] is True
    assert data["status"] == "running"
    said = runs("flush")
    assert said.out == f"{run.execution_id} of orders: its process died, closed as failed\n"
    assert runs("list", "--failed", "--last", "1", "--json").data["runs"][0]["pipeline"] == "orders"
    assert runs("flush").out == "nothing had to be done\n"
    # One that was written by hand has no heartbeat, and is left to whoever wrote it.
    assert runs("list", "--status", "running", "--json").data["runs"][0]["is_silent"] is False


def test_what_was_spooled_is_flushed(
    runs: Callable[..., Any],
    migrated_database: URL,
    spool: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def away(*_: object) -> None:
        raise OSError("away")

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "use", away)
        for number in range(2):
            with record_run("orders", url=migrated_database) as run:
                run.metric("late", number)
    with record_run("orders", url=f"sqlite:///{tmp_path}/none.db") as other:
        pass
    data = runs("flush", "--json").data
    assert len(data["loaded"]) == len(data["runs"]) == data["metrics"] == 2
    (elsewhere,) = data["elsewhere"]
    assert elsewhere["database"] == f"sqlite:///{tmp_path}/none.db"
    assert data["in_use"] == data["damaged"] == data["closed"] == []
    (line,) = runs("flush").out.splitlines()
    assert "name the file to load it here" in line
    assert runs("flush", elsewhere["path"]).out == "1 run loaded, with 0 metrics\n"
    assert runs("show", str(other.execution_id)).exit_code == 0
    assert [*spool.iterdir()] == []


def test_old_runs_are_pruned_with_their_metrics(
    runs: Callable[..., Any], migrated_database: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "RUNS_AT_ONCE", 1)
    refused = runs("prune", "--older-than", "2025-11-12")
    assert refused.exit_code == 4
    assert "hint: add --yes" in refused.err
    assert count(migrated_database, pipeline_executions) == 5
    said = runs("prune", "--older-than", "2025-11-11", "--pipeline", "orders_daily", "--yes")
    assert said.out == "1 run deleted, with 2 metrics\n"
    data = runs("prune", "--older-than", "1d", "--yes", "--json").data
    assert (data["runs"], data["metrics"]) == (3, 2)
    # What goes on stays, however old it is.
    assert [run["status"] for run in runs("list", "--json").data["runs"]] == ["running"]
    assert count(migrated_database, data_quality_metrics) == 0
    assert runs("prune", "--older-than", "1d", "--yes").out == "nothing had to be done\n"


def test_a_person_agrees_to_a_deletion(
    runs: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for answer, exit_code in (("no", 4), ("yes", 0)):
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(sys.stdin, "readline", lambda said=answer: f"{said}\n", raising=False)
        found = runs("prune", "--older-than", "2025-11-12")
        assert found.exit_code == exit_code
        assert "This deletes 4 runs that started before 2025-11-12 00:00:00 UTC" in found.err


def test_on_staging_pruning_names_the_database(
    wdh: Callable[..., Any], database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "staging")
    assert wdh("upgrade", url=database_url).exit_code == 0
    with record_run("orders", url=database_url):
        pass
    prune = ["prune", "--older-than", "0s", "--yes"]
    refused = wdh(*prune, noun="runs", url=database_url)
    assert refused.exit_code == 4
    assert "--confirm" in refused.err
    monkeypatch.setenv("ENVIRONMENT", "dev")
    stranger = wdh(*prune, noun="runs", url=database_url)
    assert stranger.exit_code == 4
    assert "recorded as staging" in stranger.err
    assert count(database_url, pipeline_executions) == 1
    monkeypatch.setenv("ENVIRONMENT", "staging")
    is_file = database_url.get_backend_name() == "sqlite"
    name = str(database_url.database).rpartition("/")[2] if is_file else database_url.database
    assert wdh(*prune, "--confirm", name, noun="runs", url=database_url).exit_code == 0
    assert count(database_url, pipeline_executions) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "--since", "yesterday"], "is no moment"),
        (["list", "--last", "0"], "no number"),
        (["list", "--status", "done"], "invalid choice"),
        (["prune"], "--older-than"),
        (["flush", "/nowhere/at/all"], "cannot be read"),
    ],
)
def test_a_call_that_is_wrong_is_said_in_two_lines(
    runs: Callable[..., Any], arguments: list[str], said: str
) -> None:
    found = runs(*arguments)
    assert found.exit_code == 2
    assert said in found.err
    assert found.err.count("\n") == 2


@pytest.mark.parametrize("verb", [["list"], ["show"], ["metrics"], ["prune", "--older-than", "1d"]])
def test_a_database_without_the_tables_is_said_in_two_lines(
    wdh: Callable[..., Any], database_url: URL, verb: list[str]
) -> None:
    create_engine(database_url).connect().close()
    found = wdh(*verb, noun="runs", url=database_url)
    assert found.exit_code == 7
    assert found.err.count("\n") == 2
    assert "wdh db upgrade" in found.err
    assert wdh("upgrade", url=database_url).exit_code == 0
    assert wdh(*verb, noun="runs", url=database_url).exit_code == 0


def test_a_file_that_is_not_there_is_not_made(wdh: Callable[..., Any], tmp_path: Path) -> None:
    found = wdh("list", noun="runs", url=f"sqlite:///{tmp_path}/none.db")
    assert found.exit_code == 7
    assert found.err.count("\n") == 2
    assert not (tmp_path / "none.db").exists()


def test_the_statuses_of_the_help_are_those_of_the_tables() -> None:
    assert STATUSES == RUN_STATUSES
    assert UUID(FIRST).version == 4
