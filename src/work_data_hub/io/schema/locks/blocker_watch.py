"""Locks that a revision does not get (PostgreSQL): who holds them, and when to try again.

A statement that waits for a lock makes every later reader of the table wait behind it. With a
short ``lock_timeout`` it gives up instead, the revision is rolled back, the readers go on, and the
revision is tried again (the technique of pgroll and of GitLab's ``with_lock_retries``).
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any

from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.schema.engine import connect_raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import Engine

log = logging.getLogger(__name__)

_LOOK_EVERY_SECONDS = 0.25

_BLOCKERS = """
    SELECT a.pid, a.usename, a.application_name, a.state,
           extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start))
      FROM unnest(pg_blocking_pids(%s)) AS blocking (pid) JOIN pg_stat_activity AS a USING (pid)
     ORDER BY a.xact_start
"""


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
