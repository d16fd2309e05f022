"""The thread of a run: it delivers what the run says as soon as it says it, and is its heartbeat.

The pipeline never waits for the database but at the run's start and end, and then not for long.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from work_data_hub.io.runs.delivery import Delivery
    from work_data_hub.io.runs.run_state import RunState
    from work_data_hub.io.runs.writer import Writer


class Sender:
    """See the module.

    Args:
        state: of the run.
        delivery: of the run.
        beat_seconds: between two beats.
        afterwards: what is done once, when the start was delivered.
    """

    def __init__(
        self,
        state: RunState,
        delivery: Delivery,
        beat_seconds: float,
        afterwards: Callable[[Writer], None],
    ) -> None:
        self._state = state
        self._delivery = delivery
        self._beat_seconds = beat_seconds
        self._afterwards = afterwards
        self._is_awake = threading.Event()
        self._has_started = threading.Event()
        self._is_ending = False
        self._thread = threading.Thread(target=self._work, name="run log", daemon=True)

    def start(self) -> None:
        """Begin; where no thread can be started, all of the run is spooled at its end."""
        try:
            self._thread.start()
        except RuntimeError:  # there are too many, or the interpreter is about to end
            self._has_started.set()

    def wait_until_started(self, wait_seconds: float) -> None:
        """Wait until the start is kept somewhere, or the time is over."""
        self._has_started.wait(wait_seconds)

    def wake(self) -> None:
        """Say that there is something to deliver."""
        self._is_awake.set()

    def end(self, wait_seconds: float) -> None:
        """Deliver the rest and end; what the database does not take in time is spooled."""
        self._is_ending = True
        self._is_awake.set()
        if self._thread.ident is None:
            self._delivery.abandon(self._state.unsaid(), "no thread could be started for it")
            return
        self._thread.join(wait_seconds)
        if self._thread.is_alive():
            self._delivery.abandon(self._state.unsaid(), "the database does not answer in time")

    def _work(self) -> None:
        self._deliver()
        self._has_started.set()
        self._delivery.tidy(self._afterwards)
        next_beat = time.monotonic() + self._beat_seconds
        while not self._is_ending:
            self._is_awake.wait(max(0.0, next_beat - time.monotonic()))
            self._is_awake.clear()
            self._deliver()
            if time.monotonic() >= next_beat and not self._is_ending:
                self._delivery.beat()
                next_beat = time.monotonic() + self._beat_seconds
        self._deliver()
        self._delivery.close()

    def _deliver(self) -> None:
        while self._state.has_news:
            self._delivery.deliver(self._state.take())
            self._state.arrived()
