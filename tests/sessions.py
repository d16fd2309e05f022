"""The sessions of a PostgreSQL database, as an administrator sees them, and ends them."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL

# Conditions on pg_stat_activity: which session of a run it is.
RUN_LOCK = "starts_with(application_name, 'run lock of')"
SLEEPING = "wait_event = 'PgSleep'"
WAITING = "wait_event_type = 'Lock'"
BLOCKER_WATCH = "application_name = 'work_data_hub' AND state = 'idle'"  # while the run is waiting

_DEADLINE_SECONDS = 30
_OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def end_sessions(url: URL, which: str, *, when: str = "true") -> None:
    """End the sessions of a database that a condition names, as soon as there is one.

    Args:
        url: of the database.
        which: a condition on pg_stat_activity.
        when: another one, which must hold for some session at the same moment.
    """
    some = f"EXISTS (SELECT {_OTHERS} AND ({when}))"
    _wait_for(url, f"SELECT count(pg_terminate_backend(pid)) {_OTHERS} AND ({which}) AND {some}")


def wait_for_session(url: URL, which: str) -> None:
    """Wait until there is a session that a condition names."""
    _wait_for(url, f"SELECT count(*) {_OTHERS} AND ({which})")


def _wait_for(url: URL, count: str) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    with connect(url) as connection:
        while not connection.exec_driver_sql(count.replace("%", "%%")).scalar():
            assert time.monotonic() < deadline, f"there was none: {count}"
            connection.rollback()  # the view is the same for the whole of a transaction
            time.sleep(0.02)


@contextlib.contextmanager
def ending_sessions(url: URL, which: str, *, when: str = "true") -> Iterator[None]:
    """Do that beside the block; it fails when there was no such session."""
    failed: list[BaseException] = []

    def end() -> None:
        try:
            end_sessions(url, which, when=when)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=end)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert not failed, failed
