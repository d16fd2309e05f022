"""What a run has said so far, and what of it was not taken yet; for any number of threads."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from work_data_hub.domain.runs.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal
    from uuid import UUID


class Taken(NamedTuple):
    """What was not taken before.

    Attributes:
        entry: all of the row, and the new metrics.
        row_is_new: whether anything of the row is.
    """

    entry: Entry
    row_is_new: bool


class RunState:
    """See the module.

    Args:
        run_id: identifies the run.
        pipeline: its name.
        input_file: the file that it reads, if it reads one.
    """

    def __init__(self, run_id: UUID, pipeline: str, input_file: str | None) -> None:
        self._lock = threading.Lock()
        self._row: dict[str, Any] = {
            "execution_id": str(run_id),
            "pipeline_name": pipeline,
            "status": "running",
            "started_at": _now(),
            "completed_at": None,
            "input_file": input_file,
            "row_counts": None,
            "error_details": None,
        }
        self._row_is_new = True
        self._metrics: list[Mapping[str, Any]] = []
        self._on_their_way: tuple[Mapping[str, Any], ...] = ()

    def count(self, step: str, rows: int) -> None:
        """Add rows to those of a step."""
        with self._lock:
            counts = self._row["row_counts"] or {}
            self._row["row_counts"] = {**counts, step: counts.get(step, 0) + rows}
            self._row_is_new = True

    def measure(self, name: str, value: Decimal | None, context: Mapping[str, Any] | None) -> None:
        """Add a metric."""
        metric = {
            "metric_id": str(uuid4()),
            "execution_id": self._row["execution_id"],
            "pipeline_name": self._row["pipeline_name"],
            "metric_type": name,
            "metric_value": None if value is None else str(value),
            "recorded_at": _now(),
            "metadata": context,
        }
        with self._lock:
            self._metrics.append(metric)

    def end(self, status: str, details: str | None) -> None:
        """Say how the run ended."""
        with self._lock:
            ending = {"status": status, "completed_at": _now(), "error_details": details}
            self._row.update(ending)
            self._row_is_new = True

    @property
    def has_news(self) -> bool:
        """Whether there is something to take."""
        return self._row_is_new or bool(self._metrics)

    def take(self) -> Taken:
        """Return what is new; until ``arrived`` is called, ``unsaid`` has it too."""
        with self._lock:
            self._on_their_way, self._metrics = tuple(self._metrics), []
            row_is_new, self._row_is_new = self._row_is_new, False
            return Taken(Entry(dict(self._row), self._on_their_way), row_is_new)

    def arrived(self) -> None:
        """Note that what was taken is kept somewhere."""
        with self._lock:
            self._on_their_way = ()

    def unsaid(self) -> Entry:
        """Return all that may not be kept anywhere yet."""
        with self._lock:
            return Entry(dict(self._row), (*self._on_their_way, *self._metrics))


def _now() -> str:
    return datetime.now(UTC).isoformat()
