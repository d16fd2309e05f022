"""Locks that a revision does not get (PostgreSQL): who holds them, and when to try again.

A statement that waits for a lock makes every later reader of the table wait behind it. With a
short ``lock_timeout`` it gives up instead, the revision is rolled back, the readers go on, and the
revision is tried again (the technique of pgroll and of GitLab's ``with_lock_retries``).
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from typing import TYPE_CHECKING, Any

from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.schema.engine import connect_raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import Engine

log = logging.getLogger(__name__)

LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK_DETECTED = "40P01"
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
_LOOK_EVERY_SECONDS = 0.25

_BLOCKERS = """
    SELECT a.pid, a.usename, a.application_name, a.state,
           extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start))
      FROM unnest(pg_blocking_pids(%s)) AS blocking (pid) JOIN pg_stat_activity AS a USING (pid)
     ORDER BY a.xact_start
"""


def is_lock_failure(error: BaseException) -> bool:
    """Whether a statement failed because it did not get its locks in time."""
    original = getattr(error, "orig", error)
    return getattr(original, "sqlstate", None) in {LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED}


class Retries:
    """When to try again: exponential backoff with jitter, until a deadline.

    Args:
        deadline_seconds: counted from the first failure.
    """

    def __init__(self, deadline_seconds: float) -> None:
        self._allowed = deadline_seconds
        self._deadline: float | None = None
        self._pause = FIRST_PAUSE_SECONDS

    def pause(self) -> float | None:
        """Return for how many seconds to wait, or None when the deadline has passed."""
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._allowed
        if now >= self._deadline:
            return None
        # Jitter: two runs that failed together shall not meet again.
        seconds = min(self._pause * random.uniform(0.5, 1.5), self._deadline - now)  # noqa: S311
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        return seconds

    def reset(self) -> None:
        """Begin anew, for the next revision."""
        self._deadline = None
        self._pause = FIRST_PAUSE_SECONDS


class BlockerWatch:
    """Watches, from a connection of its own, who blocks the migration's session.

    Who blocked it cannot be asked afterwards. A revision that is quick costs nothing: the watch
    connects when a revision has been running for a moment.

    Args:
        engine: makes the connection.
        backend_pid: the server process of the migration's connection; None: nothing to watch.
        look_every: seconds between two looks.
        tell: is told, from the watch's own thread, who blocks.
    """

    def __init__(
        self,
        engine: Engine,
        backend_pid: int | None,
        look_every: float = _LOOK_EVERY_SECONDS,
        tell: Callable[[str], None] = log.warning,
    ) -> None:
        self._engine = engine
        self._pid = backend_pid
        self._look_every = look_every
        self._tell = tell
        self._over = threading.Event()
        self._subject: str | None = None
        self.seen: str | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[BlockerWatch]:
        """Watch for the block."""
        if self._pid is None:
            yield self
            return
        thread = threading.Thread(target=self._watch, name="blocker watch", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join(timeout=10)

    def begin(self, subject: str) -> None:
        """Say what is running now."""
        self._subject, self.seen = subject, None

    def end(self) -> None:
        """Say that nothing is running."""
        self._subject = None

    def _watch(self) -> None:
        """Look when the same subject is running at two ticks in a row.

        The ticks are the thread's own: to wake it for every revision would cost more than most
        revisions do.
        """
        connection: Any = None
        before: str | None = None
        try:
            while not self._over.wait(self._look_every):
                subject, before = before, self._subject
                if subject is not None and subject is before:
                    connection = connection or connect_raw(self._engine)
                    self._look(connection, subject)
        except (self._engine.dialect.loaded_dbapi.Error, WorkDataHubError):
            return  # without a watch the run is as safe, only less talkative
        finally:
            if connection is not None:
                connection.close()

    def _look(self, connection: Any, subject: str) -> None:
        rows = connection.execute(_BLOCKERS, (self._pid,)).fetchall()
        connection.rollback()
        if not rows:
            return
        seen = "; ".join(_described(*row) for row in rows)
        told, self.seen = self.seen, seen
        if told is None:
            self._tell(f"{subject} waits for {seen}")


def _described(
    pid: int, user: str | None, application: str | None, state: str | None, age: float | None
) -> str:
    return (
        f"pid {pid} (user {user or '?'}, application {application or '?'!r},"
        f" {state or '?'}, for {age or 0:.0f} s)"
    )
