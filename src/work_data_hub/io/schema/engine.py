"""SQLAlchemy engines on which a transaction is a transaction, SQLite included."""

from __future__ import annotations

import logging
import re
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from work_data_hub.config.database_url import (
    address_of,
    database_of,
    mask,
    scrub,
    with_database,
)
from work_data_hub.errors import DatabaseUnavailableError
from work_data_hub.io.schema.drivers import connect_arguments
from work_data_hub.patience import say, told_if_slow
from work_data_hub.redaction import message_without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import URL, Connection, Engine, ExceptionContext

CONNECT_PAUSE_SECONDS = 0.5
PING_TIMEOUT_SECONDS = 2  # libpq's least
_ALWAYS_THERE = "postgres"
_CROWDED = re.compile(r"too many|connection slots")

log = logging.getLogger(__name__)


def create_engine(url: URL, *, read_only: bool = False) -> Engine:
    """Return an engine for one short piece of work; it keeps no connection open.

    SQLite: Python's driver opens a transaction only before DML, so that a failing script leaves
    its first tables behind. Here ``isolation_level`` is None and BEGIN is ours, as SQLAlchemy's
    SQLite dialect documents ("Serializable isolation / Savepoints"). Foreign keys are enforced.

    Args:
        url: with its password.
        read_only: take no write lock on SQLite; nothing may be written then.
    """
    arguments = connect_arguments(url)
    engine = sa.create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=arguments)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin if read_only else _begin_immediate)
        event.listen(engine, "handle_error", _stay_open)
    return engine


@contextmanager
def connect(url: URL, *, read_only: bool = False, wait_seconds: float = 0) -> Iterator[Connection]:
    """Open one connection, and close it with the block.

    Args:
        url: with its password.
        read_only: as ``create_engine``.
        wait_seconds: for how long to try again when the server does not answer yet, as one does
            that starts beside us. A lasting answer, such as a wrong password, ends the wait.

    Raises:
        DatabaseUnavailableError: when the database does not answer or may not be opened.
    """
    deadline, is_up = time.monotonic() + wait_seconds, False
    while True:
        try:
            with told_if_slow(f"connecting to {mask(url)}"):
                connection = create_engine(url, read_only=read_only).connect()
            break
        except (sa.exc.DBAPIError, sa.exc.ArgumentError, OSError, ValueError, TypeError) as error:
            # The last two are raised for an option in the URL that cannot be read.
            fault = unavailable(url, error)
            is_over = time.monotonic() + CONNECT_PAUSE_SECONDS > deadline
            if is_over or not _may_come(url, error, is_up=is_up):
                raise fault from error
            log.info("the database does not answer yet: %s", fault.message)
            say(f"waiting: {fault.message}")
            is_up = not _is_crowded(error) and _lets_others_in(error)
            if not is_up:
                time.sleep(CONNECT_PAUSE_SECONDS)
    with connection:
        yield connection


def connect_raw(engine: Engine) -> Any:
    """Return a driver connection of its own, with the settings of the engine's connections.

    Raises:
        DatabaseUnavailableError: when the database does not answer.
    """
    arguments, options = engine.dialect.create_connect_args(engine.url)
    try:
        return engine.dialect.connect(*arguments, **{**connect_arguments(engine.url), **options})
    except (engine.dialect.loaded_dbapi.Error, OSError) as error:
        raise unavailable(engine.url, error) from error


@contextmanager
def real_transactions(connection: Connection, *, read_only: bool = False) -> Iterator[Connection]:
    """Give a connection that somebody else made the transactions of ``create_engine``.

    What was changed on it is put back with the end of the block; one of an engine of ours has them.

    Args:
        connection: not in a transaction.
        read_only: as ``create_engine``.
    """
    if connection.dialect.name != "sqlite":
        try:
            yield connection
        finally:
            connection.rollback()
        return
    raw = driver_connection(connection)
    isolation_level, raw.isolation_level = raw.isolation_level, None
    with ExitStack() as stack:
        if not any(
            event.contains(connection.engine, "begin", own) for own in (_begin, _begin_immediate)
        ):
            begin = _begin if read_only else _begin_immediate
            event.listen(connection, "begin", begin)
            stack.callback(event.remove, connection, "begin", begin)
        if not event.contains(connection.engine, "handle_error", _stay_open):
            event.listen(connection.engine, "handle_error", _stay_open)
            stack.callback(event.remove, connection.engine, "handle_error", _stay_open)
        try:
            yield connection
        finally:
            connection.rollback()
            raw.isolation_level = isolation_level


@contextmanager
def foreign_keys_off(connection: Connection) -> Iterator[None]:
    """Switch SQLite's enforcement off around transactions that may rebuild a table.

    With enforcement on, dropping a table deletes the rows that reference it. The PRAGMA is
    ignored inside a transaction, so it comes before (sqlite.org/lang_altertable, steps 1 and 12).
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    raw = driver_connection(connection)
    (was_on,) = raw.execute("PRAGMA foreign_keys").fetchone()
    raw.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        connection.rollback()
        raw.execute(f"PRAGMA foreign_keys = {was_on}")


@contextmanager
def autocommit(connection: Connection) -> Iterator[Any]:
    """Give the driver's connection outside of any transaction for the block (PostgreSQL).

    Args:
        connection: not in a transaction.
    """
    raw = driver_connection(connection)
    raw.autocommit = True
    try:
        yield raw
    finally:
        raw.autocommit = False


def driver_connection(connection: Connection) -> Any:
    """Return the driver's own connection: psycopg's, psycopg2's, or that of ``sqlite3``."""
    return connection.connection.driver_connection


