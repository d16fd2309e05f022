"""Create core tables.

Why: every pipeline logs its runs and the quality of its data in the same two tables.

Revision ID: 20251113_000001
Revises: -
Create Date: 2025-11-13 00:00:01+00:00
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "20251113_000001"
down_revision: str | None = None
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None

# Native on PostgreSQL; text that raw SQL can use unchanged on SQLite.
UUID = postgresql.UUID().with_variant(sa.String(36), "sqlite")
JSON = postgresql.JSONB().with_variant(sa.JSON(), "sqlite")
TIMESTAMP = sa.DateTime(timezone=True)
# In the form in which times are written, so that text compares in the order of time.
NOW_ON_SQLITE = "(strftime('%Y-%m-%d %H:%M:%S+00:00', 'now'))"


def upgrade() -> None:
    on_sqlite = op.get_context().dialect.name == "sqlite"
    now = sa.text(NOW_ON_SQLITE if on_sqlite else "CURRENT_TIMESTAMP")
    op.create_table(
        "pipeline_executions",
        sa.Column("execution_id", UUID, nullable=False, comment="Identifies the run"),
        sa.Column(
            "pipeline_name",
            sa.String(150),
            nullable=False,
            comment="Name of the pipeline that ran",
        ),
        sa.Column(
            "status",
            sa.String(30),
            nullable=False,
            comment="pending, running, success, failed or cancelled",
        ),
        sa.Column("started_at", TIMESTAMP, nullable=False, comment="When the run started"),
        sa.Column("completed_at", TIMESTAMP, comment="When the run ended; null while it runs"),
        sa.Column("input_file", sa.Text(), comment="The file that the run read, if it read one"),
        sa.Column("row_counts", JSON, comment="Rows read, written and rejected, by step"),
        sa.Column("error_details", sa.Text(), comment="Why the run failed"),
        sa.Column(
            "created_at",
            TIMESTAMP,
            nullable=False,
            server_default=now,
            comment="When this row was written",
        ),
        sa.Column(
            "updated_at",
            TIMESTAMP,
            nullable=False,
            server_default=now,
            comment="When this row was last changed",
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'running', 'success', 'failed', 'cancelled')",
            name=op.f("ck_pipeline_executions_status"),
        ),
        sa.PrimaryKeyConstraint("execution_id", name=op.f("pk_pipeline_executions")),
        comment="One row for each run of a pipeline",
    )
    op.create_index(  # the latest runs of a pipeline
        op.f("ix_pipeline_executions_pipeline_name_started_at"),
        "pipeline_executions",
        ["pipeline_name", "started_at"],
    )
    op.create_index(  # runs by time
        op.f("ix_pipeline_executions_started_at"), "pipeline_executions", ["started_at"]
    )
    op.create_index(  # failed runs: few among many, so the index holds them alone
        "ix_pipeline_executions_failed",
        "pipeline_executions",
        ["started_at"],
        postgresql_where=sa.text("status = 'failed'"),
        sqlite_where=sa.text("status = 'failed'"),
    )
    op.create_table(
        "data_quality_metrics",
        sa.Column("metric_id", UUID, nullable=False, comment="Identifies the measurement"),
        sa.Column(
            "execution_id",
            UUID,
            nullable=False,
            comment="The run that was measured; its metrics go when it goes",
        ),
        sa.Column(
            "pipeline_name",
            sa.String(150),
            nullable=False,
            comment="Name of the pipeline that ran",
        ),
        sa.Column(
            "metric_type",
            sa.String(100),
            nullable=False,
            comment="What was measured, such as null_rate",
        ),
        sa.Column("metric_value", sa.Numeric(20, 4), comment="The value; null when not measurable"),
        sa.Column("recorded_at", TIMESTAMP, nullable=False, comment="When it was measured"),
        sa.Column("metadata", JSON, comment="Context of the measurement: columns, thresholds"),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["pipeline_executions.execution_id"],
            name=op.f("fk_data_quality_metrics_execution_id_pipeline_executions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("metric_id", name=op.f("pk_data_quality_metrics")),
        comment="One row for each quality measurement of a run",
    )
    op.create_index(  # the metrics of a run; also what the foreign key needs
        op.f("ix_data_quality_metrics_execution_id"), "data_quality_metrics", ["execution_id"]
    )
    op.create_index(  # one metric of a pipeline over time
        op.f("ix_data_quality_metrics_pipeline_name_metric_type_recorded_at"),
        "data_quality_metrics",
        ["pipeline_name", "metric_type", "recorded_at"],
    )


def downgrade() -> None:
    op.drop_table("data_quality_metrics")
    op.drop_table("pipeline_executions")
