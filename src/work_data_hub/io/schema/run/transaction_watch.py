"""Watches the transaction of a revision: every statement in it, and whether it is still the one."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import PendingRollbackError

from work_data_hub.domain.sql.script import split
from work_data_hub.domain.sql.statement import (
    action_of,
    controls_transaction,
    may_commit_a_part,
    only_reads,
)
from work_data_hub.io.schema.run.driver_watch import heard, told_of, trace, traced
from work_data_hub.io.schema.run.listeners import Listeners
from work_data_hub.io.schema.run.revision_commits import RevisionCommits, refusal
from work_data_hub.io.schema.run.transaction_state import TransactionState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

    from work_data_hub.domain.sql.lexer import Dialect
    from work_data_hub.io.schema.run.listeners import Listener

_MAY_CONTROL = re.compile(r"\b(?:abort|begin|commit|end|prepare|rollback|start)\b", re.IGNORECASE)


class Past:
    """What a revision did that only SQLite itself told of, when it did it.

    Attributes:
        in_transaction: whether there was something in a transaction of the revision.
        outside: whether there was something in an autocommit block, which is committed.
    """

    def __init__(self) -> None:
        self.in_transaction = self.outside = False

    def note(self, statement: str, dialect: Dialect, *, is_outside: bool) -> None:
        """Note a statement, unless it only reads."""
        if not only_reads(statement, dialect):
            self.outside = self.outside or is_outside
            self.in_transaction = self.in_transaction or not is_outside


class TransactionWatch:
    """Hears the statements of a revision, and refuses those that end its transaction.

    One that ended all the same is found by what the driver says of its state before and after each
    statement, and by its id (PostgreSQL's ``pg_current_xact_id``), which no other has.

    Args:
        connection: the connection of the run.

    Attributes:
        commits: that the revision makes itself.
        transaction: that the revision is in.
        hears_all: whether the driver tells of every statement, not SQLAlchemy alone.
        is_outside: whether the revision is in an autocommit block.
        was_ended: whether it ended its transaction itself.
        past: what the revision did that none of the ways to listen had heard.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.transaction = TransactionState(connection, self.unheard)
        self._listeners, self.past = Listeners(), Past()
        self._is_hearing, self._may_commit = True, False
        self.commits = RevisionCommits(connection, self.transaction)
        self.hears_all = self.is_outside = self.was_ended = False

    @contextmanager
    def listening(self) -> Iterator[TransactionWatch]:
        """Listen to the statements of the connection for the block."""
        with (
            told_of(self._connection, "rollback", self.transaction.was_rolled_back),
            self.commits.caught(lambda: not self._may_commit and self._is_heard()),
            heard(self._connection, self) as self.hears_all,
            traced(self._connection, self._traced),
        ):
            yield self

    def begin(self, *listeners: Listener) -> None:
        """Watch a revision from now on; its transaction has begun.

        Args:
            listeners: are told in this order, and when it has run in the opposite one: each hears
                the statement that the one before it chose.
        """
        self._listeners, self.past = Listeners(listeners), Past()
        self.is_outside = self.was_ended = self._may_commit = False
        self.transaction.was_committed = False
        self.transaction.forget()

    def end(self) -> None:
        """Watch no more: the revision has ended, or failed."""
        if self._listeners and not self.is_outside and self.transaction.has_ended:
            self.was_ended = True
        self._listeners = Listeners()

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """Do not listen to what is executed in the block: it is not the revision's."""
        was_hearing, self._is_hearing = self._is_hearing, False
        try:
            yield
        finally:
            self._is_hearing = was_hearing

    @contextmanager
    def leaving(self, block: Any) -> Iterator[None]:
        """Let Alembic end the transaction for an autocommit block, and begin another behind it."""
        self.commits.is_due = False
        with self.unheard():
            self._listeners.before_commit()
        self._may_commit = True
        with _keeping_its_fault(block):
            self.is_outside = True
            try:
                yield
            finally:
                self.is_outside = False
                self.transaction.forget()
        self._may_commit = False

    def verify_same(self, xact_id: str | None = None) -> None:
        """Refuse a transaction that is not the one in which the revision began.

        Args:
            xact_id: its id now (PostgreSQL).
        """
        self.commits.refuse_due()
        self._refuse_ended(if_so=self.was_ended or self.transaction.is_another(xact_id))

    def before(self, statement: str) -> str:
        """See ``drivers.StatementListener``."""
        if not self._is_heard():
            return statement
        if not self.is_outside:
            self.commits.refuse_due()
            statement = self.commits.instead_of(statement)
            if _controls(statement, self.transaction.dialect):
                self.commits.refuse(statement)
            self._refuse_ended(if_so=self.transaction.has_ended or self.transaction.is_none)
        with self.unheard():
            statement = self._listeners.before(statement)
        trace(self._connection, None)
        return statement

    def after(self, statement: str, *, may_ask: bool) -> None:
        """See ``drivers.StatementListener``."""
        if not self._is_heard():
            return
        trace(self._connection, self._traced)
        if not self.is_outside:
            if self.commits.stood_in_for(statement):
                return
            self.transaction.was_open = True
            self._refuse_ended(if_so=self.transaction.has_ended)
        with self.unheard():
            self._listeners.after(statement)
        if not self.is_outside:
            self.transaction.learn(statement, may_ask=may_ask)

    def failed(self, statement: str, error: BaseException, *, is_one: bool) -> None:
        """See ``drivers.StatementListener``."""
        self.transaction.last_error = error
        if not self._is_heard():
            return
        trace(self._connection, self._traced)
        is_certain = is_one and self.transaction.failed_for_certain(error)
        with self.unheard():
            self._listeners.failed(
                is_certain=is_certain and not may_commit_a_part(statement, self.transaction.dialect)
            )

    def _traced(self, statement: str) -> None:
        if not self._is_heard():
            return
        self.past.note(statement, self.transaction.dialect, is_outside=self.is_outside)
        if action_of(statement).verb in ("COMMIT", "END") and not self.is_outside:
            self.was_ended = self.transaction.was_committed = True

    def _is_heard(self) -> bool:
        """Whether what is executed now is the revision's; on the way out and in it is Alembic's."""
        is_its = self.is_outside or not self._may_commit
        return is_its and self._is_hearing and bool(self._listeners)

    def _refuse_ended(self, *, if_so: bool) -> None:
        """Refuse to go on when something has ended the transaction, however it did."""
        if if_so:
            self.was_ended = True
            raise refusal(
                "a statement of the revision ended its transaction", "look what of it is there"
            )


@contextmanager
def _keeping_its_fault(block: Any) -> Iterator[None]:
    """Enter Alembic's block; when the connection goes, it cannot end it: that is not the fault."""
    failed: BaseException | None = None
    try:
        with block:
            try:
                yield
            except BaseException as error:
                failed = error
                raise
    except PendingRollbackError:
        if failed is None:
            raise
        raise failed from failed.__cause__


def _controls(text: str, dialect: Dialect) -> bool:
    """Whether a statement of a text begins or ends a transaction."""
    return _MAY_CONTROL.search(text) is not None and any(
        controls_transaction(each.text, dialect) for each in split(text, dialect)
    )
