"""The journal: one row for every step that was run or tried; rows are only ever added."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from work_data_hub.domain.record.record import SCHEMA, deciding_rows
from work_data_hub.io.column_types import TIMESTAMP_TYPE
from work_data_hub.io.schema.record.framework_tables import JOURNAL, framework_tables
from work_data_hub.io.schema.record.runner import this_runner
from work_data_hub.redaction import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Connection

    from work_data_hub.domain.run.plan import Step
    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.record.facts import DatabaseFacts

JournalDirection = Literal[
    "upgrade", "downgrade", "stamp", "adopt", "accept", "record", "seed", "fix", "schema"
]
Outcome = Literal["done", "failed"]


@dataclass(frozen=True)
class SourceMark:
    """What identifies the content of a file.

    Attributes:
        checksum: of a revision's meaning; None for what cannot be parsed.
        digest: SHA-256 of its text.
    """

    checksum: str | None
    digest: str


@dataclass(frozen=True)
class JournalEntry:
    """One row of the journal, as people and programs read it.

    Attributes:
        revision: the revision of the step; for a record, the database's identity; for a seed,
            the name of the file; for a fix, the code of what was found.
        direction: upgrade, downgrade, stamp; adopt (was applied before the framework came),
            accept (an edited file was accepted), record (the environment class was recorded),
            seed (a file was loaded), fix (something unhealthy was mended).
        outcome: done or failed.
        started_at, finished_at: aware, in UTC.
        duration_ms: how long the step took, in milliseconds.
        checksum: of the revision's meaning, where the file was there and could be parsed.
        digest: SHA-256 of its text.
        database_user, os_user, host: who ran it, and where.
        tool_version, alembic_version: with which versions.
        detail: why it failed, what was recorded, how many rows were loaded, or the statement that
            mended something.
    """

    revision: str
    direction: str
    outcome: str
    started_at: datetime
    finished_at: datetime
    duration_ms: int
    checksum: str | None
    digest: str | None
    database_user: str | None
    os_user: str
    host: str
    tool_version: str
    alembic_version: str
    detail: str | None


_PUT_BACK = """
    WITH put_back AS (
        SELECT set_config(was.key, was.value, false) FROM json_each_text(%(settings)s::json) AS was
         WHERE current_setting(was.key, true) IS DISTINCT FROM was.value
    )
