"""A revision that was interrupted outside of its transaction, in words and as data."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from work_data_hub.domain.sql.lexer import without_comments
from work_data_hub.domain.sql.statement import concurrent_index
from work_data_hub.errors import MigrationFailedError
from work_data_hub.io.schema.record.framework_tables import framework_tables
from work_data_hub.io.schema.record.runner import this_runner

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from work_data_hub.domain.run.plan import Step

_SHOWN_CHARACTERS = 80
# What may simply be run again.
_REPEATABLE = re.compile(
    r"\s*(?:(?:CREATE|DROP|ALTER)\b.*\bIF\s+(?:NOT\s+)?EXISTS\b|VACUUM\b|ANALYZE\b|SET\b)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Interrupted:
    """A revision that did not end.

    Attributes:
        revision, direction: which, and what was done with it.
        started_at: when, in UTC.
        who: user and machine.
        committed: its statements that are committed for certain, in order.
        running: the statement of which it is not known.
    """

    revision: str
    direction: str
    started_at: datetime
    who: str
    committed: tuple[str, ...]
    running: str | None

    @property
    def statements(self) -> list[str]:
        """What is or may be committed."""
        return [*self.committed, *([self.running] if self.running else [])]

    @property
    def is_repeatable(self) -> bool:
        """Whether it can be run again when its concurrent indexes are dropped."""
        return all(_is_repeatable(text) for text in self.statements)

    def as_fault(self) -> MigrationFailedError:
        """Return the error that names what was committed, what was not, and what to do."""
        done = "; ".join(_shown(text) for text in self.committed) or "nothing"
        perhaps = f"; perhaps committed: {_shown(self.running)}" if self.running else ""
        return MigrationFailedError(
            f"{self.direction} {self.revision} was interrupted ({self.who},"
            f" {self.started_at:%Y-%m-%d %H:%M} UTC); committed: {done}{perhaps}; not committed:"
            " everything after that, and the version row",
            hint=f"finish it by hand and run `alembic -x resolved={self.revision} stamp"
            f" {self.revision}`, or undo it by hand and run again with -x resolved={self.revision}"
            f" (wdh db: --resolved {self.revision})",
            failed=self.revision,
        )


class Marks:
    """The marks of one history: a revision that leaves its transaction, while it runs.

    Writing happens in the transaction of the connection, and commits or ends with it.

    Args:
        connection: to the database.
        schema: where the framework's tables are, or will be.
        history: the name of the version table.
    """

    def __init__(self, connection: Connection, schema: str | None, history: str) -> None:
        self.connection = connection
        self._table = framework_tables(schema).in_progress
        self._history = history
        self._is_of_history = self._table.c.history == history

    def read(self) -> Interrupted | None:
        """Return the revision that did not end, if there is one; the table is there."""
        row = self.connection.execute(sa.select(self._table).where(self._is_of_history)).first()
        if row is None:
            return None
        return Interrupted(
            revision=row.revision,
            direction=row.direction,
            started_at=row.started_at,
            who=f"{row.os_user}@{row.host}",
            committed=tuple(json.loads(row.committed)),
            running=row.running,
        )

    def write(self, step: Step, started_at: datetime, committed: Sequence[str]) -> None:
        """Mark a revision, before its transaction is left."""
        runner = this_runner()
        mark = {
            "history": self._history,
            "revision": step.revision,
            "direction": step.direction,
            "started_at": started_at,
            "os_user": runner.os_user,
            "host": runner.host,
            "committed": json.dumps(committed),
            "running": None,
        }
        self.connection.execute(self._table.insert().values(mark))

    def update(self, committed: Sequence[str], running: str | None) -> None:
        """Note what was committed since, and what is running."""
        self.connection.execute(
            self._table.update()
            .where(self._is_of_history)
            .values(committed=json.dumps(committed), running=running)
        )

    def forget(self) -> None:
        """Remove the mark."""
        self.connection.execute(self._table.delete().where(self._is_of_history))


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[: _SHOWN_CHARACTERS - 3]}..."


def _is_repeatable(statement: str) -> bool:
    """Whether one statement can be run again; of several in one text it is not known."""
    text = without_comments(statement, "postgresql").removesuffix(";")
    return ";" not in text and bool(concurrent_index(text) or _REPEATABLE.match(text))
