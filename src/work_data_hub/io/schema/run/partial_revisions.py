"""Revisions that cannot be one transaction: marked, so that an interrupted one is found.

``autocommit_block()`` commits what precedes it, and the version row moves at the end: a crash in
between leaves a part applied and unrecorded. Before that commit a mark is written, in the same
transaction; it names what is committed, and goes in the transaction that moves the version row.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from work_data_hub.domain.record.mark import Executed, Noted, Session
from work_data_hub.domain.sql.statement import is_concurrent, only_reads

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from alembic.runtime.migration import MigrationContext

    from work_data_hub.domain.run.plan import Remainder, Step
    from work_data_hub.domain.sql.statement import ConcurrentIndex
    from work_data_hub.io.schema.record.marks import Marks
    from work_data_hub.io.schema.run.concurrent_indexes import IndexBuilds
    from work_data_hub.io.schema.run.transaction_watch import Past, TransactionWatch

_THIS_SESSION = """
    SELECT pid, backend_start::text AS started FROM pg_stat_activity WHERE pid = pg_backend_pid()
"""
_PAST_US = Noted("something that no statement of the revision shows", may_be_repeated=False)


class PartialRevisions:
    """Marks revisions that leave their transaction.

    Args:
        marks: of the history.
        watch: tells of the statements.
        builds: of indexes.

    Attributes:
        was_outside: whether the revision has left its transaction.
    """

    def __init__(self, marks: Marks, watch: TransactionWatch, builds: IndexBuilds) -> None:
        self._marks = marks
        self._watch = watch
        self._builds = builds
        self._committed = Executed()
        self._in_transaction = Executed()
        self._running: Noted | None = None
        self._server_process: Session | None = None
        self._is_written = False
        self._kept: Collection[ConcurrentIndex] | None = None
        self._begun: tuple[Step, datetime] | None = None
        self.was_outside = False

    def begin(
        self, step: Step, context: MigrationContext, repeated: Collection[ConcurrentIndex] | None
    ) -> None:
        """Begin a revision: what it executes from now on is its own.

        Args:
            step: which.
            context: of the run.
            repeated: where it repeats one that was interrupted, the valid indexes that are there
                already; the mark of it stays until this one has ended.
        """
        self._begun, self._kept = (step, datetime.now(UTC)), repeated
        self._committed, self._in_transaction = Executed(indexes=[*(repeated or ())]), Executed()
        self._running, self.was_outside = None, False
        self._builds.begin(repeated or ())
        block = type(context).autocommit_block

        @contextmanager
        def marked() -> Iterator[None]:
            with self._watch.leaving(block(context)):
                yield
                self._update(None)

        context.autocommit_block = marked  # type: ignore[method-assign]

    def end(self) -> None:
        """End the revision, in the transaction that moves its version row."""
        if self.was_outside or self._kept is not None:
            with self._watch.unheard():
                self._marks.forget()
        self._watch.end()

    def settle(self, *, was_lost: bool) -> Remainder | None:
        """Correct the mark of a revision that failed; the connection is in a new transaction.

        With nothing committed the mark goes.

        Args:
            was_lost: whether the connection had gone, and with it an answer perhaps.

        Returns:
            What is committed; None of a revision that did not leave its transaction.
        """
        if not self.was_outside:
            return None
        _added_what_went_past(self._watch.past, self._committed)
        if self._committed.count == 0 and self._running is None:
            if self._kept is None:
                self._marks.forget()
            return "nothing"
        self._marks.update(self._committed, self._running, self._server_process, whole=True)
        is_certain = self._committed.count or not was_lost
        return "a marked part" if is_certain else "unknown"

    def before(self, statement: str) -> str:
        """Write down what is about to run outside of a transaction, before it does."""
        if not self._watch.is_outside:
            return statement
        if self._is_postgresql and is_concurrent(statement):
            statement = self._builds.prepare(statement)
        if not self._builds.is_foreign:
            self._update(Noted.of(statement, self._watch.transaction.dialect))
        return statement

    def after(self, statement: str) -> None:
        """Note what has run."""
        self._builds.end_patience()
        is_foreign, self._builds.is_foreign = self._builds.is_foreign, False
        if is_foreign:
            return
        if self._watch.is_outside:
            noted = self._running or Noted.of(statement, self._watch.transaction.dialect)
            self._is_written = not self._committed.add(noted)
            self._running = None
            if noted.index is not None:
                self._builds.verify(noted.index)
        elif not only_reads(statement, self._watch.transaction.dialect):
            self._in_transaction.note(statement, self._watch.transaction.dialect)

    def before_commit(self) -> None:
        """Write the mark; it commits with what precedes the block."""
        if self._went_past_us():
            self._in_transaction.add(_PAST_US)
        self._committed.add_all(self._in_transaction)
        self._in_transaction = Executed()
        if self.was_outside:
            self._update(None)
            return
        if self._is_postgresql:
            row = self._marks.connection.exec_driver_sql(_THIS_SESSION).one()
            self._server_process = Session(row.pid, row.started)
        if self._kept is not None:
            self._marks.forget()
        assert self._begun is not None
        self._marks.write(*self._begun, self._committed, self._server_process)
        self.was_outside = True

    def failed(self, *, is_certain: bool) -> None:
        """Note what did not happen; of a concurrent build an INVALID index is there."""
        self._builds.is_foreign = False
        if not self._watch.transaction.is_lost:
            self._builds.end_patience()
        if is_certain:
            self._running = None

    @property
    def _is_postgresql(self) -> bool:
        return self._watch.transaction.dialect == "postgresql"

    def _went_past_us(self) -> bool:
        """Whether the transaction has written what none of the statements that were heard did."""
        if not self._watch.hears_all or self._watch.past.in_transaction:
            return True
        wrote = bool(self._in_transaction.count)
        return self._watch.transaction.has_written_unheard(was_heard_writing=wrote)

    def _update(self, running: Noted | None) -> None:
        if self._running is not None:  # it failed, in part perhaps, and the revision went on
            self._committed.add(self._running)
        self._is_written &= not _added_what_went_past(self._watch.past, self._committed)
        self._running = running
        with self._watch.unheard():
            whole = not self._is_written or running is None
            self._marks.update(self._committed, running, self._server_process, whole=whole)
        self._is_written = True


def _added_what_went_past(past: Past, committed: Executed) -> bool:
    """What went past every watch in an autocommit block is committed, and must not be repeated."""
    if was_there := past.outside:
        committed.add(_PAST_US)
        past.outside = False
    return was_there
