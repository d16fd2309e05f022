"""What differs from driver to driver: how one is connected, what it tells, and how it fails."""

from __future__ import annotations

import signal
import socket
import sqlite3
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from work_data_hub.config.connection_options import APPLICATION_NAME, CONNECT_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from sqlalchemy.engine import URL, Connection

SQLITE_BUSY_TIMEOUT_SECONDS = 30
_MODULES = {"psycopg", "psycopg2", "sqlite3"}
_ACTIVE = 1  # libpq's PQTRANS_ACTIVE: a statement is under way


def connect_arguments(url: URL) -> dict[str, Any]:
    """Return what a driver's connections are made with, beside what the URL says.

    Raises:
        ImportError: the driver of the URL cannot be loaded.
    """
    if url.get_backend_name() == "sqlite":
        return {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "factory": HeardConnection}
    arguments: dict[str, Any] = {
        "application_name": APPLICATION_NAME,
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
    }
    if url.get_driver_name() == "psycopg2":
        base = url.get_dialect().import_dbapi().extensions.connection
        # A class of Python: its connections have attributes, and their commit can be listened to.
        arguments["connection_factory"] = type("Psycopg2Connection", (base,), {})
    else:
        # Prepared statements do not survive a transaction pooler.
        arguments["prepare_threshold"] = None
    return {name: value for name, value in arguments.items() if name not in url.query}


def sqlstate_of(error: BaseException) -> str | None:
    """Return what PostgreSQL calls an error (its SQLSTATE); None where it did not say it.

    Args:
        error: a driver's, or SQLAlchemy's that wraps it.
    """
    original = getattr(error, "orig", None) or error
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    return state if isinstance(state, str) else None


class StatementListener(Protocol):
    """Who is told of each statement that a driver's connection executes."""

    def before(self, statement: str) -> str:
        """A statement is about to run; return what is run in its place."""

    def after(self, statement: str, *, may_ask: bool) -> None:
        """It has run; ``may_ask``: whether the connection can be asked something by now."""

    def failed(self, statement: str, error: BaseException, *, is_one: bool) -> None:
        """It was ended by an error; ``is_one``: it ran once, not for each of several rows."""


@contextmanager
def told(
    listener: StatementListener | None, statement: str, *, may_ask: bool = True, is_one: bool = True
) -> Iterator[str]:
    """Tell of one statement, around the block that runs it; yield what is to be run."""
    if listener is None:
        yield statement
        return
    chosen = listener.before(statement)
    try:
        yield chosen
    except BaseException as error:
        listener.failed(statement, error, is_one=is_one)
        raise
    listener.after(statement, may_ask=may_ask)


class HeardConnection(sqlite3.Connection):
    """A connection of SQLite's driver that tells of every statement, whoever executes it.

    Attributes:
        listener: is told, while there is one.
    """

    listener: StatementListener | None = None

    def cursor(self, factory: Any = None) -> Any:
        """Return a cursor that tells."""
        return super().cursor(factory or HeardCursor)

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """As the driver's, which would take a cursor that does not tell."""
        return HeardCursor(self).execute(sql, *parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        """As above."""
        return HeardCursor(self).executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        """As above."""
        return HeardCursor(self).executescript(sql_script)

    def commit(self) -> None:
        """As the driver's."""
        with told(self.listener, "COMMIT") as chosen:
            if chosen == "COMMIT":
                super().commit()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> Literal[False]:
        """As the driver's, which would commit past ``commit``."""
        if kind is None and self.listener is not None:
            self.commit()
            return False
        return super().__exit__(kind, error, trace)


class HeardCursor(sqlite3.Cursor):
    """A cursor of ``HeardConnection``."""

    connection: HeardConnection

    def execute(self, sql: str, *parameters: Any) -> Self:
        """As the driver's."""
        with told(self.connection.listener, sql) as chosen:
            return super().execute(chosen, *parameters)

    def executemany(self, sql: str, parameters: Any, /) -> Self:
        """As the driver's."""
        with told(self.connection.listener, sql, is_one=False):
            return super().executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        """As the driver's, which commits first."""
        with told(self.connection.listener, f"COMMIT; {sql_script}"):
            return super().executescript(sql_script)


def is_of_driver(error: BaseException) -> bool:
    """Whether a driver raised it: locks and recovery speak to the driver directly (PEP 249)."""
    return any(
        kind.__name__ == "Error" and kind.__module__.partition(".")[0] in _MODULES
        for kind in type(error).__mro__
    )


@contextmanager
def cancelled_by_ctrl_c(connection: Connection) -> Iterator[None]:
    """Let Ctrl-C end a statement for which a driver waits in C (psycopg2), for the block.

    Python answers a signal when the C code returns, which is when the statement has ended. But the
    signal's number is written to a file descriptor at once, and another thread can read it there
    and cancel the statement. psycopg waits in Python, and does so itself.

    Args:
        connection: of the run.
    """
    is_in_c = connection.dialect.driver == "psycopg2"
    if not is_in_c or threading.current_thread() is not threading.main_thread():
        yield
        return
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    raw = connection.connection.driver_connection
    thread = threading.Thread(target=_cancel, args=(raw, ours), name="ctrl-c", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        theirs.close()
        thread.join(timeout=10)
        ours.close()


def _cancel(raw: Any, signals: socket.socket) -> None:
    """Cancel what runs at each Ctrl-C, until the other end is closed."""
    while numbers := signals.recv(16):
        if signal.SIGINT in numbers and raw.info.transaction_status == _ACTIVE:
            with suppress(Exception):  # it has gone meanwhile: there is nothing left to cancel
                raw.cancel()
