"""The rows of the journal that keep what the schema was at the end of a run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from work_data_hub.domain.record.record import SCHEMA
from work_data_hub.domain.snapshot.fingerprint import Fingerprint
from work_data_hub.io.schema.record.framework_tables import framework_tables
from work_data_hub.io.schema.record.journal import SourceMark

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection

    from work_data_hub.io.schema.record.journal import Journal


class KeptSchema(NamedTuple):
    """What was kept of a schema.

    Attributes:
        at: when, aware, in UTC.
        revisions: that the database was at, in words.
        fingerprint: of the schema.
    """

    at: datetime
    revisions: str
    fingerprint: Fingerprint


def keep(journal: Journal, revisions: str, found: Fingerprint) -> None:
    """Keep what the schema is.

    Args:
        journal: of the run.
        revisions: that the database is at (``in_words``).
        found: the schema.
    """
    source = SourceMark(found.whole, found.scope)
    journal.add(revisions, "schema", source=source, detail=found.parts)


def last_kept(connection: Connection, schema: str | None) -> KeptSchema | None:
    """Return what was kept last, at the end of a run of whichever history.

    Args:
        connection: to the database.
        schema: where the journal is.
    """
    table = framework_tables(schema).journal
    columns = (
        table.c[name] for name in ("finished_at", "revision", "checksum", "digest", "detail")
    )
    query = sa.select(*columns).where(table.c.direction == SCHEMA).order_by(table.c.id.desc())
    row = connection.execute(query.limit(1)).first()
    if row is None:
        return None
    at, revisions, whole, scope, parts = row
    return KeptSchema(at.astimezone(UTC), revisions, Fingerprint(whole, scope, parts or ""))


def in_words(versions: Iterable[str]) -> str:
    """Return the revisions that a database is at as they are kept."""
    return ", ".join(sorted(versions)) or "base"
