"""Locks that a revision waits for (PostgreSQL): who holds them, and who waits behind it meanwhile.

A statement that waits for a lock makes every later reader of the table wait behind it. With a
short ``lock_timeout`` it gives up instead, the revision is rolled back, the readers go on, and the
revision is tried again (the technique of pgroll and of GitLab's ``with_lock_retries``). But
PostgreSQL counts that time-out anew for each lock, and a statement on a partitioned table takes
many, a revision more: what readers wait is looked at too.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any

from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.schema.drivers import sqlstate_of
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
# One statement, so that what is cancelled is what was seen to wait: behind a pooler the session
# may be another client's in the next moment.
_GIVE_WAY = """
    SELECT pg_cancel_backend(%(pid)s)
     WHERE cardinality(pg_blocking_pids(%(pid)s)) > 0
       AND EXISTS (
        SELECT FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
         WHERE NOT l.granted AND a.backend_type = 'client backend'
           AND l.waitstart < clock_timestamp() - make_interval(secs => %(patience)s)
           AND %(pid)s = ANY (pg_blocking_pids(l.pid)))
"""
_CANCELED = "57014"  # query_canceled


class BlockerWatch:
    """Watches, from a connection of its own, who blocks the migration's session.

    Who blocked it cannot be asked afterwards. A revision that is quick costs nothing: the watch
    connects when a revision has been running for a moment. A revision that waits for a lock while
    others have waited behind it for the lock time-out is cancelled: to its statement that is as if
    it had run into the time-out.

    Args:
        engine: makes the connection.
        lock_timeout: seconds that others wait at most behind a revision that waits itself.
        tell: is told, from the watch's own thread, who blocks.

    Attributes:
        seen: who was seen to block the running revision, in words.
    """

    def __init__(
        self, engine: Engine, lock_timeout: float, tell: Callable[[str], None] = log.warning
    ) -> None:
        self._engine = engine
        self._patience = lock_timeout
        self._look_every = min(_LOOK_EVERY_SECONDS, lock_timeout / 4)
        self._tell = tell
        self._over = threading.Event()
        self._looking = threading.Lock()
        self._pid: int | None = None
        self._subject: str | None = None
        self._may_give_way: Callable[[], bool] = bool
        self._gave_way = False
        self.seen: str | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[BlockerWatch]:
        """Watch for the block; on SQLite there is nothing to see."""
        if self._engine.dialect.name != "postgresql":
            yield self
            return
        thread = threading.Thread(target=self._watch, name="blocker watch", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join(timeout=10)

    def begin(self, subject: str, pid: int | None, may_give_way: Callable[[], bool]) -> None:
        """Say what is running now.

        Args:
            subject: in words.
            pid: the server process that runs it.
            may_give_way: whether it can be cancelled and tried again.
        """
        self._pid, self._may_give_way, self.seen, self._gave_way = pid, may_give_way, None, False
        self._subject = subject

    def end(self) -> None:
        """Say that nothing is running."""
        self._subject = None

    def made_give_way(self, error: BaseException) -> bool:
        """Whether a statement was ended by the watch, because others waited behind it."""
        with self._looking:  # what cancelled it may not have come back yet
            return self._gave_way and sqlstate_of(error) == _CANCELED

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
        with self._looking:
            if self._subject is subject and self._may_give_way():
                who = {"pid": self._pid, "patience": self._patience}
                self._gave_way |= connection.execute(_GIVE_WAY, who).fetchone() is not None
                connection.rollback()


def _described(
    pid: int, user: str | None, application: str | None, state: str | None, age: float | None
) -> str:
    return (
        f"pid {pid} (user {user or '?'}, application {application or '?'!r},"
        f" {state or '?'}, for {age or 0:.0f} s)"
    )
