"""Records a run of a pipeline: that it started, its rows and metrics, and how it ended.

    with record_run("orders", input_file="orders.csv") as run:
        run.rows("load", 120)
        run.metric("late", 3, of="customers")

What a run says is written on a connection of its own, each in a transaction of its own: what the
pipeline does in its own transactions, and whether it takes them back, does not matter to it.
"""

from __future__ import annotations

import asyncio
import operator
import os
import secrets
import time
from typing import TYPE_CHECKING, Any, Self, SupportsIndex

from work_data_hub.config.database_url import scrub
from work_data_hub.domain.runs.entry import (
    LONGEST_METRIC_NAME,
    LONGEST_PIPELINE_NAME,
    as_plain_data,
    checked_name,
    clean,
)
from work_data_hub.domain.runs.metric_value import metric_value
from work_data_hub.domain.runs.run_id import RANDOM_BITS, new_run_id
from work_data_hub.errors import UsageError
from work_data_hub.io.runs.dead_runs import close_dead_runs
from work_data_hub.io.runs.delivery import Delivery
from work_data_hub.io.runs.failure import details_of
from work_data_hub.io.runs.run_database import run_database
from work_data_hub.io.runs.run_state import RunState
from work_data_hub.io.runs.sender import Sender
from work_data_hub.redaction import without_secrets

if TYPE_CHECKING:
    from decimal import Decimal
    from types import TracebackType
    from uuid import UUID

    from sqlalchemy.engine import URL, Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from work_data_hub.io.runs.run_database import RunDatabase
    from work_data_hub.io.runs.writer import Writer

BEAT_SECONDS = 15
WAIT_SECONDS = 5.0


def record_run(
    pipeline: str,
    *,
    input_file: str | os.PathLike[str] | None = None,
    url: str | URL | None = None,
    engine: Engine | AsyncEngine | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> RecordedRun:
    """Return a run of a pipeline, which a ``with`` or ``async with`` block starts and ends.

    The block's own error goes on. A block that ends is a success, one that an ``Exception`` ends
    has failed, and one that anything else ends, such as Ctrl-C or the cancelling of a task, was
    cancelled; ``sys.exit`` counts by its code. Runs of the same pipeline whose process died are
    closed as failed at the start.

    While the database is away the pipeline goes on: that is logged once, as a warning of this
    package's logger, and a spool file (``WDH_RUN_SPOOL``) keeps what is said until the database
    answers, or ``wdh runs flush`` loads it.

    Args:
        pipeline: its name, at most 150 characters.
        input_file: the file that it reads, if it reads one.
        url: the database; that of the settings without it. An async driver's URL will do.
        engine: or an engine, of whose pool one connection is used meanwhile; of an AsyncEngine the
            URL alone is used.
        wait_seconds: for how long the start and the end of the block wait for the database.

    Raises:
        UsageError: the name is empty or too long, both ``url`` and ``engine`` are given, or the
            engine has one connection for everybody, as SQLite's have in memory.
        SettingsError: the settings or the URL are wrong.
    """
    name = checked_name(pipeline, "pipeline", LONGEST_PIPELINE_NAME)
    file = None if input_file is None else clean(without_secrets(os.fspath(input_file)))
    return RecordedRun(name, file, run_database(url, engine), wait_seconds)


class RecordedRun:
    """A run that is recorded; ``record_run`` makes it. Threads and tasks may share it.

    It belongs to the process that started it: a worker process hands its figures back.

    Attributes:
        execution_id: identifies the run, in both tables.
        pipeline: its name.
    """

    def __init__(
        self, pipeline: str, input_file: str | None, database: RunDatabase, wait_seconds: float
    ) -> None:
        self.execution_id: UUID = new_run_id(
            BEAT_SECONDS, time.time_ns() // 1_000_000, secrets.randbits(RANDOM_BITS)
        )
        self.pipeline = pipeline
        self._database = database
        self._wait_seconds = wait_seconds
        self._state = RunState(self.execution_id, pipeline, input_file)
        self._sender: Sender | None = None
        self._process = 0
        self._has_ended = False

    def rows(self, step: str, count: SupportsIndex) -> None:
        """Add rows to those that a step read, wrote or rejected; each batch may say its own.

        It does not wait for the database.

        Args:
            step: a name, such as ``load``.
            count: a whole number.

        Raises:
            UsageError: the step has no name, the count is no whole number, or the run is not going
                on in this process.
        """
        try:
            number = operator.index(count)
        except TypeError:
            raise UsageError(
                f"the rows of a step are a whole number, not {type(count).__name__}",
                hint='give a number: run.rows("load", 120)',
            ) from None
        sender = self._going_on()
        self._state.count(checked_name(step, "step", LONGEST_METRIC_NAME), number)
        sender.wake()

    def metric(self, name: str, value: Decimal | float | None, /, **context: Any) -> None:
        """Record a measurement. It does not wait for the database.

        Args:
            name: what was measured, such as ``null_rate``; at most 100 characters.
            value: a number, kept with four places; None, NaN, infinity and what has more than 16
                digits before the point are kept as null, which means not measurable.
            context: what else there is to say, as the column ``metadata`` keeps it: JSON, or
                the text of what JSON has no word for.

        Raises:
            UsageError: it has no name, the value is no number, or the run is not going on in this
                process.
        """
        sender = self._going_on()
        checked = checked_name(name, "metric", LONGEST_METRIC_NAME)
        self._state.measure(checked, metric_value(value), as_plain_data(context) or None)
        sender.wake()

    def __enter__(self) -> Self:
        try:
            self._start().wait_until_started(self._wait_seconds)
        except BaseException as error:  # Ctrl-C: nobody would ever end the run
            self._end(error)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(error)

    async def __aenter__(self) -> Self:
        sender = self._start()
        try:
            await asyncio.to_thread(sender.wait_until_started, self._wait_seconds)
        except BaseException as error:  # the task was cancelled
            await asyncio.to_thread(self._end, error)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self._end, error)

    def _start(self) -> Sender:
        if self._sender is not None:
            raise UsageError(
                "a run is started once", hint="call record_run for each: a retry is a run too"
            )
        self._process = os.getpid()
        delivery = Delivery(self._database, str(self.execution_id), self.pipeline)
        self._sender = Sender(self._state, delivery, BEAT_SECONDS, self._close_dead_runs)
        self._sender.start()
        return self._sender

    def _end(self, error: BaseException | None) -> None:
        if os.getpid() != self._process or self._sender is None:
            return  # a forked child leaves the block of its parent
        self._has_ended = True
        status = _status(error)
        details = None if status == "success" or error is None else details_of(error)
        self._state.end(status, details and scrub(details, self._database.url))
        self._sender.end(self._wait_seconds)

    def _going_on(self) -> Sender:
        if self._sender is None or self._has_ended:
            raise UsageError("the run is not going on", hint="use it inside of its `with` block")
        if os.getpid() != self._process:
            raise UsageError(
                "the run belongs to the process that started it",
                hint="hand the figures back to that one, or record a run of its own here",
            )
        return self._sender

    def _close_dead_runs(self, writer: Writer) -> None:
        def close(connection: Connection) -> None:
            close_dead_runs(connection, pipeline=self.pipeline, beside=self.execution_id)

        writer.use(close)


def _status(error: BaseException | None) -> str:
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return "success"
    return "failed" if isinstance(error, Exception | SystemExit) else "cancelled"
