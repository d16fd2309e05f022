"""A revision while it is outside of its transaction: what of it is committed, in little space."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.sql.statement import (
    ConcurrentIndex,
    concurrent_index,
    may_be_repeated,
)
from work_data_hub.errors import MigrationFailedError
from work_data_hub.redaction import statement_without_secrets

if TYPE_CHECKING:
    from datetime import datetime

    from work_data_hub.domain.sql.lexer import Dialect

SHOWN_STATEMENTS = 20
_SHOWN_CHARACTERS = 80
# A secret may begin in what is shown, and is known by what comes behind it.
_READ_CHARACTERS = 4_000


class Session(NamedTuple):
    """A server process, told from a later one of the same number.

    Attributes:
        pid: its number.
        started: when it started, as the server writes it.
    """

    pid: int
    started: str


@dataclass(frozen=True)
class Noted:
    """One statement, as far as it is remembered.

    Attributes:
        shown: its beginning, for people.
        may_be_repeated: judged on the whole text.
        index: what it builds concurrently.
    """

    shown: str
    may_be_repeated: bool
    index: ConcurrentIndex | None = None

    @classmethod
    def of(cls, text: str, dialect: Dialect) -> Noted:
        """Note a statement."""
        index = concurrent_index(text) if dialect == "postgresql" else None
        return cls(shown(text), may_be_repeated(text, dialect), index)


@dataclass
class Executed:
    """The statements of a revision that are committed, or will be with what they are in.

    Attributes:
        count: how many there are.
        first: the first of them, for people.
        may_be_repeated: whether all of them may run again, in their order.
        indexes: what they built concurrently.
    """

    count: int = 0
    first: list[str] = field(default_factory=list)
    may_be_repeated: bool = True
    indexes: list[ConcurrentIndex] = field(default_factory=list)

    def add(self, statement: Noted) -> bool:
        """Add one; return whether more than the count changed."""
        self.count += 1
        changed = self.count <= SHOWN_STATEMENTS or statement.index is not None
        if self.count <= SHOWN_STATEMENTS:
            self.first.append(statement.shown)
        if statement.index is not None:
            self.indexes.append(statement.index)
        if not statement.may_be_repeated and self.may_be_repeated:
            self.may_be_repeated, changed = False, True
        return changed

    def note(self, text: str, dialect: Dialect) -> None:
        """Add one that runs in a transaction; once nothing more is kept of them, it is counted."""
        if self.count < SHOWN_STATEMENTS or self.may_be_repeated:
            self.add(Noted.of(text, dialect))
        else:
            self.count += 1

    def add_all(self, others: Executed) -> None:
        """Add what was executed after this."""
        self.count += others.count
        self.first = [*self.first, *others.first][:SHOWN_STATEMENTS]
        self.may_be_repeated = self.may_be_repeated and others.may_be_repeated
        self.indexes += others.indexes

    def __str__(self) -> str:
        """Return what people are told."""
        more = self.count - len(self.first)
        listed = [*self.first, *([f"and {more} more"] if more else [])]
        return "; ".join(listed) or "nothing"


@dataclass(frozen=True)
class Interrupted:
    """A revision that did not end.

    Attributes:
        revision, direction: which, and what was done with it.
        started_at: when, in UTC.
        who: user and machine.
        executed: what is committed for certain.
        running: the statement of which it is not known.
        session: the server process that ran it; None where there are none.
    """

    revision: str
    direction: str
    started_at: datetime
    who: str
    executed: Executed
    running: Noted | None
    session: Session | None

    @property
    def may_be_repeated(self) -> bool:
        """Whether it can be run again when what is INVALID of its indexes is dropped."""
        running = self.running is None or self.running.may_be_repeated
        return running and self.executed.may_be_repeated

    @property
    def indexes(self) -> list[ConcurrentIndex]:
        """What it built concurrently, or may have built."""
        last = self.running.index if self.running else None
        return [*self.executed.indexes, *([last] if last else [])]

    def as_fault(self) -> MigrationFailedError:
        """Return the error that names what was committed, what was not, and what to do."""
        perhaps = f"; perhaps committed: {self.running.shown}" if self.running else ""
        again = (
            f"run the {self.direction} of {self.revision} again, which repeats it; or "
            if self.may_be_repeated
            else ""
        )
        return MigrationFailedError(
            f"{self.direction} {self.revision} was interrupted ({self.who},"
            f" {self.started_at:%Y-%m-%d %H:%M} UTC); committed: {self.executed}{perhaps};"
            " not committed: everything after that, and the version row",
            hint=f"{again}finish it by hand and run `alembic -x resolved={self.revision} stamp"
            f" {self.stamped}`, or undo it by hand and run again with -x resolved={self.revision}"
            f" (wdh db: --resolved {self.revision})",
            failed=self.revision,
        )

    @property
    def stamped(self) -> str:
        """What the database is stamped with when a person has finished it."""
        return self.revision if self.direction == "upgrade" else f"{self.revision}-1"


def shown(text: str) -> str:
    """Return the beginning of a statement, on one line, without secrets."""
    line = " ".join(statement_without_secrets(text[:_READ_CHARACTERS]).split())
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[: _SHOWN_CHARACTERS - 3]}..."
