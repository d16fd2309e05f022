"""The one adapter that words Alembic's and the drivers' errors for people."""

from __future__ import annotations

import difflib
import sqlite3
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from alembic.script.revision import (
    CycleDetected,
    MultipleHeads,
    RangeNotAncestorError,
    ResolutionError,
    RevisionError,
)
from alembic.util import CommandError, DatabaseNotAtHead
from sqlalchemy.exc import DBAPIError

from work_data_hub.errors import (
    CheckFoundError,
    HistoryError,
    MigrationFailedError,
    UsageError,
    WorkDataHubError,
)
from work_data_hub.io.schema.engine import first_line

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells count it (128 + SIGINT)."""

_CHECK_RIGHTS = "check the rights of the user, and that no other program holds the database"
# insufficient_privilege, read_only_sql_transaction
_DENIED = {"42501", "25006"}

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

    from work_data_hub.domain.run.plan import Progress


def as_fault(
    error: Exception, *, scripts: ScriptDirectory, execution: Progress | None
) -> WorkDataHubError | None:
    """Return the error that a person understands, or None when it is a bug that must be seen.

    Args:
        error: what was raised.
        scripts: the revision files, to name near matches and paths.
        execution: the run, if one had begun.
    """
    if execution is not None and execution.running is not None:
        return _failed_revision(error, scripts, execution)
    if isinstance(error, WorkDataHubError):
        return error
    if isinstance(error, CommandError | RevisionError):
        current = execution.plan.current if execution is not None else ()
        return _history_fault(error, scripts, current)
    if (path := _revision_file_in(error, scripts)) is not None:
        return HistoryError(
            f"the revision file {path} cannot be read: {_named(error)}",
            hint="correct the file at that line",
        )
    if isinstance(error, KeyError) and _comes_from_the_revision_map(error):
        return HistoryError(
            f"a revision builds on {error.args[0]!r}, of which there is no file",
            hint="restore that file, or correct down_revision or depends_on",
        )
    if isinstance(error, OSError) and error.filename is not None:
        return UsageError(
            f"{error.strerror}: {error.filename}", hint="check the path and your rights to it"
        )
    if isinstance(error, DBAPIError | sqlite3.Error):
        return MigrationFailedError(
            f"the database refused: {first_line(getattr(error, 'orig', None) or error)}",
            hint=_CHECK_RIGHTS,
        )
    return None


def interrupted(execution: Progress | None) -> str:
    """Say, for people, what a Ctrl-C left: only whole steps."""
    done = ", ".join(step.revision for step in execution.finished) if execution else ""
    if execution is None or execution.running is None:
        return f"interrupted between steps (done: {done or 'nothing'})\nhint: run the command again"
    if execution.left_a_part:
        return (
            f"interrupted: a part of {execution.running} is committed\n"
            "hint: run the command again, it names what is there and what to do"
        )
    return (
        f"interrupted: {execution.running} was rolled back (done before it: {done or 'nothing'})\n"
        "hint: run the command again, it goes on from there"
    )


def _failed_revision(
    error: Exception, scripts: ScriptDirectory, execution: Progress
) -> MigrationFailedError:
    failed = execution.running
    assert failed is not None
    place = _revision_file_in(error, scripts)
    where = f" ({place})" if place is not None else ""
    applied = ", ".join(step.revision for step in execution.finished) or "nothing"
    left = (
        "a part of it is committed, the next run names it"
        if execution.left_a_part
        else ("it was rolled back")
    )
    return MigrationFailedError(
        f"{failed.direction} {failed.revision} failed{where}: {_named(error)}",
        hint=f"{left} (done before it: {applied}); {_advice(error)}",
        applied=[step.revision for step in execution.finished],
        failed=failed.revision,
        pending=[step.revision for step in execution.pending],
    )


def _advice(error: Exception) -> str:
    if isinstance(error, WorkDataHubError):
        return error.hint
    original = getattr(error, "orig", None)
    is_denied = getattr(original, "sqlstate", None) in _DENIED or "readonly" in str(original)
    return _CHECK_RIGHTS if is_denied else "correct it and run again"


def _history_fault(
    error: CommandError | RevisionError, scripts: ScriptDirectory, current: tuple[str, ...]
) -> WorkDataHubError:
    # Alembic words most errors of its graph, and lets some pass.
    cause = error if isinstance(error, RevisionError) else error.__cause__
    if isinstance(cause, MultipleHeads):
        return HistoryError(
            f"there are several heads: {', '.join(sorted(cause.heads))}",
            hint="name one, or join them: alembic merge heads -m 'merge'",
        )
    if isinstance(cause, ResolutionError):
        if cause.argument in current:
            return _ahead_of_the_code(str(cause.argument))
        return _unknown_revision(cause, scripts)
    if isinstance(cause, RangeNotAncestorError):
        return HistoryError(
            f"{cause.lower or 'base'} is not an ancestor of {cause.upper or 'base'}",
            hint="`alembic history` shows the order of the revisions",
        )
    if isinstance(cause, CycleDetected):
        return HistoryError(
            f"the revisions form a cycle: {', '.join(cause.revisions)}",
            hint="correct down_revision in one of them",
        )
    if isinstance(error, DatabaseNotAtHead) or "not up to date" in str(error):
        return CheckFoundError(
            "the database is not at head", hint="run `alembic upgrade head` first"
        )
    return _worded_by_alembic(error)


def _comes_from_the_revision_map(error: KeyError) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return Path(frames[-1].filename).parts[-3:] == ("alembic", "script", "revision.py")


def _worded_by_alembic(error: Exception) -> WorkDataHubError:
    message = first_line(error)
    if message.startswith("Relative revision -"):
        return HistoryError(
            "there are not that many revisions to take back",
            hint="`alembic current` and `alembic history` show where the database is",
        )
    if "head" in message or "revision" in message.lower():
        return HistoryError(
            message, hint="`alembic history` and `alembic heads` show what there is"
        )
    return UsageError(message, hint="`alembic --help` shows the commands and their arguments")


def _ahead_of_the_code(revision: str) -> HistoryError:
    return HistoryError(
        f"the database is at revision {revision}, which this code does not know",
        hint="it was migrated by newer code: deploy that, or check that this database is meant",
    )


def _unknown_revision(cause: ResolutionError, scripts: ScriptDirectory) -> HistoryError:
    known = [script.revision for script in scripts.walk_revisions()]
    wanted = str(cause.argument)
    if str(cause).startswith("Multiple revisions"):
        among = ", ".join(sorted(known_id for known_id in known if known_id.startswith(wanted)))
        return HistoryError(
            f"{wanted!r} is the beginning of several revisions: {among}", hint="write more of it"
        )
    near = difflib.get_close_matches(wanted, known, 1, 0.4)
    return HistoryError(
        f"there is no revision {wanted!r}",
        hint=f"did you mean {near[0]}?" if near else "`alembic history` shows the revisions",
    )


def _revision_file_in(error: Exception, scripts: ScriptDirectory) -> str | None:
    """Return ``path:line`` of the innermost place in a revision file, if one is involved."""
    folder = Path(scripts.dir).resolve()
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.name != "env.py" and folder in path.parents:
            return f"{path}:{frame.lineno}"
    return None


def _named(error: Exception) -> str:
    if isinstance(error, DBAPIError):
        return "; ".join([first_line(error.orig or error), *getattr(error, "__notes__", ())])
    if isinstance(error, CommandError | WorkDataHubError):
        return first_line(error)
    return f"{type(error).__name__}: {first_line(error)}"
