"""The verb that waits for a database, for the start-up of services: wait."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from work_data_hub import patience
from work_data_hub.cli import project_config
from work_data_hub.cli.answer import Answer
from work_data_hub.cli.verb import argument, verb
from work_data_hub.domain.finding import ERROR
from work_data_hub.errors import (
    CheckFoundError,
    HistoryError,
    RefusedError,
    UsageError,
    WorkDataHubError,
)

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
# What another run, or the one that is at work, puts right.
_PASSING = frozenset({"not-recorded", "interrupted"})


_LASTING = (UsageError, RefusedError, HistoryError)


@verb(
    argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="for how long; then the exit code says why (default: 60)",
    ),
    examples=("wdh db wait --timeout 60",),
)
def wait(call: Namespace) -> Answer:
    """Wait until the database answers and stands at head, with nothing wrong.

    Raises:
        CheckFoundError: it answers, and is not at head.
        WorkDataHubError: the last fault, such as a database that does not answer. What waiting
            cannot mend (usage, settings, the history, what is refused) is raised at once, as a run
            would raise it.
    """
    if not call.timeout >= 0:  # NaN is neither
        raise UsageError("--timeout is less than 0", hint="write seconds, such as --timeout 60")
    ini, started, pause = project_config.find(call.config), time.monotonic(), FIRST_PAUSE_SECONDS
    while True:
        fault = _fault(ini, call.database_url)
        waited = time.monotonic() - started
        if fault is None:
            data = {"waited_seconds": round(waited, 1)}
            return Answer(data, (f"the database is at head (waited {waited:.1f} s)",))
        if waited >= call.timeout or isinstance(fault, _LASTING):
            raise fault
        patience.say(f"waiting: {fault.message}")
        time.sleep(min(pause, call.timeout - waited))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _fault(ini: Path, database_url: str | None) -> WorkDataHubError | None:
    """Return why the database is not ready; None when it is."""
    from work_data_hub.io.schema.first_look.verdict import look

    if look(ini, database_url, "heads") is not None:
        return None
    from work_data_hub.io.schema import migration_runner
    from work_data_hub.io.schema.record.status import fault_of

    try:
        found = migration_runner.status(database_url, alembic_ini=ini)
    except WorkDataHubError as error:
        return error
    # A run goes on beside a warning, and so does a service.
    wrong = [problem for problem in found.problems if problem.severity == ERROR]
    for problem in wrong:
        if problem.code not in _PASSING:
            return fault_of(problem)
    if found.pending:
        return CheckFoundError(
            f"{found.database} is not at head: {len(found.pending)} revision(s) are pending",
            hint="apply them: `wdh db upgrade`; or wait longer: --timeout SECONDS",
        )
    return CheckFoundError(str(wrong[0]), hint=wrong[0].hint) if wrong else None
