"""The session of a migration: its time-outs, and what a revision must not leave behind."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import sqlalchemy as sa

from work_data_hub.io.schema.engine import driver_connection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy.engine import Connection

    from work_data_hub.io.schema.sqlite.left_behind import LeftBehind

# What revisions and dumps set, in the order in which it is put back: another session
# authorization resets the role.
KEPT = (
    "session_authorization",
    "role",
    "search_path",
    "lock_timeout",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
    "session_replication_role",
    "row_security",
    "check_function_bodies",
    "default_tablespace",
    "default_table_access_method",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "standard_conforming_strings",
    "client_min_messages",
    "constraint_exclusion",
    "synchronous_commit",
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
    "xmloption",
    "work_mem",
    "maintenance_work_mem",
)
# Meant for an application's sessions: the server would end the run's in the middle of a revision
# that works in Python, or for long (pg_dump and pg_restore switch them off, too).
_SWITCHED_OFF = (
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
)
# What a caller's own session has of its own may not go; of it KEPT is put back.
_AS_AT_FIRST = "RESET ALL; DISCARD TEMP"
_MAP = "schema_translate_map"  # SQLAlchemy's, of the connection
_READ = sa.text(
    "SELECT name, current_setting(name, true) FROM unnest(CAST(:names AS text[])) AS name"
)
_IDLE = "idle_session_timeout"
_IDLE_LIMIT = f"SELECT current_setting('{_IDLE}', true)"
_WRITE = sa.text(
    "SELECT set_config(key, value, :is_local) FROM json_each_text(CAST(:settings AS json))"
    " WHERE current_setting(key, true) IS DISTINCT FROM value"
)


class SessionSettings:
    """Sets the time-outs for the session, because ``SET LOCAL`` ends with an autocommit block.

    Behind a transaction pooler a session is everybody's: there they are set for each
    transaction, and an autocommit block runs with what the server has. SQLite has no time-outs.

    Args:
        connection: the connection of the run.
        backend_pid: the server process that answers; None on SQLite.
        lock_timeout: seconds that a statement waits for a lock.
        statement_timeout: seconds that a statement may take; 0 is without limit.
        is_ours: whether nobody had the session before the run.
    """

    def __init__(
        self,
        connection: Connection,
        backend_pid: int | None,
        lock_timeout: float,
        statement_timeout: float,
        *,
        is_ours: bool,
    ) -> None:
        self._connection = connection
        self._is_ours = is_ours
        self._on_sqlite = _left_behind(connection) if backend_pid is None else None
        self._backend_pid = backend_pid
        self._is_pooled = False
        self._map = connection.get_execution_options().get(_MAP)
        self._found: dict[str, str] = {}
        self._time_outs = {
            "lock_timeout": milliseconds(lock_timeout),
            "statement_timeout": milliseconds(statement_timeout),
            **dict.fromkeys(_SWITCHED_OFF, "0"),
        }

    def put_back(self) -> str | None:
        """Put back what a revision has left, at its end and in its transaction (PostgreSQL).

        Returns:
            The settings that the session must have besides, as JSON by name; None on SQLite.
        """
        if self._on_sqlite is not None:
            return None
        if self._is_ours:
            with driver_connection(self._connection).cursor() as cursor:
                cursor.execute(_AS_AT_FIRST)
        ours = {} if self._is_pooled else self._time_outs
        return json.dumps({**self._found, **ours})

    def end_revision(self) -> None:
        """Put back what only goes outside of a transaction; it has ended."""
        if self._connection.get_execution_options().get(_MAP) != self._map:
            self._connection.execution_options(**{_MAP: self._map})
        if self._on_sqlite is not None:
            self._on_sqlite.put_back()

    def apply(self) -> None:
        """Read what the session has, and set the time-outs for the run; commits."""
        if self._backend_pid is None:
            return
        self._is_pooled = _is_pooled(self._connection, self._backend_pid)
        rows = self._connection.execute(_READ, {"names": list(KEPT)})
        self._found = {name: value for name, value in rows if value is not None}
        known = self._time_outs.keys() & self._found.keys()  # transaction_timeout: PostgreSQL 17
        self._time_outs = {name: self._time_outs[name] for name in known}
        if not self._is_pooled:
            self._write(self._time_outs, is_local=False)
        self._connection.commit()

    def begin_revision(self) -> int | None:
        """Set them for the transaction that begins, where the session is not ours.

        Returns:
            The server process that runs it; None on SQLite.
        """
        if not self._is_pooled:
            return self._backend_pid
        self._write(self._time_outs, is_local=True)
        return int(self._connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())

    def give_back(self) -> None:
        """Set what the session had, because the connection may be the caller's; commits."""
        self.end_revision()
        if self._backend_pid is not None and not self._is_pooled:
            self._write(self._found, is_local=False)
            self._connection.commit()

    def wait_for_locks(self, seconds: float | None) -> None:
        """Let the next statement wait longer (None: as long as all others).

        Args:
            seconds: how long.
        """
        if not self._is_pooled:
            value = self._time_outs["lock_timeout"] if seconds is None else milliseconds(seconds)
            with driver_connection(self._connection).cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, false)", (value,))

    def _write(self, settings: Mapping[str, str], *, is_local: bool) -> None:
        self._connection.execute(_WRITE, {"settings": json.dumps(settings), "is_local": is_local})


def _left_behind(connection: Connection) -> LeftBehind:
    # Imported for SQLite alone.
    from work_data_hub.io.schema.sqlite.left_behind import LeftBehind

    return LeftBehind(connection)


@contextmanager
def kept_while_idle(connection: Connection, backend_pid: int | None) -> Iterator[None]:
    """Let the server not end a session that has nothing to do for a while; commits.

    Behind a transaction pooler it is the pooler's session, and not idle on our account.

    Args:
        connection: not in a transaction.
        backend_pid: the server process that answers; None on SQLite.
    """
    if backend_pid is None or _is_pooled(connection, backend_pid):
        yield
        return
    found = connection.exec_driver_sql(_IDLE_LIMIT).scalar()
    is_limited = found not in (None, "0")  # PostgreSQL has it since 14
    settings = {"settings": json.dumps({_IDLE: "0"}), "is_local": False}
    if is_limited:
        connection.execute(_WRITE, settings)
    connection.commit()
    try:
        yield
    finally:
        if is_limited:
            with suppress(sa.exc.DBAPIError):
                connection.rollback()
                connection.execute(_WRITE, {**settings, "settings": json.dumps({_IDLE: found})})
                connection.commit()


def _is_pooled(connection: Connection, backend_pid: int) -> bool:
    """Whether a pooler answered, which greets with a process number of its own making."""
    return bool(driver_connection(connection).info.backend_pid != backend_pid)


def milliseconds(seconds: float) -> str:
    """Return a time-out as PostgreSQL reads it; nothing is rounded to 0, which is no limit."""
    return f"{math.ceil(seconds * 1000)}ms"
