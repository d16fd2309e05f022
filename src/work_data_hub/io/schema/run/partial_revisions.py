"""Revisions that cannot be one transaction: marked, so that an interrupted one is found.

``autocommit_block()`` commits what precedes it, and the version row moves at the end: a crash in
between leaves a part applied and unrecorded. Before that commit a mark is written, in the same
transaction; it names what is committed, and goes in the transaction that moves the version row.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from work_data_hub.domain.sql.lexer import without_comments
from work_data_hub.domain.sql.statement import concurrent_index
from work_data_hub.errors import MigrationFailedError
from work_data_hub.io.schema.engine import driver_connection
from work_data_hub.io.schema.run import concurrent_indexes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.runtime.migration import MigrationContext
    from sqlalchemy.engine import Connection

    from work_data_hub.domain.run.plan import Step
    from work_data_hub.domain.sql.statement import ConcurrentIndex
    from work_data_hub.io.schema.record.interrupted_revision import Marks
    from work_data_hub.io.schema.run.session_settings import SessionSettings
    from work_data_hub.io.schema.run.transaction_watch import TransactionWatch

_KEPT_CHARACTERS = 2000
_SETTING = re.compile(
    r"^\s*(?:SET|RESET|DISCARD)\b|\bset_config\s*\(|;\s*(?:SET|RESET)\b", re.IGNORECASE
)


class PartialRevisions:
    """Marks revisions that leave their transaction.

    Args:
        connection: the connection of the run.
        marks: of the history.
        watch: tells of the statements.
        session: the session's settings.
        patience_seconds: how long an index build may wait for older transactions.
    """

    def __init__(
        self,
        connection: Connection,
        marks: Marks,
        watch: TransactionWatch,
        session: SessionSettings,
        patience_seconds: float,
    ) -> None:
        self._connection = connection
        self._marks = marks
        self._watch = watch
        self._session = session
        self._patience = patience_seconds
        self._executed: list[str] = []
        # An index that is there before its statement runs is somebody else's: recovery must
        # not take it for what an interrupted build left.
        self._is_foreign = False
        self.was_outside = False

    @property
    def changed_session(self) -> bool:
        """Whether the revision may have changed settings of the session, as dumps do."""
        return any(_SETTING.search(without_comments(text, "postgresql")) for text in self._executed)

    def begin(self, step: Step, context: MigrationContext) -> None:
        """Begin a revision: what it executes from now on is its own."""
        started_at = datetime.now(UTC)
        self._executed, self._is_foreign, self.was_outside = [], False, False
        self._watch.begin(self)
        block = type(context).autocommit_block

        @contextmanager
        def marked() -> Iterator[None]:
            self._write_mark(step, started_at)
            with self._watch.leaving(block(context)):
                yield

        context.autocommit_block = marked  # type: ignore[method-assign]

    def end(self) -> None:
        """End the revision, in the transaction that moves its version row."""
        if self.was_outside:
            with self._watch.unheard():
                self._marks.forget()
        self._watch.end()

    def before(self, statement: str) -> None:
        """Write down what is about to run outside of a transaction, before it does."""
        if not self._watch.is_outside:
            return
        if (index := concurrent_index(statement)) is not None:
            raw = driver_connection(self._connection)
            concurrent_indexes.drop_if_invalid(raw, index, self._patience)
            self._is_foreign = concurrent_indexes.state(raw, index) == "valid"
            # It blocks nobody while it waits for older transactions, which it must outlast.
            self._session.wait_for_locks(raw, self._patience)
        if not self._is_foreign:
            self._update(statement[:_KEPT_CHARACTERS])

    def after(self, statement: str) -> None:
        """Note what has run."""
        is_foreign, self._is_foreign = self._is_foreign, False
        if is_foreign:
            return
        self._executed.append(statement.strip()[:_KEPT_CHARACTERS])
        if self._watch.is_outside:
            if (index := concurrent_index(statement)) is not None:
                self._verify(index)
            self._update(None)

    def _write_mark(self, step: Step, started_at: datetime) -> None:
        """Write the mark; it commits with what precedes the block."""
        if self.was_outside:
            self._update(None)
            return
        with self._watch.unheard():
            self._marks.write(step, started_at, self._executed)
        self.was_outside = True

    def _update(self, running: str | None) -> None:
        with self._watch.unheard():
            self._marks.update(self._executed, running)

    def _verify(self, index: ConcurrentIndex) -> None:
        raw = driver_connection(self._connection)
        self._session.wait_for_locks(raw, None)
        if concurrent_indexes.state(raw, index) == "invalid":
            raise MigrationFailedError(
                f"the index {index.name} is INVALID after it was built",
                hint="look at the server's log, then run again: it is dropped and built anew",
            )
