"""The settings of the migration's session: time-outs, and what a revision must not leave behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from work_data_hub.io.schema.engine import driver_connection

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_READ = """
    SELECT current_setting('lock_timeout') AS lock_timeout,
           current_setting('statement_timeout') AS statement_timeout,
           current_setting('search_path') AS search_path
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
        self._backend_pid = backend_pid
        self._is_postgresql = backend_pid is not None
        self._is_pooled = False
        self._found: dict[str, str] = {}
        self._lock_timeout = _milliseconds(lock_timeout)
        self._statement_timeout = _milliseconds(statement_timeout)

    def apply(self) -> None:
        """Read what the session has, and set ours for the run; commits."""
        if not self._is_postgresql:
            return
        # A pooler greets with a process number of its own making.
        raw = driver_connection(self._connection)
        self._is_pooled = raw.info.backend_pid != self._backend_pid
        self._found = dict(self._connection.exec_driver_sql(_READ).mappings().one())
        if not self._is_pooled:
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
            value = self._lock_timeout if seconds is None else _milliseconds(seconds)
            with raw.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, false)", (value,))

    @property
    def _ours(self) -> dict[str, str]:
        return {
            **self._found,
            "lock_timeout": self._lock_timeout,
            "statement_timeout": self._statement_timeout,
        }

    def _write(self, values: dict[str, str], *, is_local: bool) -> None:
        self._connection.execute(sa.text(_WRITE), {**values, "is_local": is_local})


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
