"""Watches the transaction of a revision: it must not be ended by the revision itself."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import event

from work_data_hub.domain.sql.statement import controls_transaction
from work_data_hub.errors import RefusedError
from work_data_hub.io.schema.engine import driver_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

    from work_data_hub.domain.sql.lexer import Dialect

_IDLE = 0  # libpq's PQTRANS_IDLE


class Listener(Protocol):
    """Who is told of the statements of a revision."""

    def before(self, statement: str) -> None:
        """A statement is about to run."""

    def after(self, statement: str) -> None:
        """It has run."""


class TransactionWatch:
    """Listens to the statements of a revision, and refuses those that end its transaction.

    Args:
        connection: the connection of the run.

    Attributes:
        is_outside: whether the revision is in an autocommit block.
        was_ended: whether it ended its transaction all the same.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dialect: Dialect = "sqlite" if connection.dialect.name == "sqlite" else "postgresql"
        self._listener: Listener | None = None
        self._is_hearing = True
        self._may_commit = False
        self.is_outside = False
        self.was_ended = False

    @contextmanager
    def listening(self) -> Iterator[TransactionWatch]:
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

    def begin(self, listener: Listener) -> None:
        """Watch a revision from now on."""
        self._listener = listener
        self.is_outside = self.was_ended = self._may_commit = False

    def end(self) -> None:
        """Watch no more: the revision has ended, or failed."""
        self._listener = None

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """Do not listen to what is executed in the block: it is not the revision's."""
        self._is_hearing = False
        try:
            yield
        finally:
            self._is_hearing = True

    @contextmanager
    def leaving(self, block: Any) -> Iterator[None]:
        """Let Alembic end the transaction for an autocommit block, and begin another behind it."""
        self._may_commit = True
        with block:
            self.is_outside = True
            try:
                yield
            finally:
                self.is_outside = False
        self._may_commit = False

    def _before(self, *event_arguments: Any) -> None:
        statement = event_arguments[2]
        if self._listener is None or not self._is_hearing or _begins(statement):
            return
        if not self.is_outside:
            if controls_transaction(statement, self._dialect):
                self._refuse_commit(self._connection)
            if self._dialect == "sqlite":
                self._verify()
        self._listener.before(statement)

    def _after(self, *event_arguments: Any) -> None:
        statement = event_arguments[2]
        if self._listener is None or not self._is_hearing or _begins(statement):
            return
        if not self.is_outside:
            self._verify()
        self._listener.after(statement)

    def _refuse_commit(self, _connection: Connection) -> None:
        """Refuse a commit in the middle of a revision, before it happens."""
        if self._listener is not None and not self._may_commit:
            # SQLAlchemy takes the transaction for ended when its commit raises.
            driver_connection(self._connection).rollback()
            raise RefusedError(
                "the revision ends its own transaction, so it could not be undone as a whole",
                hint="remove the commit; what must run outside belongs into"
                " `with op.get_context().autocommit_block():`",
            )

    def _verify(self) -> None:
        """Refuse to go on when a statement has ended the transaction, however it did."""
        raw = driver_connection(self._connection)
        if self._dialect == "sqlite":
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


def _begins(statement: str) -> bool:
    return statement.startswith("BEGIN")
