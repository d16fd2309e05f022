"""Deletes old runs and their metrics: dangerous, and so on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from work_data_hub.config import get_settings
from work_data_hub.domain.record.record import VERSION_TABLE
from work_data_hub.domain.run import protection
from work_data_hub.domain.runs.entry import ENDED
from work_data_hub.errors import RefusedError
from work_data_hub.io.runs.tables import data_quality_metrics, pipeline_executions
from work_data_hub.io.schema.record.facts import read_facts
from work_data_hub.io.schema.record.identity import read_target

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

# In steps, so that no statement holds up those who write for long.
RUNS_AT_ONCE = 1000

_RUNS = pipeline_executions.c


class OldRuns(NamedTuple):
    """Runs that ended and are old, and their metrics.

    Attributes:
        before: they started before this time.
        pipeline: of this one alone; None for all.
        runs: how many there are.
        metrics: how many metrics they have.
    """

    before: datetime
    pipeline: str | None
    runs: int
    metrics: int


def find_old_runs(connection: Connection, before: datetime, pipeline: str | None) -> OldRuns:
    """Count what ``prune`` would delete: what has not ended stays, however old it is."""
    is_old = _is_old(before, pipeline)
    runs = sa.select(sa.func.count()).select_from(pipeline_executions).where(is_old)
    metrics = (
        sa.select(sa.func.count())
        .select_from(data_quality_metrics.join(pipeline_executions))
        .where(is_old)
    )
    counts = connection.scalar(runs) or 0, connection.scalar(metrics) or 0
    connection.rollback()
    return OldRuns(before, pipeline, *counts)


def refuse_pruning(connection: Connection, old: OldRuns, confirmed: str | None) -> None:
    """Refuse to delete in a database of another environment, or unnamed on staging and prod.

    Raises:
        RefusedError: with the way out.
    """
    session = get_settings().environment
    target = read_target(connection, read_facts(connection, VERSION_TABLE, None), session)
    connection.rollback()
    refusal = protection.check_environment(target, session) or protection.check_destructive(
        target, f"deleting {old.runs} run(s)", confirmed
    )
    if refusal is not None:
        raise RefusedError(refusal.reason, hint=refusal.way_out)


def prune(connection: Connection, old: OldRuns) -> int:
    """Delete old runs, the oldest first; return how many.

    Args:
        connection: to the database, which commits each statement.
        old: what was counted; runs that have become old since are not among them.
    """
    oldest = (
        sa.select(_RUNS.execution_id)
        .where(_is_old(old.before, old.pipeline))
        .order_by(_RUNS.started_at)
        .limit(RUNS_AT_ONCE)
    )
    delete = pipeline_executions.delete().where(_RUNS.execution_id.in_(oldest))
    deleted = 0
    while True:
        step = connection.execute(delete).rowcount
        connection.commit()
        deleted += step
        if step < RUNS_AT_ONCE:
            return deleted


def _is_old(before: datetime, pipeline: str | None) -> sa.ColumnElement[bool]:
    is_old = (_RUNS.started_at < before) & _RUNS.status.in_(ENDED)
    return is_old if pipeline is None else is_old & (_RUNS.pipeline_name == pipeline)
