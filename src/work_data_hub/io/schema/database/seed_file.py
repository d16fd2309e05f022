"""Seed files: the whole file or nothing of it."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from work_data_hub.domain.sql.script import Statement, split
from work_data_hub.domain.sql.statement import Kind, kind_of
from work_data_hub.errors import RefusedError, SeedFailedError, UsageError
from work_data_hub.io.schema.engine import driver_connection, foreign_keys_off, said
from work_data_hub.io.schema.sqlite.foreign_keys import ForeignKeyGuard
from work_data_hub.redaction import statement_without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from work_data_hub.domain.sql.lexer import Dialect

_STATEMENT_WIDTH, _REASON_WIDTH = 80, 200  # characters
_AT_BEGIN = "before the first statement: "
_AT_COMMIT = "at commit: "
_CORRECT_IT = "nothing of the file was loaded: correct it and load it again"
_TRY_AGAIN = "nothing of the file was loaded: end the program that holds the database, try again"
_LOOK_FIRST = (
    "the connection was lost at the commit: look whether the rows are there before a retry"
)
_REFUSED = {
    Kind.TRANSACTION_END: (
        "the file is loaded in one transaction, which it cannot end itself",
        "remove the statement; SAVEPOINT and ROLLBACK TO may stay",
    ),
    Kind.CLIENT_COMMAND: (
        "this is a command of a database shell, not SQL",
        "remove it; `pg_dump --inserts` writes plain SQL",
    ),
    Kind.COPY_STREAM: (
        "COPY from or to the client needs a client, a file cannot hold it",
        "write INSERT statements; `pg_dump --inserts` does",
    ),
    Kind.BACKSLASH_STRINGS: (
        "the file must keep to standard strings",
        "remove the statement, and write strings with backslash escapes as E'...'",
    ),
}


@dataclass(frozen=True)
class SeedResult:
    """What a seed file did.

    Attributes:
        statements: how many were executed; the BEGIN and COMMIT of the file are not.
        rows: how many rows were inserted, changed or deleted (on SQLite also by triggers); 0 when
            an idempotent file had nothing to do.
    """

    statements: int
    rows: int


def read_seed_file(path: Path) -> str:
    """Return the text of a seed file, before any database is touched.

    A byte order mark is accepted and left out. Line ends stay as they are.

    Raises:
        UsageError: the file is missing, a folder, not readable, not UTF-8, or holds a NUL byte.
    """
    if path.is_dir():
        raise UsageError(f"the seed file {path} is a folder", hint="name a file that holds SQL")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"there is no seed file {path}", hint="check the path") from error
    except OSError as error:
        raise UsageError(
            f"the seed file {path} cannot be read: {error.strerror or error}",
            hint="check the path and the permissions of the file",
        ) from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_text(path, data, error.start, "it is not UTF-8") from error
    if "\0" in text:
        raise _not_text(path, data, data.index(0), "it holds a NUL byte")
    return text.removeprefix("\ufeff")


def load_seeds(
    connection: Connection,
    script: str,
    *,
    path: Path,
    record: Callable[[SeedResult], None] | None = None,
) -> SeedResult:
    """Execute a whole SQL script in one transaction, and commit it.

    Nothing in the text is taken for a bind parameter. The script may be what ``sqlite3 .dump`` or
    ``pg_dump --inserts`` writes: BEGIN and COMMIT are skipped, ``PRAGMA foreign_keys=OFF`` holds
    until the commit (foreign keys are verified before it), and a ``search_path`` that the script
    sets does not outlive it.

    Args:
        connection: not in a transaction; on SQLite, of an engine whose transactions are real
            (``engine.create_engine``).
        script: the text of the file.
        path: the file, to name it in errors.
        record: writes down what was done, as the last thing in the transaction.

    Raises:
        SeedFailedError: nothing was loaded. Raised before anything is executed when the script
            holds what its transaction cannot take: ROLLBACK, psql commands, COPY FROM STDIN.
        UsageError: the database is neither PostgreSQL nor SQLite.
        RuntimeError: the connection is in a transaction, or cannot begin a real one.
    """
    if connection.in_transaction():
        raise RuntimeError("seeds are loaded on a connection that is not in a transaction")
    name = connection.dialect.name
    if name not in _TRANSACTIONS:
        raise UsageError(f"seeds cannot be loaded into {name}", hint="use PostgreSQL or SQLite")
    statements, foreign_keys_asked_off = _accepted(script, cast("Dialect", name), path)
    if not statements:
        return SeedResult(statements=0, rows=0)
    # Deferring them would not do: an INSERT before the CREATE TABLE of its parent fails all the
    # same, and DROP TABLE deletes the rows of the children.
    with foreign_keys_off(connection) if foreign_keys_asked_off else nullcontext():
        return _load(connection, statements, path, record)


def _not_text(path: Path, data: bytes, offset: int, reason: str) -> UsageError:
    line = data.count(b"\n", 0, offset) + 1
    utf_16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return UsageError(
        f"the seed file {path} cannot be used: {reason} (line {line}, byte offset {offset})",
        hint=f"save the file as UTF-8{'; it is UTF-16 now' if utf_16 else ''}",
    )


def _accepted(script: str, dialect: Dialect, path: Path) -> tuple[list[Statement], bool]:
    """Return what to execute, and whether it asks for foreign keys to be off; refuse the rest."""
    statements, foreign_keys_asked_off = [], False
    for statement in split(script, dialect):
        kind = kind_of(statement.text, dialect)
        if kind in _REFUSED:
            reason, hint = _REFUSED[kind]
            raise _failed(path, statement, statement.line, reason, hint)
        foreign_keys_asked_off |= kind is Kind.FOREIGN_KEYS_OFF
        if kind is not Kind.TRANSACTION_BRACKET:
            statements.append(statement)
    return statements, foreign_keys_asked_off


def _load(
    connection: Connection,
    statements: Sequence[Statement],
    path: Path,
    record: Callable[[SeedResult], None] | None,
) -> SeedResult:
    with _rolled_back_on_failure(connection):
        with _named(path, statements[0], _AT_BEGIN, _TRY_AGAIN):
            transaction = _TRANSACTIONS[connection.dialect.name](connection)
        for statement in statements:
            with _named(path, statement):
                transaction.execute(statement.text)
        with _named(path, statements[-1], _AT_COMMIT):
            transaction.finish()
            result = SeedResult(statements=len(statements), rows=transaction.rows)
            if record is not None:
                record(result)
            transaction.commit()
    return result


class _Transaction:
    """The transaction that a file is loaded in."""

    def __init__(self, connection: Connection) -> None:
        self.rows = 0
        self._connection = connection
        self._transaction = connection.begin()
        self._driver = driver_connection(connection)

    def execute(self, text: str) -> None:
        # Without the option both SQLAlchemy and psycopg look for parameters behind a percent sign.
        result = self._connection.exec_driver_sql(text, execution_options={"no_parameters": True})
        if result.returns_rows:
            # SQLite computes the rows of a query as they are fetched, and may fail on the last.
            for _ in result:
                pass

    def finish(self) -> None:
        """Verify and put back what the file may have left."""

    def commit(self) -> None:
        self._transaction.commit()


class _SqliteTransaction(_Transaction):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        if not self._driver.in_transaction:
            raise RuntimeError("the transactions of this engine are not real on SQLite")
        (enforced,) = self._driver.execute("PRAGMA foreign_keys").fetchone()
        self._guard = None if enforced else ForeignKeyGuard(connection)
        self._changes_before = self._driver.total_changes

    def finish(self) -> None:
        if self._guard is not None:
            self._guard.verify()
        # The row count of a cursor knows nothing of WITH ... INSERT.
        self.rows = self._driver.total_changes - self._changes_before


class _PostgresqlTransaction(_Transaction):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        # split() takes standard strings for granted; a role or a database may be set otherwise.
        self._search_path, _ = connection.exec_driver_sql(
            "SELECT current_setting('search_path'),"
            " set_config('standard_conforming_strings', 'on', true)"
        ).one()
        if self._driver.info.transaction_status != _IN_TRANSACTION:
            raise RuntimeError("the connection is in autocommit mode")

    def execute(self, text: str) -> None:
        with _command_tags(self._connection) as tags:
            super().execute(text)
        for tag in tags:
            # The number of a SELECT, and of CREATE TABLE AS, is that of the rows it read.
            if tag.startswith(_CHANGING):
                self.rows += int(tag.rpartition(" ")[2])

    def finish(self) -> None:
        # pg_dump empties it, and the next file on this connection would find no table.
        self._connection.exec_driver_sql(
            "SELECT set_config('search_path', %s, false)", (self._search_path,)
        )


_IN_TRANSACTION = 2  # libpq's PQTRANS_INTRANS
_CHANGING = ("INSERT ", "UPDATE ", "DELETE ", "MERGE ")
_TRANSACTIONS = {"sqlite": _SqliteTransaction, "postgresql": _PostgresqlTransaction}


@contextmanager
def _command_tags(connection: Connection) -> Iterator[list[str]]:
    """Collect what the server says it did: ``INSERT 0 3`` for each result of each statement.

    The first word of a statement does not tell (WITH, EXECUTE), nor does a row count where a rule
    adds a query to the command: there it is that of the rows that came back.
    """
    tags: list[str] = []
    # psycopg2 keeps the last result alone, which is the one that has the tag.
    keeps_all = connection.dialect.driver == "psycopg"

    def read(_connection: Connection, cursor: Any, *_statement: object) -> None:
        tags.append(cursor.statusmessage or "")
        while keeps_all and cursor.nextset():
            tags.append(cursor.statusmessage or "")

    event.listen(connection, "after_cursor_execute", read)
    try:
        yield tags
    finally:
        event.remove(connection, "after_cursor_execute", read)


@contextmanager
def _rolled_back_on_failure(connection: Connection) -> Iterator[None]:
    """Leave no transaction open, whatever ends the block.

    On SQLite SQLAlchemy's rollback is not enough: after a COMMIT that failed it takes the
    transaction for ended, while SQLite keeps it open.
    """
    raw = driver_connection(connection)
    is_sqlite = connection.dialect.name == "sqlite"
    try:
        yield
    except BaseException:
        try:
            connection.rollback()
            if is_sqlite and raw.in_transaction:
                raw.rollback()
        except (SQLAlchemyError, sqlite3.Error):
            connection.invalidate()  # the first fault is the one to report
        raise


@contextmanager
def _named(
    path: Path, statement: Statement, moment: str = "", hint: str = _CORRECT_IT
) -> Iterator[None]:
    """Turn what the engine raises into an error that names file, line and statement."""
    try:
        yield
    except RefusedError as error:
        raise _failed(path, statement, statement.line, moment + error.message, hint) from error
    # sqlite3.Warning (before Python 3.12) and UnicodeError are not wrapped by SQLAlchemy.
    except (SQLAlchemyError, sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated and moment == _AT_COMMIT:
            hint = _LOOK_FIRST
        reason = said(error)
        line = statement.line if moment else _line_of_fault(statement, error)
        raise _failed(path, statement, line, moment + reason, hint) from error


def _line_of_fault(statement: Statement, error: Exception) -> int:
    """Return the line that PostgreSQL points at, or else the first of the statement."""
    diagnosis = getattr(getattr(error, "orig", None), "diag", None)
    position = int(getattr(diagnosis, "statement_position", None) or 1)
    return statement.line + statement.text.count("\n", 0, position - 1)


def _failed(path: Path, statement: Statement, line: int, reason: str, hint: str) -> SeedFailedError:
    first = _shortened(statement_without_secrets(statement.text).splitlines()[0], _STATEMENT_WIDTH)
    message = f"{path}:{line}: {_shortened(reason, _REASON_WIDTH)} (in: {first})"
    return SeedFailedError(message, hint=hint, path=path, line=line, statement=first)


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
