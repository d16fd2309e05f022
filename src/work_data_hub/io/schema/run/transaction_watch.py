"""Watches the transaction of a revision: every statement in it, and whether it is still the one."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sqlalchemy import event
from sqlalchemy.exc import PendingRollbackError

from work_data_hub.domain.sql.script import split
from work_data_hub.domain.sql.statement import (
    action_of,
    controls_transaction,
    only_reads,
)
from work_data_hub.errors import RefusedError
from work_data_hub.io.schema.engine import driver_connection
from work_data_hub.io.schema.run.driver_watch import heard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

    from work_data_hub.domain.sql.lexer import Dialect

Fate = Literal["committed", "aborted", "in progress", "unknown"]  # of pg_xact_status

# A server takes a moment to notice that its client has gone.
_UNTIL_NOTICED_SECONDS, _LOOK_EVERY_SECONDS = 2.0, 0.05
_IDLE = 0  # libpq's PQTRANS_IDLE
_MAY_CONTROL = re.compile(r"\b(?:abort|begin|commit|end|prepare|rollback|start)\b", re.IGNORECASE)
_OUTSIDE = "what must run outside belongs into `with op.get_context().autocommit_block():`"


class Listener(Protocol):
    """Who is told of the statements of a revision; what it executes itself is not told."""

    def before(self, statement: str) -> str:
        """A statement is about to run; return what is run in its place."""

    def after(self, statement: str) -> None:
        """It has run."""

    def before_commit(self) -> None:
        """What it has done so far is about to be committed, for an autocommit block."""

    def failed(self, *, is_certain: bool) -> None:
        """The last one was ended by an error; certain: the database said so, it did not happen."""


class TransactionWatch:
    """Hears the statements of a revision, and refuses those that end its transaction.

    A transaction that ended all the same is found by what the driver says of its state before and
    after each statement, and by its id (PostgreSQL's ``pg_current_xact_id``), which another one
    does not have.

    Args:
        connection: the connection of the run.

    Attributes:
        dialect: of the connection.
        hears_all: whether the driver tells of every statement, not SQLAlchemy alone.
        is_outside: whether the revision is in an autocommit block.
        was_ended: whether it ended its transaction itself.
        went_past: whether SQLite was told something that none of the ways to listen had heard.
        xact_id: of the transaction that has written something; None before, and on SQLite.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.dialect: Dialect = "sqlite" if connection.dialect.name == "sqlite" else "postgresql"
        self._listeners: tuple[Listener, ...] = ()
        self._is_hearing = True
        self._may_commit = False
        self._was_open = False
        self.hears_all = False
        self._was_committed = False
        self.is_outside = False
        self.was_ended = False
        self.went_past = False
        self.xact_id: str | None = None

    @contextmanager
    def listening(self) -> Iterator[TransactionWatch]:
        """Listen to the statements of the connection for the block."""
        with ExitStack() as stack:
            self._listen(stack, "commit", self._refuse_commit)
            self._listen(stack, "rollback", self._note_rollback)
            raw = driver_connection(self._connection)
            self.hears_all = stack.enter_context(heard(raw, self))
            if not self.hears_all:
                before = lambda *all: (self.before(all[2]), all[3])  # noqa: E731
                self._listen(stack, "before_cursor_execute", before, retval=True)
                after = lambda *all: self.after(all[2], may_ask=True)  # noqa: E731
                self._listen(stack, "after_cursor_execute", after)
            self._trace_rest(is_on=True)
            stack.callback(self._trace_rest, is_on=False)
            yield self

    def _listen(self, stack: ExitStack, name: str, function: Any, **options: Any) -> None:
        event.listen(self._connection, name, function, **options)
        stack.callback(event.remove, self._connection, name, function)

    def begin(self, *listeners: Listener) -> None:
        """Watch a revision from now on; its transaction has begun.

        Args:
            listeners: are told in this order, and when it has run in the opposite one: each hears
                the statement that the one before it chose.
        """
        self._listeners = listeners
        self.is_outside = self.was_ended = self._was_committed = self._may_commit = False
        self.went_past = False
        self._forget_transaction()

    @property
    def is_lost(self) -> bool:
        """Whether the connection has gone."""
        if self._connection.invalidated:
            return True
        return self.dialect == "postgresql" and bool(driver_connection(self._connection).closed)

    def end(self) -> None:
        """Watch no more: the revision has ended, or failed."""
        if self._listeners and not self.is_outside and self._has_ended():
            self.was_ended = True
        self._listeners = ()

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
        with self.unheard():
            for listener in self._listeners:
                listener.before_commit()
        self._may_commit = True
        failed: BaseException | None = None
        try:
            with block:
                self.is_outside = True
                try:
                    yield
                except BaseException as error:
                    failed = error
                    raise
                finally:
                    self.is_outside = False
                    self._forget_transaction()
        except PendingRollbackError:
            # The connection has gone, so Alembic cannot end the block: that is not the fault.
            if failed is None:
                raise
            raise failed from failed.__cause__
        self._may_commit = False

    def ask_xact_id(self) -> str | None:
        """Return the id of the transaction, if it has written anything (PostgreSQL)."""
        query = "SELECT pg_current_xact_id_if_assigned()::text"
        with self.unheard(), driver_connection(self._connection).cursor() as cursor:
            cursor.execute(query)
            (found,) = cursor.fetchone()
        return None if found is None else str(found)

    def verify_same(self, xact_id: str | None = None) -> None:
        """Refuse a transaction that is not the one in which the revision began.

        Args:
            xact_id: its id now (PostgreSQL).
        """
        if self.was_ended or (self.xact_id is not None and xact_id != self.xact_id):
            self._refuse_ended()

    def fate(self) -> Fate:
        """Ask what became of the transaction; the connection is in another one by now.

        PostgreSQL knows it by its id. Where nothing was written there is none; on SQLite the driver
        has said whether it was open until it was rolled back.
        """
        if self.dialect == "sqlite":
            return "committed" if self._was_committed else "aborted"
        if self.xact_id is None:
            return "aborted"
        query = f"SELECT pg_xact_status('{self.xact_id}'::xid8)"
        deadline = time.monotonic() + _UNTIL_NOTICED_SECONDS
        while True:
            fate: Fate = self._connection.exec_driver_sql(query).scalar() or "unknown"
            if fate != "in progress" or time.monotonic() > deadline:
                return fate
            time.sleep(_LOOK_EVERY_SECONDS)

    def before(self, statement: str) -> str:
        """See ``engine.StatementListener``."""
        if not self._listeners or not self._is_heard():
            return statement
        if not self.is_outside:
            if self._controls(statement):
                self._refuse_commit(self._connection)
            self._verify()
        with self.unheard():
            for listener in self._listeners:
                statement = listener.before(statement)
        self._trace_rest(is_on=False)
        return statement

    def after(self, statement: str, *, may_ask: bool) -> None:
        """See ``engine.StatementListener``."""
        if not self._listeners or not self._is_heard():
            return
        self._trace_rest(is_on=True)
        if not self.is_outside:
            self._was_open = True
            self._verify()
        with self.unheard():
            for listener in reversed(self._listeners):
                listener.after(statement)
        is_new = self.xact_id is None and self.dialect == "postgresql" and may_ask
        if is_new and not self.is_outside and not only_reads(statement, self.dialect):
            self.xact_id = self.ask_xact_id()

    def failed(self, _statement: str, error: BaseException) -> None:
        """See ``engine.StatementListener``."""
        if not self._listeners or not self._is_heard():
            return
        self._trace_rest(is_on=True)
        # Some errors make SQLite roll back by itself (sqlite.org/lang_transaction).
        self._was_open = self._was_open and self._is_open()
        is_certain = self._is_certain(error)
        with self.unheard():
            for listener in reversed(self._listeners):
                listener.failed(is_certain=is_certain)

    def _trace_rest(self, *, is_on: bool) -> None:
        """Hear of SQLite itself, too late to refuse it, what goes past every other way."""
        if self.dialect == "sqlite":
            driver_connection(self._connection).set_trace_callback(self._traced if is_on else None)

    def _traced(self, statement: str) -> None:
        if not self._listeners or not self._is_heard():
            return
        action = action_of(statement)
        self.went_past = self.went_past or not only_reads(statement, self.dialect)
        if action.verb in ("COMMIT", "END") and not self.is_outside:
            self.was_ended = self._was_committed = True

    def _is_heard(self) -> bool:
        """Whether what is executed now is the revision's; on the way out and in it is Alembic's."""
        return self._is_hearing and (self.is_outside or not self._may_commit)

    def _controls(self, statement: str) -> bool:
        if not _MAY_CONTROL.search(statement):
            return False
        return any(
            controls_transaction(each.text, self.dialect) for each in split(statement, self.dialect)
        )

    def _forget_transaction(self) -> None:
        # psycopg sends its BEGIN with the first statement.
        self._was_open = self.dialect == "sqlite"
        self.xact_id = None

    def _refuse_commit(self, _connection: Connection) -> None:
        """Refuse a commit in the middle of a revision, before it happens."""
        if self._listeners and not self._may_commit:
            # SQLAlchemy takes the transaction for ended when its commit raises.
            driver_connection(self._connection).rollback()
            self._was_open = False
            raise RefusedError(
                "the revision ends its own transaction, so it could not be undone as a whole",
                hint=f"remove the commit; {_OUTSIDE}",
            )

    def _note_rollback(self, _connection: Connection) -> None:
        """It leaves nothing; that the revision went on behind it is found at its end."""
        self._was_open = False

    def _verify(self) -> None:
        """Refuse to go on when something has ended the transaction, however it did."""
        if self._has_ended():
            self._refuse_ended()

    def _refuse_ended(self) -> None:
        self.was_ended = True
        raise RefusedError(
            "a statement of the revision ended its transaction",
            hint=f"look what of it is there; {_OUTSIDE}",
        )

    def _has_ended(self) -> bool:
        return self._was_open and not self.is_lost and not self._is_open()

    def _is_open(self) -> bool:
        raw = driver_connection(self._connection)
        if self.dialect == "sqlite":
            return bool(raw.in_transaction)
        return bool(raw.info.transaction_status != _IDLE)

    def _is_certain(self, error: BaseException) -> bool:
        """Whether the database itself said that the statement failed."""
        if self.dialect == "sqlite":
            return isinstance(error, sqlite3.Error)
        return getattr(error, "sqlstate", None) is not None and not self.is_lost