"""
_SAY_WHICH = "RETURNING pg_current_xact_id()::text, (SELECT count(*) FROM put_back)"
_WRITTEN = ("history", *JournalEntry.__dataclass_fields__)


def _as_it_is(value: Any) -> Any:
    return value


class Journal:
    """The journal of one history in one database.

    Writing happens in the transaction of the connection, and commits or ends with it.

    Args:
        connection: the connection of the run.
        schema: where the framework's tables are.
        history: the name of the version table.
        database_user: who the database says we are.
    """

    def __init__(
        self, connection: Connection, schema: str | None, history: str, database_user: str | None
    ) -> None:
        self._connection = connection
        self._table = framework_tables(schema).journal
        self._history = history
        self._constant = {
            **asdict(this_runner()),
            "history": history,
            "database_user": database_user,
        }
        # Compiled once: a row is written for every revision.
        compiled = (
            self._table.insert()
            .inline()
            .compile(dialect=connection.dialect, column_keys=[*_WRITTEN])
        )
        self._insert = compiled.string
        self._order = compiled.positiontup
        self._write_time = TIMESTAMP_TYPE.bind_processor(connection.dialect) or _as_it_is

    def add(
        self,
        revision: str,
        direction: JournalDirection,
        *,
        outcome: Outcome = "done",
        started_at: datetime | None = None,
        source: SourceMark | None = None,
        detail: str | None = None,
    ) -> None:
        """Add one row."""
        row = self._row(revision, direction, outcome, started_at, source, detail)
        self._connection.exec_driver_sql(self._insert, self._parameters(row))

    def add_last(
        self,
        step: Step,
        started_at: datetime,
        source: SourceMark | None,
        settings: str,
        detail: str | None,
    ) -> str:
        """Add the row of a step that is done, as the last statement of it (PostgreSQL).

        Args:
            step: which.
            started_at: when it began.
            source: what was run.
            settings: of the session, as JSON by name; those that the step changed, in whatever
                way, are put back in the same round trip.
            detail: what there is to say of it.

        Returns:
            The id of the transaction.
        """
        row = self._row(step.revision, step.direction, "done", started_at, source, detail)
        query = f"{_PUT_BACK} {self._insert} {_SAY_WHICH}"
        parameters = {**self._parameters(row), "settings": settings}
        return str(self._connection.exec_driver_sql(query, parameters).scalar_one())

    def adopt(self, revisions: Iterable[tuple[str, SourceMark | None]]) -> None:
        """Record revisions that were applied before the framework came."""
        rows = [
            self._row(revision, "adopt", "done", None, source, None)
            for revision, source in revisions
        ]
        if rows:
            self._connection.exec_driver_sql(self._insert, [self._parameters(row) for row in rows])

    def _parameters(self, row: dict[str, Any]) -> Any:
        """Return a row as the driver takes it, by name or by position."""
        times = {name: self._write_time(row[name]) for name in ("started_at", "finished_at")}
        written = {**row, **times}
        return written if self._order is None else tuple(written[name] for name in self._order)

    def _row(
        self,
        revision: str,
        direction: JournalDirection,
        outcome: Outcome,
        started_at: datetime | None,
        source: SourceMark | None,
        detail: str | None,
    ) -> dict[str, Any]:
        now = datetime.now(UTC)
        started = started_at or now
        return {
            **self._constant,
            "revision": revision,
            "direction": direction,
            "outcome": outcome,
            "started_at": started,
            "finished_at": now,
            "duration_ms": round((now - started).total_seconds() * 1000),
            "checksum": source.checksum if source else None,
            "digest": source.digest if source else None,
            "detail": without_secrets(detail) if detail else detail,
        }

    def entries(self, last: int | None = None) -> list[JournalEntry]:
        """Return every row, or the newest ones; the oldest of them first."""
        query = self._select().order_by(self._table.c.id.desc()).limit(last)
        return self._read(query)[::-1]

    def deciding(self) -> list[JournalEntry]:
        """Return the rows that say what is applied, the oldest first."""
        journal = self._connection.dialect.identifier_preparer.format_table(self._table)
        condition = sa.text(deciding_rows(journal, ":history")).bindparams(history=self._history)
        return self._read(self._select().where(condition).order_by(self._table.c.id))

    def _select(self) -> sa.Select[Any]:
        columns = [self._table.c[name] for name in JournalEntry.__dataclass_fields__]
        query = sa.select(*columns).where(self._table.c.history == self._history)
        return query.where(self._table.c.direction != SCHEMA)

    def _read(self, query: sa.Select[Any]) -> list[JournalEntry]:
        return [_as_read(tuple(row)) for row in self._connection.execute(query)]


def _as_read(row: Sequence[Any]) -> JournalEntry:
    *first, started, finished, duration_ms = row[:6]
    # PostgreSQL answers in the session's time zone.
    times = started.astimezone(UTC), finished.astimezone(UTC)
    # An older version of the package kept secrets.
    detail = without_secrets(row[-1]) if row[-1] else row[-1]
    read: Sequence[Any] = (*first, *times, duration_ms, *row[6:-1], detail)
    return JournalEntry(*read)


def journal_of(view: DatabaseView, facts: DatabaseFacts) -> Journal | None:
    """Return the journal of a database; None where no run has made one yet, or it is hidden."""
    if JOURNAL not in facts.framework_tables or not facts.is_readable:
        return None
    return Journal(view.connection, facts.schema, view.history, facts.user)
