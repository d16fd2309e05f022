"""The transaction of a revision: whether it is open, which one it is, and what became of it."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from work_data_hub.domain.sql.statement import called_in, only_reads
from work_data_hub.io.schema.drivers import sqlstate_of
from work_data_hub.io.schema.engine import driver_connection

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import Connection

    from work_data_hub.domain.run.plan import Remainder
    from work_data_hub.domain.sql.lexer import Dialect

Fate = Literal["committed", "aborted", "in progress", "unknown"]  # of pg_xact_status

# A server takes a moment to notice that its client has gone.
_UNTIL_NOTICED_SECONDS, _LOOK_EVERY_SECONDS = 2.0, 0.05
# Of the server's own functions only these change what a second time would change again.
_MAY_WRITE = sa.text("""
    SELECT EXISTS (
        SELECT FROM pg_proc
         WHERE provolatile = 'v' AND proname = ANY (CAST(:names AS text[]))
           AND (pronamespace <> 'pg_catalog'::regnamespace OR proname IN ('nextval', 'setval'))
    )
""")
_IDLE = 0  # libpq's PQTRANS_IDLE


class TransactionState:
    """What the driver and the server say of the transaction.

    Args:
        connection: the connection of the run.
        unheard: wraps what is asked, which is not the revision's statement.

    Attributes:
        dialect: of the connection.
        was_open: whether it was open behind the last statement.
        was_open_until_then: whether SQLite had it open when it was told to roll it back.
        was_committed: whether SQLite was seen to commit it.
        last_error: of the connection, if the driver tells of it.
        xact_id: its id, once it has written something; None before, and on SQLite.
    """

    def __init__(
        self, connection: Connection, unheard: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._connection = connection
        self._unheard = unheard
        self.dialect: Dialect = "sqlite" if connection.dialect.name == "sqlite" else "postgresql"
        self.was_committed = False
        self.last_error: BaseException | None = None
        self.forget()

    def forget(self) -> None:
        """Another one begins; psycopg sends its BEGIN with the first statement."""
        self.was_open = self.dialect == "sqlite"
        self.was_open_until_then = False
        self.xact_id: str | None = None
        self._called: set[str] = set()

    def was_rolled_back(self, _connection: Connection) -> None:
        """It leaves nothing; that the revision went on behind it is found at its end."""
        self.was_open_until_then = self.dialect == "sqlite" and self.is_open
        self.was_open = False

    @property
    def is_lost(self) -> bool:
        """Whether the connection has gone."""
        if self._connection.invalidated:
            return True
        return self.dialect == "postgresql" and bool(driver_connection(self._connection).closed)

    @property
    def is_open(self) -> bool:
        """Whether the driver is in a transaction."""
        raw = driver_connection(self._connection)
        if self.dialect == "sqlite":
            return bool(raw.in_transaction)
        return bool(raw.info.transaction_status != _IDLE)

    @property
    def is_none(self) -> bool:
        """Whether the next statement would be a transaction of its own."""
        if self.dialect == "sqlite":  # it rolled back by itself
            return not self.is_open
        return bool(getattr(driver_connection(self._connection), "autocommit", False))

    @property
    def has_ended(self) -> bool:
        """Whether it was open and is not, on a connection that is still there."""
        return self.was_open and not self.is_lost and not self.is_open

    def is_another(self, xact_id: str | None) -> bool:
        """Whether the id that the transaction has now is not the one that it had."""
        return self.xact_id is not None and xact_id != self.xact_id

    def learn(self, statement: str, *, may_ask: bool) -> None:
        """Ask for the id behind the first statement that may have written something (PostgreSQL).

        Args:
            statement: that has run.
            may_ask: whether the connection can be asked by now.
        """
        if self.dialect != "postgresql":
            return
        if only_reads(statement, self.dialect):
            self._called |= called_in(statement)
        elif may_ask and self.xact_id is None:
            self.xact_id = self.ask_xact_id()

    def has_written_unheard(self, *, was_heard_writing: bool) -> bool:
        """Whether what only reads may have written: a function did, or what gave it an id did."""
        if self.dialect != "postgresql":
            return False
        names = {"names": [*self._called]}
        if self._called and self._connection.execute(_MAY_WRITE, names).scalar():
            return True
        return not was_heard_writing and self.ask_xact_id() is not None

    def ask_xact_id(self) -> str | None:
        """Return the id of the transaction, if it has written anything (PostgreSQL)."""
        query = "SELECT pg_current_xact_id_if_assigned()::text"
        with self._unheard(), driver_connection(self._connection).cursor() as cursor:
            cursor.execute(query)
            (found,) = cursor.fetchone()
        return None if found is None else str(found)

    def is_in_the_way_of(self, error: BaseException) -> bool:
        """Whether another connection of the revision was refused for this one's lock (SQLite).

        It began with BEGIN IMMEDIATE: while it was open nobody else could write. By now Alembic has
        rolled it back.
        """
        original = getattr(error, "orig", None) or error
        # The low byte is the code, what is above it its kind.
        is_busy = getattr(original, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        return is_busy and original is not self.last_error and self.was_open_until_then

    def left(self, *, was_lost: bool) -> Remainder:
        """Ask what is committed of the revision; the connection is in another transaction by now.

        Args:
            was_lost: whether the connection went while it ran.
        """
        fate = self.fate()
        if fate == "committed":
            # Its own COMMIT, whose answer was lost; or one that the revision made.
            return "all" if was_lost else "a part"
        return "nothing" if fate == "aborted" else "unknown"

    def fate(self) -> Fate:
        """Ask what became of the transaction; the connection is in another one by now.

        PostgreSQL knows it by its id. Where nothing was written there is none; on SQLite the driver
        has said whether it was open until it was rolled back.
        """
        if self.dialect == "sqlite":
            return "committed" if self.was_committed else "aborted"
        if self.xact_id is None:
            return "aborted"
        query = f"SELECT pg_xact_status('{self.xact_id}'::xid8)"
        deadline = time.monotonic() + _UNTIL_NOTICED_SECONDS
        while True:
            fate: Fate = self._connection.exec_driver_sql(query).scalar() or "unknown"
            if fate != "in progress" or time.monotonic() > deadline:
                return fate
            time.sleep(_LOOK_EVERY_SECONDS)

    def failed_for_certain(self, error: BaseException) -> bool:
        """Whether the database itself said that a statement failed: it did not happen."""
        # Some errors make SQLite roll back by itself (sqlite.org/lang_transaction).
        self.was_open = self.was_open and self.is_open
        if self.dialect == "sqlite":
            return isinstance(error, sqlite3.Error)
        return sqlstate_of(error) is not None and not self.is_lost
