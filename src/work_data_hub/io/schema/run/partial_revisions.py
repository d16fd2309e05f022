"""Revisions that cannot be one transaction, and what an interrupted one left behind.

``autocommit_block()`` commits what precedes it, and the version row moves at the end: a crash in
between leaves a part applied and unrecorded. Before that commit a mark is written, in the same
transaction; it names what is committed, and goes in the transaction that moves the version row.
"""

from __future__ import annotations

import json
import logging
import re
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from work_data_hub.domain.sql.concurrent_index import built_by, without_comments
from work_data_hub.errors import MigrationFailedError, RefusedError
from work_data_hub.io.schema.record.framework_tables import framework_tables
from work_data_hub.io.schema.record.interrupted_revision import Interrupted, read_interrupted
from work_data_hub.io.schema.record.runner import this_runner
from work_data_hub.io.schema.run import concurrent_indexes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.runtime.migration import MigrationContext
    from sqlalchemy.engine import Connection

    from work_data_hub.domain.run.plan import Step
    from work_data_hub.domain.sql.concurrent_index import ConcurrentIndex
    from work_data_hub.io.schema.run.session_settings import SessionSettings

log = logging.getLogger(__name__)

_KEPT_CHARACTERS = 2000
_IDLE = 0  # libpq's PQTRANS_IDLE
_TRANSACTION_CONTROL = re.compile(
    r"\s*(?:COMMIT|END|ABORT|PREPARE\s+TRANSACTION|ROLLBACK(?!.*\bTO\b)|BEGIN|START\s+TRANSACTION)\b",
    re.IGNORECASE,
)
_SETTING = re.compile(
    r"^\s*(?:SET|RESET|DISCARD)\b|\bset_config\s*\(|;\s*(?:SET|RESET)\b", re.IGNORECASE
)


