"""When a revision that did not get its locks is tried again."""

from __future__ import annotations

import random
import time

from work_data_hub.io.schema.drivers import sqlstate_of

LOCK_NOT_AVAILABLE = "55P03"


DEADLOCK_DETECTED = "40P01"


FIRST_PAUSE_SECONDS = 0.5


LONGEST_PAUSE_SECONDS = 30.0


def is_lock_failure(error: BaseException) -> bool:
    """Whether a statement failed because it did not get its locks in time."""
    return sqlstate_of(error) in {LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED}


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
