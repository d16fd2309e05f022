"""The verbs of `wdh runs`: list, show, metrics, flush, prune."""

from __future__ import annotations

import argparse
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from work_data_hub.cli import project_config, streams
from work_data_hub.cli.answer import Answer
from work_data_hub.cli.verb import CONFIRM, YES, argument, verb
from work_data_hub.domain.runs.moment import moment_of
from work_data_hub.errors import DatabaseUnavailableError, RefusedError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import Connection

    from work_data_hub.io.runs.flush import Flushed
    from work_data_hub.io.runs.run_database import RunDatabase
    from work_data_hub.io.runs.run_list import Wanted

# `work_data_hub.io.runs.RUN_STATUSES`, which a short-lived command does not import for its help.
STATUSES = ("pending", "running", "success", "failed", "cancelled")


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 1000000")
    return int(text)


_PIPELINE = argument("--pipeline", metavar="NAME", help="only of this pipeline")
_SINCE = argument(
    "--since", metavar="WHEN", help="only from then on: 24h, 7d, 2026-03-01, a time with its zone"
)


def _last(number: int, what: str) -> tuple[tuple[str, ...], dict[str, object]]:
    return argument(
        "--last", type=_count, default=number, metavar="N", help=f"{what} (default: {number})"
    )


@verb(
    _PIPELINE,
    argument(
        "--status",
        action="append",
        default=[],
        choices=STATUSES,
        help="only in this status; may be repeated",
    ),
    argument("--failed", action="store_true", help="the same as --status failed"),
    _SINCE,
    _last(20, "at most so many"),
    examples=("wdh runs list", "wdh runs list --pipeline orders_daily --failed --since 7d"),
)
def list(call: Namespace) -> Answer:  # noqa: A001  # a function has the name of its verb
    """List runs, the newest first."""
    from work_data_hub.cli import run_texts
    from work_data_hub.io.runs.run_list import list_runs

    statuses = [*call.status, *(["failed"] if call.failed else [])]
    with _connected(_database(call)) as connection:
        found = list_runs(connection, _wanted(call, statuses))
    lines = [run_texts.run_line(run) for run in found]
    return Answer(
        {"runs": [run_texts.run_data(run) for run in found]},
        lines or ("there is no such run",),
        bare=[str(run.execution_id) for run in found],
    )


@verb(
    argument(
        "id", nargs="?", metavar="ID", help="its id, or how that begins or ends (default: the last)"
    ),
    _PIPELINE,
    examples=("wdh runs show", "wdh runs show --pipeline orders_daily"),
)
def show(call: Namespace) -> Answer:
    """Show all that a run says of itself."""
    from work_data_hub.cli import run_texts
    from work_data_hub.io.runs.run_list import Wanted, find_run, list_runs, metrics_of

    with _connected(_database(call)) as connection:
        if call.id is not None:
            found = [find_run(connection, call.id)]
        else:
            found = list_runs(connection, Wanted(pipeline=call.pipeline, last=1))
        metrics = [metric for run in found for metric in metrics_of(connection, run.execution_id)]
    if not found:
        return Answer({"run": None, "metrics": []}, ("there is no run yet",))
    (run,) = found
    return Answer(
        {"run": run_texts.run_data(run), "metrics": [*map(run_texts.metric_data, metrics)]},
        run_texts.run_lines(run, metrics),
        bare=[str(run.execution_id)],
    )


@verb(
    argument("name", nargs="?", metavar="METRIC", help="only this one"),
    _PIPELINE,
    _SINCE,
    _last(30, "the newest of each metric"),
    examples=("wdh runs metrics", "wdh runs metrics null_rate --pipeline orders_daily --since 30d"),
)
def metrics(call: Namespace) -> Answer:
    """Show the metrics of each pipeline over time."""
    from work_data_hub.cli import run_texts
    from work_data_hub.io.runs.run_list import list_metrics

    with _connected(_database(call)) as connection:
        found = list_metrics(connection, _wanted(call), call.name)
    lines = run_texts.series_lines(found)
    return Answer(
        {"metrics": [*map(run_texts.series_data, found)]},
        lines or ("there is no such metric",),
        bare=lines,
    )


