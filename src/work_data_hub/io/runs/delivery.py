"""Brings what a run says to its database, or else into a spool file. No fault of either gets out.

While the database is away it is asked now and then, not with each entry; when it answers, what was
spooled is loaded first, so that the order is kept.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from work_data_hub.io.runs.spool import SpoolFile
from work_data_hub.io.runs.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from work_data_hub.domain.runs.entry import Entry
    from work_data_hub.io.runs.run_database import RunDatabase
    from work_data_hub.io.runs.run_state import Taken

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0

log = logging.getLogger(__name__)


class Delivery:
    """See the module.

    Args:
        database: where to.
        run_id: of the run.
        pipeline: its name, for the log.
    """

    def __init__(self, database: RunDatabase, run_id: str, pipeline: str) -> None:
        self._database = database
        self._run_id = run_id
        self._name = f"the run {run_id} of {pipeline}"
        self._writer = Writer(database)
        self._lock = threading.Lock()  # of the spool file, and of what is below it
        self._spool: SpoolFile | None = None
        self._is_abandoned = False
        self._has_complained = self._has_lost = False
        self._pause = FIRST_PAUSE_SECONDS
        self._not_before = 0.0

    def deliver(self, taken: Taken) -> None:
        """Keep what was taken, here or there."""
        entry = taken.entry
        if not self._tried(lambda: self._write(taken), must_try=entry.has_ended):
            with self._lock:
                if not self._is_abandoned:
                    self._keep(entry)

    def beat(self) -> None:
        """Note in the database that the run is alive, and load what was spooled meanwhile."""
        self._tried(self._beat)

    def tidy(self, work: Callable[[Writer], None]) -> None:
        """Do something for others, if the database answers; what comes of it is no fault."""
        if self._not_before == 0.0:
            with suppress(Exception):
                work(self._writer)

    def abandon(self, entry: Entry, reason: str) -> None:
        """Spool an entry in place of a ``deliver`` that hangs; that one then leaves all alone.

        Args:
            entry: all that may not be kept anywhere yet.
            reason: why, for the log.
        """
        with self._lock:
            self._is_abandoned = True
            self._complain(reason)
            self._keep(entry)
            self._close_spool()

    def close(self) -> None:
        """Give back the connection and the file."""
        with suppress(Exception):
            self._writer.close()
        with self._lock:
            if not self._is_abandoned:
                self._close_spool()

    def _tried(self, work: Callable[[], None], *, must_try: bool = False) -> bool:
        if not must_try and time.monotonic() < self._not_before:
            return False
        try:
            work()
        except Exception as error:  # whatever it is: the pipeline goes on
            self._failed(error)
            return False
        self._pause, self._not_before = FIRST_PAUSE_SECONDS, 0.0
        return True

    def _write(self, taken: Taken) -> None:
        self._load_spool()
        if taken.row_is_new:
            self._writer.write(taken.entry)
        else:
            self._writer.write_metrics(taken.entry.metrics)

    def _beat(self) -> None:
        self._load_spool()
        self._writer.beat(self._run_id)

    def _load_spool(self) -> None:
        spool = self._spool
        if spool is None:
            return
        for entry in spool.content().entries:
            self._writer.write(entry)
        with self._lock:
            if not self._is_abandoned:
                spool.remove()
                self._close_spool()
                log.info("%s: the database answers again, and has what was spooled", self._name)

    def _failed(self, error: Exception) -> None:
        self._not_before = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        with suppress(Exception):
            self._writer.close()
        with self._lock:
            self._complain(self._database.reason(error))

    def _complain(self, reason: str) -> None:
        if not self._has_complained:
            self._has_complained = True
            log.warning(
                "%s is not recorded in %s for now: %s; it is spooled, and where it does not come"
                " to the database by itself `wdh runs flush` loads it",
                *(self._name, self._database.label, reason),
            )

    def _keep(self, entry: Entry) -> None:
        try:
            if self._spool is None:
                self._spool = SpoolFile.of_run(self._run_id, self._database.label)
            self._spool.append(entry)
        except Exception as error:  # a full disk does not end a pipeline either
            if not self._has_lost:
                self._has_lost = True
                said = "%s is lost in part: it cannot be spooled: %s"
                log.error(said, self._name, error)  # noqa: TRY400  # a traceback tells nobody more

    def _close_spool(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None
