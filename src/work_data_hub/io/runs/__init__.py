"""The run log: the core tables that every pipeline writes to, as SQLAlchemy Core tables."""

from work_data_hub.io.runs.tables import (
    NAMING_CONVENTION,
    RUN_STATUSES,
    data_quality_metrics,
    metadata,
    pipeline_executions,
)

__all__ = [
    "NAMING_CONVENTION",
    "RUN_STATUSES",
    "data_quality_metrics",
    "metadata",
    "pipeline_executions",
]
