"""The settings of the migration's session: time-outs, and what a revision must not leave behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_READ = """
    SELECT current_setting('lock_timeout'), current_setting('statement_timeout'),
           current_setting('search_path')
"""
_WRITE = """
    SELECT set_config('lock_timeout', :lock_timeout, :is_local),
           set_config('statement_timeout', :statement_timeout, :is_local),
           set_config('search_path', :search_path, :is_local)
"""


class SessionSettings:
    """Sets the time-outs for the session, because ``SET LOCAL`` ends with an autocommit block.

    Behind a transaction pooler a session is everybody's: there they are set for each
    transaction, and an autocommit block runs with what the server has. Nothing is done on SQLite.

    Args:
        connection: the connection of the run.
        backend_pid: the server process that answers; None on SQLite.
        lock_timeout: seconds that a statement waits for a lock.
        statement_timeout: seconds that a statement may take; 0 is without limit.
    """

    def __init__(
        self,
        connection: Connection,
        backend_pid: int | None,
        lock_timeout: float,
        statement_timeout: float,
    ) -> None:
        self._connection = connection
        self._lock_timeout = lock_timeout
        self._is_postgresql = connection.dialect.name == "postgresql"
        if not self._is_postgresql:
            return
        # A pooler greets with a process number of its own making.
        raw: Any = connection.connection.driver_connection
        self._is_pooled = raw.info.backend_pid != backend_pid
        found = connection.exec_driver_sql(_READ).one()
        self._found = dict(
            zip(("lock_timeout", "statement_timeout", "search_path"), found, strict=True)
        )
        self._ours = {
            **self._found,
            "lock_timeout": _milliseconds(lock_timeout),
            "statement_timeout": _milliseconds(statement_timeout),
        }

    def apply(self) -> None:
        """Set them for the run; commits."""
        if self._is_postgresql and not self._is_pooled:
            self._write(self._ours, is_local=False)
            self._connection.commit()

    def begin_revision(self) -> None:
        """Set them for the transaction that begins, where the session is not ours."""
        if self._is_postgresql and self._is_pooled:
            self._write(self._ours, is_local=True)

    def end_revision(self) -> None:
        """Set them again, in the transaction of a revision that changed them, as dumps do."""
        if self._is_postgresql:
            self._write(self._found if self._is_pooled else self._ours, is_local=False)

    def give_back(self) -> None:
        """Set what the session had, because the connection may be the caller's; commits."""
        if self._is_postgresql and not self._is_pooled:
            self._write(self._found, is_local=False)
            self._connection.commit()

    def wait_for_locks(self, raw: Any, seconds: float | None) -> None:
        """Let the next statement wait longer (None: as long as all others).

        Args:
            raw: the driver's connection, in autocommit mode.
            seconds: how long.
        """
        if not self._is_pooled:
            value = _milliseconds(self._lock_timeout if seconds is None else seconds)
            with raw.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, false)", (value,))

    def _write(self, values: dict[str, str], *, is_local: bool) -> None:
        self._connection.execute(sa.text(_WRITE), {**values, "is_local": is_local})


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
