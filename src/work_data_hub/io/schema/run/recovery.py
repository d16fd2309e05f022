"""A revision that was interrupted: repeated where that is proved to do no harm, else a person's."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from work_data_hub.errors import LockTimeoutError, UsageError
from work_data_hub.io.schema.engine import autocommit
from work_data_hub.io.schema.run import concurrent_indexes

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from work_data_hub.domain.record.mark import Interrupted, Session
    from work_data_hub.domain.run.plan import Plan
    from work_data_hub.domain.sql.statement import ConcurrentIndex
    from work_data_hub.io.schema.record.marks import Marks

log = logging.getLogger(__name__)

_LOOK_EVERY_SECONDS = 0.2
# What another role's session does is not shown without pg_read_all_stats: it counts as idle.
_STILL_EXECUTES = """
    SELECT state <> 'idle' FROM pg_stat_activity
     WHERE pid = %s AND backend_start = %s::timestamptz AND pid <> pg_backend_pid()
"""


def clear_up(
    marks: Marks, plan: Plan, resolved: str | None, patience_seconds: float
) -> tuple[ConcurrentIndex, ...] | None:
    """Deal with a revision that was interrupted, if there is one.

    It is repeated when the plan begins with it, in its direction, and everything that is or may
    be committed of it may run again (``domain.sql.statement.may_be_repeated``). Nothing but an
    INVALID index is ever dropped.

    Args:
        marks: of the history; the connection is not in a transaction but for what was read.
        plan: what is to be run.
        resolved: the revision that a person has put right, if any.
        patience_seconds: how long the server may still execute for a client that has gone.

    Returns:
        None, or, when the first step repeats it, the valid indexes that it has built: its mark
        then stays until that step has ended.

    Raises:
        MigrationFailedError: a person must decide.
        LockTimeoutError: the server still executes a statement of it.
        UsageError: ``resolved`` names a revision that was not interrupted.
    """
    interrupted = marks.read()
    if interrupted is None:
        if resolved is not None:
            raise UsageError(f"{resolved} was not interrupted", hint="run again without resolved")
        return None
    marks.connection.rollback()  # of what was read: a history with a mark has its version table
    is_resolved = resolved == interrupted.revision
    if not (is_resolved or _is_repeated_by(plan, interrupted)):
        raise interrupted.as_fault()
    if interrupted.session is not None:
        _wait_for(interrupted.session, marks.connection, 0 if is_resolved else patience_seconds)
    if is_resolved:
        marks.forget()  # commits with what is admitted: a refused run keeps the mark
        return None
    return _take_back(interrupted, marks.connection, patience_seconds)


def _is_repeated_by(plan: Plan, interrupted: Interrupted) -> bool:
    first = plan.steps[0] if plan.steps else None
    return (
        first is not None
        and (first.revision, first.direction) == (interrupted.revision, interrupted.direction)
        and interrupted.may_be_repeated
    )


def _wait_for(session: Session, connection: Connection, patience_seconds: float) -> None:
    """Wait until the session of a dead client has ended its statement: it goes on without it."""
    deadline = time.monotonic() + patience_seconds
    while _still_executes(session, connection):
        if time.monotonic() >= deadline:
            raise LockTimeoutError(
                f"the session {session.pid} still executes a statement of the revision that was"
                " interrupted",
                hint="wait until it has ended, or end it with"
                f" SELECT pg_terminate_backend({session.pid}); then run again",
            )
        time.sleep(_LOOK_EVERY_SECONDS)


def _still_executes(session: Session, connection: Connection) -> bool:
    found = connection.exec_driver_sql(_STILL_EXECUTES, tuple(session)).scalar()
    connection.rollback()
    return bool(found)


def _take_back(
    interrupted: Interrupted, connection: Connection, patience_seconds: float
) -> tuple[ConcurrentIndex, ...]:
    """Drop the INVALID indexes of an interrupted revision; return the others."""
    kept: list[ConcurrentIndex] = []
    if interrupted.indexes:
        with autocommit(connection) as raw:
            for index in interrupted.indexes:
                # The server may still be building it: that ends before it is dropped.
                concurrent_indexes.drop_if_invalid(raw, index, patience_seconds)
                if concurrent_indexes.state(raw, index) == "valid":
                    kept.append(index)
    log.warning(
        "%s %s was interrupted; what it left INVALID was dropped, and it is run again",
        interrupted.direction,
        interrupted.revision,
    )
    return tuple(kept)
