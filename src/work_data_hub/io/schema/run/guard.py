"""Stands around the steps of a run: watches each, journals it, and knows what a failed one left."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from work_data_hub.config.database_url import scrub
from work_data_hub.errors import RefusedError
from work_data_hub.io.schema.engine import said
from work_data_hub.io.schema.locks.blocker_watch import BlockerWatch
from work_data_hub.io.schema.locks.retries import is_lock_failure
from work_data_hub.io.schema.record import history_check
from work_data_hub.io.schema.revisions.applied_texts import AppliedTexts
from work_data_hub.io.schema.run.concurrent_indexes import IndexBuilds
from work_data_hub.io.schema.run.executor import was_interrupted
from work_data_hub.io.schema.run.listeners import Unguarded
from work_data_hub.io.schema.run.partial_revisions import PartialRevisions
from work_data_hub.io.schema.run.session_settings import SessionSettings
from work_data_hub.io.schema.run.transaction_watch import TransactionWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script
    from sqlalchemy.engine import Connection, Engine, Transaction

    from work_data_hub.domain.run.plan import Remainder, Step
    from work_data_hub.io.schema.locks.run_lock import Lock
    from work_data_hub.io.schema.record.journal import Journal, SourceMark
    from work_data_hub.io.schema.run.admission import Admission
    from work_data_hub.io.schema.sqlite.rebuild import RebuildGuard


_ALLOWED = "it left its transaction, as allow-commit lets it"


class _Attempt(NamedTuple):
    step: Step
    source: SourceMark | None
    started_at: datetime


class RunGuard:
    """Stands around one run; implements ``executor.Guard``.

    Args:
        admission: of the run.
        lock: the run lock.
        engine: makes further connections to the same database.
        tell: is told who blocks the run.
    """

    def __init__(
        self, admission: Admission, lock: Lock, engine: Engine, tell: Callable[[str], None]
    ) -> None:
        connection, settings = admission.view.connection, admission.view.settings
        backend_pid = admission.facts.backend_pid
        self._admission = admission
        self._connection = connection
        self._journal = admission.journal
        self._lock = lock
        time_outs = settings.lock_timeout, settings.statement_timeout
        is_ours = admission.view.is_ours
        self._session = SessionSettings(connection, backend_pid, *time_outs, is_ours=is_ours)
        self._transaction_watch = TransactionWatch(connection)
        builds = IndexBuilds(connection, self._session, settings.lock_deadline)
        self._partial = PartialRevisions(admission.marks, self._transaction_watch, builds)
        self._rebuild = _rebuild_guard(connection, self._transaction_watch.unheard)
        # What is taken back by it later is one's own; a test's database is never.
        self._texts = AppliedTexts() if admission.environment == "dev" else None
        self._blockers = BlockerWatch(engine, settings.lock_timeout, tell)
        self._attempt: _Attempt | None = None
        self._may_commit = False
        self._transaction: Transaction | None = None

    @contextlib.contextmanager
    def standing(self) -> Iterator[RunGuard]:
        """Stand around the run for the block: refuse first, then watch and listen."""
        self._admission.refuse_strangers()
        self._session.apply()
        try:
            with self._blockers.running(), self._transaction_watch.listening(), self._rebuild:
                yield self
        finally:
            with contextlib.suppress(sa.exc.DBAPIError):
                self._connection.rollback()
                self._session.give_back()

    def verify(self) -> None:
        """Verify that the run lock is still ours.

        Raises:
            LockTimeoutError: it was lost; the steps before stay.
        """
        self._lock.verify()

    def begin(self, step: Step, script: Script | None, context: MigrationContext) -> None:
        """Note what is about to run."""
        text = history_check.source_text(script)
        if text is not None and step.direction == "upgrade" and self._texts is not None:
            self._texts.keep(text)
        self._attempt = _Attempt(step, history_check.source_mark(text), datetime.now(UTC))
        # Alembic takes a transaction that is there; so it is known, at the end, to be the same.
        self._transaction = self._connection.get_transaction() or self._connection.begin()
        pid = self._session.begin_revision()
        self._rebuild.begin_revision()
        self._partial.begin(step, context, self._admission.repeated)
        self._may_commit = step.revision in self._admission.permissions.allow_commit
        # Looked up when it is entered: a trial replaces it.
        allowed = (lambda: context.autocommit_block()) if self._may_commit else None
        self._transaction_watch.commits.begin(step, allowed)
        self._transaction_watch.begin(self._rebuild, self._partial)
        self._blockers.begin(str(step), pid, lambda: not self._partial.was_outside)

    def applied(self, *, heads: Collection[str], **_: Any) -> None:
        """Write the journal in the step's own transaction (Alembic's ``on_version_apply``)."""
        assert self._attempt is not None
        if not self._partial.was_outside:
            _refuse_rollback(self._transaction)
        with self._transaction_watch.unheard():
            self._rebuild.end_revision()
            detail = _ALLOWED if self._partial.was_outside and self._may_commit else None
            if (keeper := self._admission.keeper) is not None:
                detail = keeper.applied(self._attempt.step, heads) or detail
            settings = self._session.put_back()
            xact_id = _write_journal(self._journal, self._attempt, settings, detail)
            self._transaction_watch.verify_same(xact_id)
        self._partial.end()

    def finish(self) -> None:
        """Stop watching."""
        self._blockers.end()
        self._session.end_revision()
        self._admission.repeated = None

    def fail(self, step: Step, error: BaseException) -> Remainder:
        """Roll back; ask what is committed all the same, and record the failed attempt.

        Returns:
            What is committed of the step; unknown where the database does not answer any more.
        """
        self._blockers.end()
        was_lost = self._transaction_watch.transaction.is_lost
        self._transaction_watch.end()
        left: Remainder = "unknown" if was_lost else self._left_without_asking()
        with contextlib.suppress(sa.exc.SQLAlchemyError):
            self._connection.rollback()
            with self._connection.begin():
                left = self._left(was_lost=was_lost)
                if left in ("nothing", "a part", "a marked part"):
                    self._record_failure(step, error)
        return left

    def _left(self, *, was_lost: bool) -> Remainder:
        left = self._partial.settle(was_lost=was_lost)
        return left or self._transaction_watch.transaction.left(was_lost=was_lost)

    def _left_without_asking(self) -> Remainder:
        if self._partial.was_outside:
            return "a marked part"
        return "a part" if self._transaction_watch.was_ended else "nothing"

    def _record_failure(self, step: Step, error: BaseException) -> None:
        attempt = self._attempt
        if attempt is None or attempt.step is not step:  # it had not begun
            attempt = _Attempt(step, None, datetime.now(UTC))
        self._journal.add(
            step.revision,
            step.direction,
            outcome="failed",
            started_at=attempt.started_at,
            source=attempt.source,
            detail=scrub(_why(error), self._connection.engine.url),
        )

    def give_way(self) -> None:
        """Roll back what was read before the first step."""
        self._connection.rollback()

    def is_lock_failure(self, error: BaseException) -> bool:
        """Whether a step failed because it did not get its locks in time."""
        return is_lock_failure(error) or self._blockers.made_give_way(error)

    def is_own_lock(self, error: BaseException) -> bool:
        """Whether a step failed because it met, on another connection, the lock of its run."""
        is_known = self._transaction_watch.hears_all and not self._partial.was_outside
        return is_known and self._transaction_watch.transaction.is_in_the_way_of(error)

    def blocked_by(self) -> str:
        """Say who held the locks."""
        seen = self._blockers.seen
        return f"held by {seen or 'no session that was seen: a prepared transaction, perhaps'}"


def _rebuild_guard(
    connection: Connection, unheard: Callable[[], contextlib.AbstractContextManager[None]]
) -> RebuildGuard | Unguarded:
    if connection.dialect.name != "sqlite":
        return Unguarded()  # PostgreSQL alters a table as it stands
    from work_data_hub.io.schema.sqlite.rebuild import RebuildGuard

    return RebuildGuard(connection, unheard)


def _write_journal(
    journal: Journal, attempt: _Attempt, settings: str | None, detail: str | None
) -> str | None:
    """Write the row of a step that is done; return the id of its transaction (PostgreSQL)."""
    step, source, started_at = attempt
    if settings is not None:
        return journal.add_last(step, started_at, source, settings, detail)
    journal.add(step.revision, step.direction, started_at=started_at, source=source, detail=detail)
    return None


def _refuse_rollback(transaction: Transaction | None) -> None:
    """Refuse a revision that is not in the transaction in which it began."""
    assert transaction is not None
    if not transaction.is_active:
        raise RefusedError(
            "the revision ended its own transaction by a rollback",
            hint="remove the rollback; raise an exception to undo a revision",
        )


def _why(error: BaseException) -> str:
    """Say for the journal why a step failed."""
    if was_interrupted(error):
        return "interrupted (Ctrl-C)"
    return f"{type(error).__name__}: {said(error)}"
