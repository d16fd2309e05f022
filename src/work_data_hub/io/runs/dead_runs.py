"""Runs whose process died without a word: found by a heartbeat that stopped, and closed as failed.

The heartbeat is ``updated_at``, by the clock of the database alone: no clock of a host, no process
id and no host's name counts, so that a host that was restarted, or is gone, is no special case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from work_data_hub.domain.runs.run_id import beat_of
from work_data_hub.io.column_types import TIMESTAMP_TYPE, utc_now
from work_data_hub.io.runs.tables import pipeline_executions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.engine import Connection

# A busy machine misses a few; a suspended one is taken for dead, until its run says how it ended.
BEATS_MISSED = 8
LATEST_RUNS = 100

_RUNS = pipeline_executions.c


class DeadRun(NamedTuple):
    """A run that is recorded as running, and is not.

    Attributes:
        run_id: which.
        pipeline: of which pipeline.
        last_beat: when it was alive for the last time.
    """

    run_id: UUID
    pipeline: str
    last_beat: datetime


def find_dead_runs(
    connection: Connection, *, pipeline: str | None = None, beside: UUID | None = None
) -> Sequence[DeadRun]:
    """Return the dead runs; of those that ``record_run`` made: others have no heartbeat.

    Args:
        connection: to the database.
        pipeline: of this one alone, and among its latest hundred runs.
        beside: a run that asks, and so is alive.
    """
    columns = (_RUNS.execution_id, _RUNS.pipeline_name, _RUNS.updated_at, _RUNS.status)
    now = sa.type_coerce(utc_now(), TIMESTAMP_TYPE).label("now")
    query = sa.select(*columns, now)
    if pipeline is None:
        query = query.where(_RUNS.status == "running")
    else:  # by the index: a start must not cost a look at every run there was
        query = query.where(_RUNS.pipeline_name == pipeline)
        query = query.order_by(_RUNS.started_at.desc()).limit(LATEST_RUNS)
    rows = connection.execute(query).all()
    connection.rollback()
    return [
        DeadRun(row.execution_id, row.pipeline_name, row.updated_at)
        for row in rows
        if row.status == "running"
        and row.execution_id != beside
        and is_silent(row.execution_id, row.updated_at, row.now)
    ]


def is_silent(run_id: UUID, last_beat: datetime, now: datetime) -> bool:
    """Whether a run has a heartbeat, and it stopped."""
    beat = beat_of(run_id)
    return beat is not None and now - last_beat > BEATS_MISSED * beat


def close_dead_runs(
    connection: Connection, *, pipeline: str | None = None, beside: UUID | None = None
) -> Sequence[DeadRun]:
    """Close the dead runs as failed, and return those that this call closed.

    Args:
        connection: to the database, which commits each statement.
        pipeline: as ``find_dead_runs``.
        beside: the same.
    """
    found = find_dead_runs(connection, pipeline=pipeline, beside=beside)
    return [run for run in found if _close(connection, run)]


def _close(connection: Connection, run: DeadRun) -> bool:
    is_as_seen = (
        (_RUNS.execution_id == run.run_id)
        & (_RUNS.status == "running")
        & (_RUNS.updated_at == run.last_beat)  # it may have come to life, or another closed it
    )
    change = pipeline_executions.update().where(is_as_seen)
    values = {
        "status": "failed",
        "completed_at": run.last_beat,
        "error_details": "its process ended without a word: the heartbeat stopped at"
        f" {run.last_beat:%Y-%m-%d %H:%M:%S} UTC",
    }
    is_closed = connection.execute(change.values(values)).rowcount == 1
    connection.commit()
    return is_closed