@verb(
    argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="these, whatever database they are of (default: all of the spool that are of this)",
    ),
    examples=("wdh runs flush",),
    when_interrupted="what was not loaded stays in its files; flush again",
)
def flush(call: Namespace) -> Answer:
    """Load what runs said while the database was away, and close those whose process died."""
    from work_data_hub.io.runs.dead_runs import close_dead_runs
    from work_data_hub.io.runs.flush import flush as load

    database = _database(call)
    found = load(database, call.files)
    with _connected(database) as connection:
        closed = close_dead_runs(connection)
    data = {
        "loaded": [*map(str, found.loaded)],
        "runs": [*found.runs],
        "metrics": found.metrics,
        "in_use": [*map(str, found.in_use)],
        "elsewhere": [{"path": str(path), "database": label} for path, label in found.elsewhere],
        "damaged": [*map(str, found.damaged)],
        "closed": [str(run.run_id) for run in closed],
    }
    dead = [f"{run.run_id} of {run.pipeline}: its process died, closed as failed" for run in closed]
    lines = [*_said(found), *dead]
    return Answer(data, lines or ("nothing had to be done",))


@verb(
    argument(
        "--older-than",
        required=True,
        metavar="WHEN",
        help="that started before: 90d (ago), 2026-03-01, a time with its zone",
    ),
    _PIPELINE,
    YES,
    CONFIRM,
    examples=("wdh runs prune --older-than 365d --yes",),
    when_interrupted="some of the old runs, each with its metrics, were deleted",
)
def prune(call: Namespace) -> Answer:
    """Say how many runs are old, ask, and delete them with their metrics.

    Raises:
        RefusedError: nobody agreed, or the database may not be touched.
    """
    from work_data_hub.cli.run_texts import counted
    from work_data_hub.io.runs import pruning

    before = moment_of(call.older_than, datetime.now(UTC))
    with _connected(_database(call)) as connection:
        old = pruning.find_old_runs(connection, before, call.pipeline)
        deleted = 0
        if old.runs:
            pruning.refuse_pruning(connection, old, call.confirm)
            if not call.yes:
                _agree(old.runs, old.metrics, before)
            deleted = pruning.prune(connection, old)
    data = {"runs": deleted, "metrics": old.metrics, "before": before.isoformat()}
    what = f"{counted(deleted, 'run')} deleted, with {counted(old.metrics, 'metric')}"
    return Answer(data, (what if deleted else "nothing had to be done",))


def _agree(runs: int, metrics: int, before: datetime) -> None:
    from work_data_hub.cli.run_texts import counted

    question = (
        f"This deletes {counted(runs, 'run')} that started before {before:%Y-%m-%d %H:%M:%S} UTC,"
        f" with {counted(metrics, 'metric')}. Type yes to go on: "
    )
    if streams.agreement(question, to="deletion") != "yes":
        raise RefusedError("nobody said yes: nothing was deleted", hint="run it again")


def _said(found: Flushed) -> Sequence[str]:
    from work_data_hub.cli.run_texts import counted

    lines = []
    if found.runs:
        lines.append(
            f"{counted(len(found.runs), 'run')} loaded, with {counted(found.metrics, 'metric')}"
        )
    lines += [f"{path}: in use by a run that goes on, or by another flush" for path in found.in_use]
    lines += [
        f"{path}: of {label or 'an unknown database'}; name the file to load it here"
        for path, label in found.elsewhere
    ]
    return lines + [f"{path}: lines that cannot be read are kept in it" for path in found.damaged]


def _wanted(call: Namespace, statuses: Sequence[str] = ()) -> Wanted:
    from work_data_hub.io.runs.run_list import Wanted

    since = None if call.since is None else moment_of(call.since, datetime.now(UTC))
    return Wanted(call.pipeline, statuses, since, call.last)


def _database(call: Namespace) -> RunDatabase:
    from work_data_hub.io.runs.run_database import run_database

    folder = project_config.find(call.config).parent
    return run_database(call.database_url, source="--database-url", folder=folder)


@contextmanager
def _connected(database: RunDatabase) -> Iterator[Connection]:
    """Open a connection to the run log, and word what the database says of a statement."""
    from sqlalchemy.exc import SQLAlchemyError

    with database.connect() as connection:
        try:
            yield connection
        except SQLAlchemyError as error:
            raise DatabaseUnavailableError(
                f"the run log cannot be used: {database.reason(error)}",
                hint="`wdh db status` says whether the tables are there; `wdh db upgrade` makes"
                " them",
            ) from error
