"""The definitions of the core tables; equal to what the migrations make (a test holds them to it).

A pipeline uses them as they are::

    connection.execute(pipeline_executions.insert().values(pipeline_name="orders", ...))
"""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa

from work_data_hub.io.column_types import (
    JSON_TYPE,
    TIMESTAMP_TYPE,
    UUID_TYPE,
    decimal_type,
    utc_now,
)

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
RUN_STATUSES = ("pending", "running", "success", "failed", "cancelled")

metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)

pipeline_executions = sa.Table(
    "pipeline_executions",
    metadata,
    sa.Column(
        "execution_id",
        UUID_TYPE,
        primary_key=True,
        default=uuid4,
        comment="Identifies the run",
    ),
    sa.Column(
        "pipeline_name", sa.String(150), nullable=False, comment="Name of the pipeline that ran"
    ),
    sa.Column(
        "status",
        sa.String(30),
        nullable=False,
        comment="pending, running, success, failed or cancelled",
    ),
    sa.Column("started_at", TIMESTAMP_TYPE, nullable=False, comment="When the run started"),
    sa.Column("completed_at", TIMESTAMP_TYPE, comment="When the run ended; null while it runs"),
    sa.Column("input_file", sa.Text, comment="The file that the run read, if it read one"),
    sa.Column("row_counts", JSON_TYPE, comment="Rows read, written and rejected, by step"),
    sa.Column("error_details", sa.Text, comment="Why the run failed"),
    sa.Column(
        "created_at",
        TIMESTAMP_TYPE,
        nullable=False,
        server_default=utc_now(),
        comment="When this row was written",
    ),
    sa.Column(
        "updated_at",
        TIMESTAMP_TYPE,
        nullable=False,
        server_default=utc_now(),
        onupdate=utc_now(),
        comment="When this row was last changed",
    ),
    sa.CheckConstraint(
        "status IN ('pending', 'running', 'success', 'failed', 'cancelled')", name="status"
    ),
    sa.Index(None, "pipeline_name", "started_at"),
    sa.Index(None, "started_at"),
    sa.Index(
        "ix_pipeline_executions_failed",
        "started_at",
        postgresql_where=sa.text("status = 'failed'"),
        sqlite_where=sa.text("status = 'failed'"),
    ),
    comment="One row for each run of a pipeline",
)

data_quality_metrics = sa.Table(
    "data_quality_metrics",
    metadata,
    sa.Column(
        "metric_id",
        UUID_TYPE,
        primary_key=True,
        default=uuid4,
        comment="Identifies the measurement",
    ),
    sa.Column(
        "execution_id",
        UUID_TYPE,
        sa.ForeignKey("pipeline_executions.execution_id", ondelete="CASCADE"),
        nullable=False,
        comment="The run that was measured; its metrics go when it goes",
    ),
    sa.Column(
        "pipeline_name", sa.String(150), nullable=False, comment="Name of the pipeline that ran"
    ),
    sa.Column(
        "metric_type",
        sa.String(100),
        nullable=False,
        comment="What was measured, such as null_rate",
    ),
    sa.Column("metric_value", decimal_type(20, 4), comment="The value; null when not measurable"),
    sa.Column("recorded_at", TIMESTAMP_TYPE, nullable=False, comment="When it was measured"),
    sa.Column("metadata", JSON_TYPE, comment="Context of the measurement: columns, thresholds"),
    sa.Index(None, "execution_id"),
    sa.Index(None, "pipeline_name", "metric_type", "recorded_at"),
    comment="One row for each quality measurement of a run",
)