class PartialRevisions:
    """Marks revisions that leave their transaction, and finds those that were interrupted.

    Args:
        connection: the connection of the run.
        schema: where the framework's tables are.
        history: the name of the version table.
        patience_seconds: how long an index build may wait for older transactions, and how long
            that of a dead client may still take.
        session: the session's settings.
    """

    def __init__(
        self,
        connection: Connection,
        schema: str | None,
        history: str,
        patience_seconds: float,
        session: SessionSettings,
    ) -> None:
        self._connection = connection
        self._session = session
        self._table = framework_tables(schema).in_progress
        self._history = history
        self._patience = patience_seconds
        self._step: Step | None = None
        self._started_at = datetime.now(UTC)
        self._executed: list[str] = []
        self._outside = False
        self._leaving = False
        # An index that is there before its statement runs is somebody else's: recovery must
        # not take it for what an interrupted build left.
        self._is_foreign = False
        self.was_outside = False
        self.was_ended = False

    def interrupted(self) -> Interrupted | None:
        """Return the revision that did not end, if there is one."""
        return read_interrupted(self._connection, self._table, self._history)

    def recover(self, interrupted: Interrupted) -> None:
        """Take back what can be taken back with certainty, so that it can be run again.

        Raises:
            MigrationFailedError: a person must decide.
        """
        if not interrupted.is_repeatable:
            raise interrupted.as_fault()
        self._connection.commit()
        if self._connection.dialect.name == "postgresql":
            with _autocommit(self._connection) as raw:
                for text in interrupted.statements:
                    if (index := built_by(text)) is not None:
                        # The server may still be building it: that ends before it is dropped.
                        concurrent_indexes.drop_if_invalid(raw, index, self._patience)
                        concurrent_indexes.drop_if_there(raw, index)
        self.forget()
        self._connection.commit()
        log.warning(
            "%s %s was interrupted; what it left was dropped, and it is run again",
            interrupted.direction,
            interrupted.revision,
        )

    def forget(self) -> None:
        """Remove the mark, in the transaction of the connection."""
        self._connection.execute(self._table.delete().where(self._table.c.history == self._history))

    @contextmanager
    def watching(self) -> Iterator[PartialRevisions]:
        """Listen to the statements of the connection for the block."""
        listeners = {
            "before_cursor_execute": self._before,
            "after_cursor_execute": self._after,
            "commit": self._refuse_commit,
        }
        for name, listener in listeners.items():
            event.listen(self._connection, name, listener)
        try:
            yield self
        finally:
            for name, listener in listeners.items():
                event.remove(self._connection, name, listener)

    def begin(self, step: Step, context: MigrationContext) -> None:
        """Begin a revision: what it executes from now on is its own."""
        self._step, self._started_at = step, datetime.now(UTC)
        self._executed, self._outside, self.was_outside = [], False, False
        self._is_foreign = self._leaving = self.was_ended = False
        if "autocommit_block" not in vars(context):
            original = context.autocommit_block

            @contextmanager
            def marked() -> Iterator[None]:
                self._write_mark()
                self._leaving = True
                with original():
                    self._outside = True
                    try:
                        yield
                    finally:
                        self._outside = False
                self._leaving = False

            context.autocommit_block = marked  # type: ignore[method-assign]

    def end(self) -> None:
        """End the revision, in the transaction that moves its version row."""
        if self.was_outside:
            self.forget()
        self._step = None

    def abandon(self) -> None:
        """Forget a revision that failed; the mark, if there is one, stays for the next run."""
        self._step = None

    @property
    def changed_session(self) -> bool:
        """Whether the revision may have changed settings of the session, as dumps do."""
        return any(_SETTING.search(without_comments(text)) for text in self._executed)

    def _refuse_commit(self, _connection: Connection) -> None:
        """Refuse a commit in the middle of a revision, before it happens."""
        if self._step is not None and not self._leaving:
            # SQLAlchemy takes the transaction for ended when its commit raises.
            raw: Any = self._connection.connection.driver_connection
            raw.rollback()
            raise RefusedError(
                "the revision ends its own transaction, so it could not be undone as a whole",
                hint="remove the commit; what must run outside belongs into"
                " `with op.get_context().autocommit_block():`",
            )

    def _verify_transaction(self) -> None:
        """Refuse to go on when a statement has ended the transaction, however it did."""
        raw: Any = self._connection.connection.driver_connection
        if self._connection.dialect.name == "sqlite":
            is_open = raw.in_transaction
        else:
            is_open = raw.info.transaction_status != _IDLE
        if not is_open:
            self.was_ended = True
            raise RefusedError(
                "a statement of the revision ended its transaction",
                hint="look what of it is there; what must run outside belongs into"
                " `with op.get_context().autocommit_block():`",
            )

    def _write_mark(self) -> None:
        """Write the mark; it commits with what precedes the block."""
        if self.was_outside:
            self._update(self._executed, None)
            return
        self._connection.execute(self._table.insert().values(self._mark(self._executed)))
        self.was_outside = True

    def _mark(self, executed: list[str]) -> dict[str, object]:
        assert self._step is not None
        runner = this_runner()
        return {
            "history": self._history,
            "revision": self._step.revision,
            "direction": self._step.direction,
            "started_at": self._started_at,
            "os_user": runner.os_user,
            "host": runner.host,
            "committed": json.dumps(executed),
            "running": None,
        }

    def _update(self, committed: list[str], running: str | None) -> None:
        table = self._table
        self._connection.execute(
            table.update()
            .where(table.c.history == self._history)
            .values(committed=json.dumps(committed), running=running)
        )

    def _before(self, *event_arguments: Any) -> None:
        """Write down what is about to run outside of a transaction, before it does."""
        statement = event_arguments[2]
        if self._step is None or self._is_ours(statement):
            return
        if not self._outside:
            if _TRANSACTION_CONTROL.match(without_comments(statement)):
                self._refuse_commit(self._connection)
            if self._connection.dialect.name == "sqlite":
                self._verify_transaction()
            return
        if (index := built_by(statement)) is not None:
            raw: Any = self._connection.connection.driver_connection
            concurrent_indexes.drop_if_invalid(raw, index, self._patience)
            self._is_foreign = concurrent_indexes.state(raw, index) == "valid"
            # It blocks nobody while it waits for older transactions, which it must outlast.
            self._session.wait_for_locks(raw, self._patience)
        if not self._is_foreign:
            self._update(self._executed, statement[:_KEPT_CHARACTERS])

    def _after(self, *event_arguments: Any) -> None:
        statement = event_arguments[2]
        if self._step is None or self._is_ours(statement):
            return
        if not self._outside:
            self._verify_transaction()
        is_foreign, self._is_foreign = self._is_foreign, False
        if is_foreign:
            return
        self._executed.append(statement.strip()[:_KEPT_CHARACTERS])
        if self._outside:
            if (index := built_by(statement)) is not None:
                self._verify(index)
            self._update(self._executed, None)

    def _verify(self, index: ConcurrentIndex) -> None:
        raw: Any = self._connection.connection.driver_connection
        self._session.wait_for_locks(raw, None)
        if concurrent_indexes.state(raw, index) == "invalid":
            raise MigrationFailedError(
                f"the index {index.name} is INVALID after it was built",
                hint="look at the server's log, then run again: it is dropped and built anew",
            )

    def _is_ours(self, statement: str) -> bool:
        return self._table.name in statement or statement.startswith("BEGIN")


@contextmanager
def _autocommit(connection: Connection) -> Iterator[Any]:
    """Give the driver's connection outside of any transaction (PostgreSQL)."""
    raw: Any = connection.connection.driver_connection
    raw.autocommit = True
    try:
        yield raw
    finally:
        raw.autocommit = False
