"""The run log: what every pipeline writes of its runs, and the core tables that hold it.

    with record_run("orders") as run: ...

The tables are SQLAlchemy Core tables. What else is named here is imported when it is asked for: who
only wants the tables need not pay for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from work_data_hub.io.runs.tables import (
    NAMING_CONVENTION,
    RUN_STATUSES,
    data_quality_metrics,
    metadata,
    pipeline_executions,
)

if TYPE_CHECKING:
    from work_data_hub.io.runs.recorder import RecordedRun, record_run

__all__ = [
    "NAMING_CONVENTION",
    "RUN_STATUSES",
    "RecordedRun",
    "data_quality_metrics",
    "metadata",
    "pipeline_executions",
    "record_run",
]
_OF_THE_RECORDER = {"RecordedRun", "record_run"}


def __getattr__(name: str) -> object:
    """Import the recorder when it is first used (PEP 562)."""
    if name not in _OF_THE_RECORDER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.recorder"), name)
    globals()[name] = found
    return found
