"""Reads the run log: runs, and the metrics of a run or of a pipeline over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from work_data_hub.domain.runs.entry import ENDED
from work_data_hub.errors import UsageError
from work_data_hub.io.column_types import TIMESTAMP_TYPE, utc_now
from work_data_hub.io.runs.dead_runs import is_silent
from work_data_hub.io.runs.tables import data_quality_metrics, pipeline_executions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta
    from decimal import Decimal
    from uuid import UUID

    from sqlalchemy.engine import Connection

_RUNS = pipeline_executions.c
_METRICS = data_quality_metrics.c
_NAMED_AT_MOST = 3


@dataclass(frozen=True)
class Wanted:
    """Which runs, or metrics, are wanted; what is None is not asked for.

    Attributes:
        pipeline: of this pipeline.
        statuses: in one of these; none is all of them.
        since: that started, or were measured, at this time or later.
        last: at most so many, the newest; of metrics, of each.
    """

    pipeline: str | None = None
    statuses: Sequence[str] = ()
    since: datetime | None = None
    last: int = 20


@dataclass(frozen=True)
class Run:
    """A run, as it is recorded.

    Attributes:
        execution_id: identifies it.
        pipeline: its name.
        status: pending, running, success, failed or cancelled.
        started_at: when it started.
        completed_at: when it ended, if it did.
        input_file: what it read, if it read a file.
        row_counts: rows by step.
        error_details: why it failed.
        last_sign: when it was last heard of.
        is_silent: whether it should have been heard of since: its process died, most likely.
    """

    execution_id: UUID
    pipeline: str
    status: str
    started_at: datetime
    completed_at: datetime | None
    input_file: str | None
    row_counts: Any
    error_details: str | None
    last_sign: datetime
    is_silent: bool

    @property
    def duration(self) -> timedelta | None:
        """How long it took; None for one that goes on."""
        return None if self.completed_at is None else self.completed_at - self.started_at


@dataclass(frozen=True)
class Metric:
    """A measurement.

    Attributes:
        name: what was measured.
        value: None where it was not measurable.
        recorded_at: when.
        execution_id: of which run.
        pipeline: of which pipeline.
        context: what else was said.
    """

    name: str
    value: Decimal | None
    recorded_at: datetime
    execution_id: UUID
    pipeline: str
    context: Mapping[str, Any] | None


def list_runs(connection: Connection, wanted: Wanted) -> list[Run]:
    """Return runs, the newest first."""
    query = _runs()
    if wanted.pipeline is not None:
        query = query.where(_RUNS.pipeline_name == wanted.pipeline)
    if wanted.statuses:
        query = query.where(_RUNS.status.in_(wanted.statuses))
    if wanted.since is not None:
        query = query.where(_RUNS.started_at >= wanted.since)
    query = query.order_by(_RUNS.started_at.desc(), _RUNS.execution_id.desc()).limit(wanted.last)
    return [_run(row) for row in connection.execute(query)]


def find_run(connection: Connection, part: str) -> Run:
    """Return the run whose id is, begins or ends with a text.

    Raises:
        UsageError: there is none, or there are several.
    """
    text = sa.func.lower(sa.cast(_RUNS.execution_id, sa.String))
    is_meant = text.startswith(part.lower(), autoescape=True) | text.endswith(
        part.lower(), autoescape=True
    )
    query = _runs().where(is_meant).order_by(_RUNS.started_at.desc()).limit(_NAMED_AT_MOST)
    found = [_run(row) for row in connection.execute(query)]
    if not found:
        raise UsageError(f"there is no run {part!r}", hint="`wdh runs list` shows the ids")
    if len(found) > 1:
        named = ", ".join(str(run.execution_id) for run in found)
        raise UsageError(f"{part!r} is more than one run: {named}", hint="write more of the id")
    return found[0]


def metrics_of(connection: Connection, execution_id: UUID) -> list[Metric]:
    """Return the metrics of a run, in the order of time."""
    query = data_quality_metrics.select().where(_METRICS.execution_id == execution_id)
    return [_metric(row) for row in connection.execute(query.order_by(_METRICS.recorded_at))]


def list_metrics(connection: Connection, wanted: Wanted, name: str | None) -> list[list[Metric]]:
    """Return the metrics of each pipeline, or one of them: the newest, in the order of time."""
    query = data_quality_metrics.select()
    if wanted.pipeline is not None:
        query = query.where(_METRICS.pipeline_name == wanted.pipeline)
    if name is not None:
        query = query.where(_METRICS.metric_type == name)
    if wanted.since is not None:
        query = query.where(_METRICS.recorded_at >= wanted.since)
    key = (_METRICS.pipeline_name, _METRICS.metric_type)
    newest = sa.func.row_number().over(partition_by=key, order_by=_METRICS.recorded_at.desc())
    ranked = query.add_columns(newest.label("newest")).subquery()
    order = (ranked.c.pipeline_name, ranked.c.metric_type, ranked.c.recorded_at)
    found: dict[tuple[str, str], list[Metric]] = {}
    for row in connection.execute(
        sa.select(ranked).where(ranked.c.newest <= wanted.last).order_by(*order)
    ):
        found.setdefault((row.pipeline_name, row.metric_type), []).append(_metric(row))
    return [*found.values()]


def _runs() -> sa.Select[Any]:
    return sa.select(pipeline_executions, sa.type_coerce(utc_now(), TIMESTAMP_TYPE).label("now"))


def _run(row: sa.Row[Any]) -> Run:
    silent = row.status not in ENDED and is_silent(row.execution_id, row.updated_at, row.now)
    return Run(
        execution_id=row.execution_id,
        pipeline=row.pipeline_name,
        status=row.status,
        started_at=row.started_at,
        completed_at=row.completed_at,
        input_file=row.input_file,
        row_counts=row.row_counts,
        error_details=row.error_details,
        last_sign=row.updated_at,
        is_silent=silent,
    )


def _metric(row: sa.Row[Any]) -> Metric:
    return Metric(
        name=row.metric_type,
        value=row.metric_value,
        recorded_at=row.recorded_at,
        execution_id=row.execution_id,
        pipeline=row.pipeline_name,
        context=row.metadata,
    )