def exists(url: URL) -> bool:
    """Whether the database is there, as far as can be known without connecting to it."""
    file = sqlite_file(url)
    try:
        return file is None or file.exists()
    except OSError:  # a folder that may not be entered: connecting says so
        return True


def sqlite_file(url: URL) -> Path | None:
    """Return the file of a SQLite URL, also of a ``file:`` URI; None when it is in memory."""
    return address_of(url).file


def _stay_open(context: ExceptionContext) -> None:
    """Keep SQLite's connection at Ctrl-C: SQLAlchemy would close it, and it is to roll back."""
    # One that still has a cursor would keep its lock (sqlite3_close_v2).
    context.is_disconnect = False


def _prepare_sqlite(dbapi_connection: Any, _entry: ConnectionPoolEntry) -> None:
    dbapi_connection.isolation_level = None
    dbapi_connection.execute("PRAGMA foreign_keys = ON")
    # A file that is no database is found out here, and not inside the first revision.
    dbapi_connection.execute("PRAGMA schema_version")


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN")


def _begin_immediate(connection: Connection) -> None:
    # A deferred transaction takes the write lock at its first write, when another writer may
    # already have made that impossible.
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _may_come(url: URL, error: Exception, *, is_up: bool) -> bool:
    """Whether a server that did not let us in may do so soon.

    Args:
        url: of the database.
        error: how it failed.
        is_up: whether the server let others in just before: then it is we who are refused.
    """
    if url.get_backend_name() != "postgresql" or not isinstance(error, sa.exc.OperationalError):
        return False
    return not is_up or _is_crowded(error)


def _is_crowded(error: Exception) -> bool:
    """Whether the server has too many clients (53300).

    There are only words for it, and only English ones are known: libpq does not hand out the
    SQLSTATE of a refused connection.
    """
    return _CROWDED.search(str(error)) is not None


def _lets_others_in(error: Exception) -> bool:
    """Whether the server takes connections by now, whatever it thinks of ours.

    libpq's PQping reads the SQLSTATE of a refusal, in whatever language the server words it.
    """
    failed = getattr(getattr(error, "orig", None), "pgconn", None)
    if failed is None:
        return False  # there was nobody to ask, and psycopg's ping would hold up every thread
    from psycopg import conninfo, pq

    known = {each.keyword.decode(): each.val.decode() for each in failed.info if each.val}
    address = {**known, "password": None, "connect_timeout": PING_TIMEOUT_SECONDS}
    found = pq.PGconn.ping(conninfo.make_conninfo(**address).encode())
    return found not in {pq.Ping.REJECT, pq.Ping.NO_RESPONSE}


def unavailable(url: URL, error: Exception) -> DatabaseUnavailableError:
    """Return what a driver says when it cannot connect, or was cut off, in words."""
    reason = scrub(said(error), url)
    file = sqlite_file(url)
    if file is None and url.get_backend_name() == "sqlite":
        hint = "check the file that the URL names, and the options in it"
    elif file is None and _is_missing_database(url, reason):
        hint = "the server has no such database: correct its name, or make it: `wdh db create`"
    elif file is None:
        hint = "check that the server runs, and the host, port, user, password and database name"
    elif not _is_folder(file.absolute().parent):
        hint = f"create the folder {file.absolute().parent}, or let `wdh db create` do it"
    else:
        hint = "check that the path is a SQLite file, and that you may write to it and its folder"
    return DatabaseUnavailableError(f"cannot open {mask(url)}: {reason}", hint=hint)


def is_listed(url: URL) -> bool:
    """Whether a PostgreSQL server lists the database; True when there is nobody to ask."""
    name = database_of(url)
    if name in {None, _ALWAYS_THERE} or url.get_backend_name() != "postgresql":
        return True
    try:
        with connect(with_database(url, _ALWAYS_THERE)) as connection:
            query = sa.text("SELECT count(*) FROM pg_database WHERE datname = :name")
            return bool(connection.execute(query, {"name": name}).scalar())
    except DatabaseUnavailableError:
        return True


def _is_missing_database(url: URL, reason: str) -> bool:
    # A refusal has no code, and its words are of the server's language; but they name what is
    # missing, and where they do, the server answers and can be asked.
    return url.get_backend_name() == "postgresql" and (
        f"{database_of(url)}" in reason and not is_listed(url)
    )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return True


def said(error: BaseException) -> str:
    """Return what the driver says of a statement that failed, on one line, without secrets."""
    original = getattr(error, "orig", None) or error
    return message_without_secrets(first_line(original), getattr(error, "statement", None))


def first_line(error: BaseException) -> str:
    """Return what an error says, on one line, of characters that a database can keep."""
    text = str(error).replace("\0", "\ufffd").encode("utf-8", "backslashreplace").decode("utf-8")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
