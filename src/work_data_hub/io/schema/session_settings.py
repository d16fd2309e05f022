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
    SELECT set_config('lock_timeout', :lock_timeout, false),
           set_config('statement_timeout', :statement_timeout, false),
           set_config('search_path', :search_path, false)
"""


class SessionSettings:
    """Sets the time-outs for the session, because ``SET LOCAL`` ends with an autocommit block.

    Nothing is done on SQLite.

    Args:
        connection: the connection of the run, not in a transaction.
        lock_timeout: seconds that a statement waits for a lock.
        statement_timeout: seconds that a statement may take; 0 is without limit.
    """

    def __init__(
        self, connection: Connection, lock_timeout: float, statement_timeout: float
    ) -> None:
        self._connection = connection
        self._lock_timeout = lock_timeout
        self._is_postgresql = connection.dialect.name == "postgresql"
        if not self._is_postgresql:
            return
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
        """Set them; also after a revision that replayed a dump, which sets others."""
        self._write(self._ours if self._is_postgresql else None)

    def give_back(self) -> None:
        """Set what the session had: the connection may be the caller's."""
        self._write(self._found if self._is_postgresql else None)

    def wait_for_locks(self, raw: Any, seconds: float | None) -> None:
        """Let the next statement wait longer (None: as long as all others).

        Args:
            raw: the driver's connection, in autocommit mode.
            seconds: how long.
        """
        value = _milliseconds(self._lock_timeout if seconds is None else seconds)
        raw.execute("SELECT set_config('lock_timeout', %s, false)", (value,))

    def _write(self, values: dict[str, str] | None) -> None:
        if values is not None:
            self._connection.execute(sa.text(_WRITE), values)
            self._connection.commit()


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
