"""The framework's own tables, beside ``alembic_version`` and in its schema."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import sqlalchemy as sa

from work_data_hub.domain.record.record import IDENTITY, IN_PROGRESS, JOURNAL, NAMES
from work_data_hub.io.column_types import TIMESTAMP_TYPE

__all__ = ["IDENTITY", "IN_PROGRESS", "JOURNAL", "NAMES", "FrameworkTables", "framework_tables"]


class FrameworkTables(NamedTuple):
    """The tables, in one schema."""

    identity: sa.Table
    journal: sa.Table
    in_progress: sa.Table

    def create(self, connection: sa.Connection) -> None:
        """Create all of them; none may be there."""
        self.identity.metadata.create_all(connection, checkfirst=False)


@lru_cache
def framework_tables(schema: str | None) -> FrameworkTables:
    """Return the definitions in the schema of the version table (None: the default one)."""
    metadata = sa.MetaData(schema=schema)
    identity = sa.Table(
        IDENTITY,
        metadata,
        sa.Column("id", sa.String(36), primary_key=True, comment="Random, made at the first run"),
        sa.Column(
            "environment",
            sa.String(20),
            nullable=False,
            comment="dev, staging, prod or ephemeral",
        ),
        sa.Column("pin", sa.String(200), nullable=False, comment="What a copy cannot inherit"),
        sa.Column("recorded_at", TIMESTAMP_TYPE, nullable=False, comment="When it was recorded"),
        comment="Which database this is; one row",
    )
    return FrameworkTables(identity, _journal(metadata), _in_progress(metadata))


def _journal(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        JOURNAL,
        metadata,
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=True),
            primary_key=True,
            comment="In the order of writing",
        ),
        sa.Column("history", sa.String(200), nullable=False, comment="The version table"),
        sa.Column("revision", sa.Text, nullable=False, comment="The revision of the step"),
        sa.Column(
            "direction",
            sa.String(20),
            nullable=False,
            comment="upgrade, downgrade, stamp, adopt, accept, record, seed, fix or schema",
        ),
        sa.Column("outcome", sa.String(20), nullable=False, comment="done or failed"),
        sa.Column("started_at", TIMESTAMP_TYPE, nullable=False, comment="When it started"),
        sa.Column("finished_at", TIMESTAMP_TYPE, nullable=False, comment="When it ended"),
        sa.Column("duration_ms", sa.Integer, nullable=False, comment="How long it took"),
        sa.Column("checksum", sa.String(80), comment="Of the revision's meaning"),
        sa.Column("digest", sa.String(64), comment="SHA-256 of the revision's text"),
        sa.Column("database_user", sa.Text, comment="Who, as the database knows it"),
        sa.Column("os_user", sa.Text, nullable=False, comment="Who, as the machine knows it"),
        sa.Column("host", sa.Text, nullable=False, comment="The machine that ran it"),
        sa.Column("tool_version", sa.String(40), nullable=False, comment="Of work-data-hub"),
        sa.Column("alembic_version", sa.String(40), nullable=False, comment="Of Alembic"),
        sa.Column("detail", sa.Text, comment="Why it failed, or what was recorded"),
        comment="Every step that was run or tried; rows are only ever added",
    )


def _in_progress(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        IN_PROGRESS,
        metadata,
        sa.Column("history", sa.String(200), primary_key=True, comment="The version table"),
        sa.Column("revision", sa.Text, nullable=False, comment="The revision that is running"),
        sa.Column("direction", sa.String(20), nullable=False, comment="upgrade or downgrade"),
        sa.Column("started_at", TIMESTAMP_TYPE, nullable=False, comment="When it started"),
        sa.Column("os_user", sa.Text, nullable=False, comment="Who runs it"),
        sa.Column("host", sa.Text, nullable=False, comment="Where it runs"),
        sa.Column("committed", sa.Text, nullable=False, comment="Statements that are committed"),
        sa.Column("running", sa.Text, comment="The statement that is running outside"),
        comment="A revision that cannot be one transaction, while it runs",
    )
