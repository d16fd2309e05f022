"""The run lock on PostgreSQL: a transaction-level advisory lock on a connection of its own.

The connection's transaction stays open and idle for the whole run. Idle in READ COMMITTED it
holds no snapshot, so CREATE INDEX CONCURRENTLY does not wait for it; being a transaction it pins
its server connection behind a transaction pooler, where a session-level lock is no lock; and the
server ends it when the holder dies.
"""

from __future__ import annotations

import hashlib
import os
import selectors
import time
from typing import TYPE_CHECKING, Any

from work_data_hub.errors import LockTimeoutError
from work_data_hub.io.schema.engine import connect_raw, unavailable
from work_data_hub.io.schema.record.runner import this_runner

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

_VERIFY_EVERY_SECONDS = 5.0
_READ_COMMITTED = 2  # psycopg.IsolationLevel, without the import
# A time-out that the server or the role sets would end the idle transaction, and the lock.
_NO_TIMEOUTS = """
    SELECT set_config(name, '0', true) FROM pg_settings
     WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')
"""
# Between two tries the session is idle. One that a transaction pooler lends is not ours to set.
_NEVER_IDLE = """
    SELECT set_config(name, '0', false) FROM pg_settings
     WHERE name = 'idle_session_timeout' AND pg_backend_pid() = %s
"""
_HOLDER = """
    SELECT a.pid, a.usename, a.application_name, host(a.client_addr),
           extract(epoch FROM clock_timestamp() - a.xact_start)
      FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND (l.classid::bigint << 32 | l.objid::bigint) = %s
"""


class AdvisoryLock:
    """See the module.

    Args:
        engine: makes the connection.
        history: schema and name of the version table.
    """

    def __init__(self, engine: Engine, history: str) -> None:
        self._key = lock_key(history)
        self._engine = engine
        self._connection: Any = None
        self._verified_at = 0.0

    def try_to_take(self) -> bool:
        """Take the lock if it is free; the transaction stays open only when it was.

        Raises:
            DatabaseUnavailableError: the server does not answer, or has ended the connection.
        """
        try:
            return self._try()
        except self._engine.dialect.loaded_dbapi.Error as error:
            raise unavailable(self._engine.url, error) from error

    def _try(self) -> bool:
        if self._connection is None:
            self._connection = connect_raw(self._engine)
            # Only READ COMMITTED gives its snapshot back; the database's default may be another.
            self._connection.isolation_level = _READ_COMMITTED
            self._introduce()
        connection = self._connection
        connection.execute(_NO_TIMEOUTS)
        # No parameter: one would mean the extended protocol, whose portal stays open behind the
        # statement and keeps its snapshot, for which CREATE INDEX CONCURRENTLY then waits.
        query = f"SELECT pg_try_advisory_xact_lock({self._key})"
        (taken,) = connection.execute(query).fetchone()
        if not taken:
            connection.rollback()
        self._verified_at = time.monotonic()
        return bool(taken)

    def holder(self) -> str:
        """Say who holds the lock; the session's application name tells user and machine."""
        try:
            row = self._connection.execute(_HOLDER, (self._key,)).fetchone()
            self._connection.rollback()
        except self._engine.dialect.loaded_dbapi.Error:
            return "unknown"
        if row is None:
            return "it has just ended"
        pid, user, application, address, seconds = row
        where = f" from {address}" if address else ""
        return f"{application!r}, user {user}{where}, pid {pid}, for {seconds or 0:.0f} s"

    def verify(self) -> None:
        """Verify that the connection is alive, and with it the lock.

        A server that ends it says so before it lets go of the lock: that is seen at once, and
        costs no round trip. One that is silent is asked now and then.
        """
        try:
            is_due = time.monotonic() - self._verified_at >= _VERIFY_EVERY_SECONDS
            if not is_due and not self._was_spoken_to():
                return
            self._connection.execute("SELECT 1")
        except self._engine.dialect.loaded_dbapi.Error as error:
            raise LockTimeoutError(
                "the run lock was lost: its connection has ended",
                hint="look who ended it (pg_terminate_backend, a fail-over), then run again",
            ) from error
        self._verified_at = time.monotonic()

    def _was_spoken_to(self) -> bool:
        """Whether the server has sent something unasked."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection.fileno(), selectors.EVENT_READ)
            return bool(selector.select(0))

    def release(self) -> None:
        """End the transaction and the connection."""
        if self._connection is not None:
            self._connection.close()

    def _introduce(self) -> None:
        """Say who we are, within what PostgreSQL keeps of an application name (63 bytes)."""
        runner = this_runner()
        name = f"run lock of {runner.os_user}@{runner.host}, process {os.getpid()}"
        self._connection.execute("SELECT set_config('application_name', %s, false)", (name[:63],))
        self._connection.execute(_NEVER_IDLE, (self._connection.info.backend_pid,))
        self._connection.commit()


def lock_key(history: str) -> int:
    """Return the 63-bit key of a history's lock."""
    hashed = hashlib.sha256(f"work_data_hub:{history}".encode()).digest()
    return int.from_bytes(hashed[:8], "big") >> 1
