"""One run at a time on a database.

Runbook, when a run ends with exit code 5:

1. The message names who holds the lock and since when. Usually that is a deploy that is working:
   wait, or raise WDH_RUN_LOCK_WAIT.
2. PostgreSQL: the lock lives as long as the holder's session. `SELECT * FROM pg_locks WHERE
   locktype = 'advisory'` shows it; `SELECT pg_terminate_backend(PID)` ends the holder, and the
   step that it runs is rolled back.
3. SQLite: the lock is held by a process on this machine and ends with it. The file beside the
   database (`NAME.lock`) is only where the lock is taken: it may stay. To delete it while a run
   holds it ends that run before its next revision.
"""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from work_data_hub.errors import LockTimeoutError
from work_data_hub.io.schema.engine import sqlite_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import Engine

FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.5


class Lock(Protocol):
    """What a database's lock can do."""

    def try_to_take(self) -> bool:
        """Take the lock if it is free; never wait."""

    def holder(self) -> str:
        """Say who holds it and since when."""

    def verify(self) -> None:
        """Raise LockTimeoutError when the lock was lost."""

    def release(self) -> None:
        """Give it back, whether or not it was taken."""


class NoLock:
    """The lock of a database that only its own connection can see, or that cannot be locked."""

    def try_to_take(self) -> bool:
        """Nobody else is there."""
        return True

    def holder(self) -> str:
        """Nobody."""
        return "nobody"

    def verify(self) -> None:
        """It cannot be lost."""

    def release(self) -> None:
        """Nothing was taken."""


@contextmanager
def run_lock(
    engine: Engine, history: str, wait_seconds: float, tell: Callable[[str], None]
) -> Iterator[Lock]:
    """Hold the run lock of one history in one database for the block.

    Args:
        engine: makes the connection that holds the lock on PostgreSQL.
        history: schema and name of the version table: two histories do not block each other.
        wait_seconds: how long to wait for another run to end.
        tell: is told once, in words, for whom the wait is.

    Raises:
        LockTimeoutError: another run did not end in time; the message names it.
    """
    lock = _lock_for(engine, history)
    try:
        _take(lock, wait_seconds, tell)
        yield lock
    finally:
        lock.release()


def _lock_for(engine: Engine, history: str) -> Lock:
    # Each is imported where it is taken: no run needs both.
    if engine.dialect.name == "postgresql":
        from work_data_hub.io.schema.locks.advisory_lock import AdvisoryLock

        return AdvisoryLock(engine, history)
    if (file := sqlite_file(engine.url)) is not None:
        from work_data_hub.io.schema.locks.file_lock import FileLock

        return FileLock(file)
    return NoLock()


def _take(lock: Lock, wait_seconds: float, tell: Callable[[str], None]) -> None:
    """Poll: a waiter that blocks inside PostgreSQL holds a snapshot, for which CREATE INDEX
    CONCURRENTLY of the holder waits without end.
    """  # noqa: D205
    deadline = time.monotonic() + wait_seconds
    pause = FIRST_PAUSE_SECONDS
    told = False
    while not lock.try_to_take():
        left = deadline - time.monotonic()
        if left <= 0:
            raise LockTimeoutError(
                f"another run did not end within {wait_seconds:g} s: {lock.holder()}",
                hint="wait for it and run again, or raise WDH_RUN_LOCK_WAIT (seconds)",
            )
        if not told and pause > FIRST_PAUSE_SECONDS * 8:
            tell(f"waiting for another run to end: {lock.holder()}")
            told = True
        time.sleep(min(pause * random.uniform(0.5, 1.0), left))  # noqa: S311  # no secret
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
