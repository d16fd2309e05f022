"""CREATE INDEX CONCURRENTLY: an index that it leaves INVALID is found, dropped and built again.

A build that fails or is killed leaves an index that every write maintains and no query uses, and
on which ``IF NOT EXISTS`` "succeeds" (PostgreSQL's manual, "Building Indexes Concurrently").
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

from work_data_hub.domain.sql.statement import concurrent_index, if_not_exists
from work_data_hub.errors import LockTimeoutError, MigrationFailedError
from work_data_hub.io.schema.engine import driver_connection

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.engine import Connection

    from work_data_hub.domain.sql.statement import ConcurrentIndex
    from work_data_hub.io.schema.run.session_settings import SessionSettings

State = Literal["missing", "invalid", "valid"]

_STATE = """
    SELECT i.indisvalid AND i.indisready, p.pid, c.relnamespace::regnamespace::text
      FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
      LEFT JOIN pg_stat_progress_create_index AS p ON p.index_relid = i.indexrelid
     WHERE c.relname = %s AND i.indrelid = to_regclass(%s)
"""
_LOOK_EVERY_SECONDS = 0.2


class IndexBuilds:
    """The concurrent builds of a revision, one after the other.

    Args:
        connection: of the run.
        session: its settings.
        patience_seconds: how long a build may wait for older transactions, which it must outlast.

    Attributes:
        is_foreign: whether the index was there before its statement ran: then it is somebody
            else's, and recovery must not take it for what an interrupted build left.
    """

    def __init__(
        self, connection: Connection, session: SessionSettings, patience_seconds: float
    ) -> None:
        self._connection = connection
        self._session = session
        self._patience = patience_seconds
        self._is_patient = False
        self._kept: Collection[ConcurrentIndex] = ()
        self.is_foreign = False

    def begin(self, kept: Collection[ConcurrentIndex]) -> None:
        """Begin a revision; ``kept`` are the valid indexes of one that it repeats."""
        self._kept = kept
        self._is_patient = self.is_foreign = False

    def prepare(self, statement: str) -> str:
        """Clear the way for what works concurrently; return the statement that is run."""
        raw, index = driver_connection(self._connection), concurrent_index(statement)
        if index is not None:
            drop_if_invalid(raw, index, self._patience)
            if state(raw, index) == "valid":
                if index in self._kept:
                    return if_not_exists(statement)
                self.is_foreign = True
        # It blocks nobody while it waits.
        self._session.wait_for_locks(self._patience)
        self._is_patient = True
        return statement

    def end_patience(self) -> None:
        """Let what follows a build wait as long as all others, however it ended."""
        if self._is_patient:
            self._is_patient = False
            self._session.wait_for_locks(None)

    def verify(self, index: ConcurrentIndex) -> None:
        """Refuse an index that its build left INVALID.

        Raises:
            MigrationFailedError: it did.
        """
        if state(driver_connection(self._connection), index) == "invalid":
            raise MigrationFailedError(
                f"the index {index.name} is INVALID after it was built",
                hint="look at the server's log, then run again: it is dropped and built anew",
            )


def drop_if_invalid(raw: Any, index: ConcurrentIndex, patience_seconds: float) -> bool:
    """Drop what an interrupted build left; wait while the server is still building it.

    Args:
        raw: the driver's connection, in autocommit mode.
        index: which one.
        patience_seconds: how long a build that is still going on may take.

    Returns:
        Whether there was something to drop.

    Raises:
        LockTimeoutError: the server is still building it.
    """
    deadline = time.monotonic() + patience_seconds
    while (found := _look(raw, index)) is not None and not found[0]:
        _, builder, schema = found
        if builder is None:
            drop(raw, index, schema)
            return True
        # The server goes on with a build whose client was killed.
        if time.monotonic() > deadline:
            raise LockTimeoutError(
                f"the index {index.name} is still being built by the session {builder}",
                hint=f"wait for it, or end it with SELECT pg_terminate_backend({builder})",
            )
        time.sleep(_LOOK_EVERY_SECONDS)
    return False


def state(raw: Any, index: ConcurrentIndex) -> State:
    """Return whether the index is there and can be used."""
    found = _look(raw, index)
    if found is None:
        return "missing"
    return "valid" if found[0] else "invalid"


def drop(raw: Any, index: ConcurrentIndex, schema: str) -> None:
    """Drop the index without blocking its table; ``schema`` is quoted already."""
    quoted = '"' + index.name.replace('"', '""') + '"'
    with raw.cursor() as cursor:
        cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema}.{quoted}")


def _look(raw: Any, index: ConcurrentIndex) -> tuple[bool, int | None, str] | None:
    with raw.cursor() as cursor:
        cursor.execute(_STATE, (index.name, index.table))
        row: tuple[bool, int | None, str] | None = cursor.fetchone()
    return row
