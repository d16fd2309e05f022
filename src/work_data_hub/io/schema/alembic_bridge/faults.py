"""The one adapter that words Alembic's and the drivers' errors for people."""

from __future__ import annotations

import difflib
import re
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

from work_data_hub.domain.revisions.verification import several_heads
from work_data_hub.errors import (
    CheckFoundError,
    HistoryError,
    MigrationFailedError,
    RunInterruptedError,
    UsageError,
    WorkDataHubError,
)
from work_data_hub.io.schema.alembic_bridge.places import (
    env_py_in,
    innermost,
    revision_file_in,
)
from work_data_hub.io.schema.alembic_bridge.revision_map import paths
from work_data_hub.io.schema.drivers import is_of_driver, sqlstate_of
from work_data_hub.io.schema.engine import first_line, said

_CHECK_RIGHTS = "check the rights of the user, and that no other program holds the database"
# What PgBouncer says (08P01, query_wait_timeout) when no server connection came free.
_PROTOCOL_VIOLATION = "08P01"
_TWO_CONNECTIONS = (
    "behind a pooler a run needs two server connections, three while it waits for locks: raise the"
    " size of the pool"
)
# insufficient_privilege, read_only_sql_transaction
_DENIED = {"42501", "25006"}
_REFUSED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY}
_OWN_LOCK = (
    "only the run's connection can write while it runs: let the revision use op.get_bind(), and no"
    " engine or connection of its own"
)
# What is committed of a step that failed, in words.
_LEFT: dict[Remainder, str] = {
    "nothing": "it was rolled back",
    "a part": "a part of it is committed",
    "a marked part": "a part of it is committed, the next run names it",
    "all": "its connection was lost when it had been committed, the next run goes on from there",
    "unknown": "its connection was lost: the next run looks whether it was committed",
}
_INTERRUPTED: dict[Remainder, str] = {
    "a part": "a part of {} is committed",
    "a marked part": "a part of {} is committed",
    "all": "{} is committed",
    "unknown": "the connection was lost, the next run looks whether {} was committed",
}
_GOES_BACK = re.compile(r"-\d+$")

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

    from work_data_hub.config.run_driver import RunDriver
    from work_data_hub.domain.finding import Finding
    from work_data_hub.domain.run.plan import Progress, Remainder


def as_fault(
    error: BaseException,
    *,
    scripts: ScriptDirectory,
    progress: Progress,
    asked: str = "",
    driver: RunDriver | None = None,
) -> WorkDataHubError | None:
    """Return the error that a person understands, or None when it is a bug that must be seen.

    Args:
        error: what was raised.
        scripts: the revision files, to name near matches and paths.
        progress: how far the run got.
        asked: the revision that was asked for, as the caller wrote it.
        driver: of the run, where it is known.
    """
    if progress.running is not None:
        return _failed_revision(error, scripts, progress, driver)
    if isinstance(error, WorkDataHubError):
        return error
    if isinstance(error, CommandError | RevisionError):
        return _history_fault(error, scripts, asked)
    if (fault := _env_py_fault(error, scripts)) is not None:
        return fault
    if (path := revision_file_in(error, scripts)) is not None:
        return HistoryError(
            f"the revision file {path} cannot be read: {_named(error)}",
            hint="correct the file at that line",
        )
    return _fault_of_a_kind(error, scripts)


def _fault_of_a_kind(error: BaseException, scripts: ScriptDirectory) -> WorkDataHubError | None:
    """Return what the type of an error tells, and where it was raised."""
    if isinstance(error, KeyError) and _raised_in(error)[1:] == ("script", "revision.py"):
        return HistoryError(
            f"a revision builds on {error.args[0]!r}, of which there is no file",
            hint="restore that file, or correct down_revision or depends_on",
        )
    if isinstance(error, AssertionError) and _raised_in(error)[1:] == ("script", "revision.py"):
        return HistoryError(
            "nothing stands behind @ in a revision",
            hint="write LABEL@REVISION, such as orders@head",
        )
    if isinstance(error, LookupError) and "pyfiles.py" in _raised_in(error):
        return UsageError(
            f"a file cannot be written as output_encoding in alembic.ini says: {first_line(error)}",
            hint="set output_encoding = utf-8, or leave it out",
        )
    if isinstance(error, ImportError) and _raised_in(error)[1:] == ("util", "pyfiles.py"):
        return UsageError(
            f"there is no env.py in {scripts.dir}", hint="restore it, or correct script_location"
        )
    if isinstance(error, OSError) and error.filename is not None:
        return UsageError(
            f"{error.strerror}: {error.filename}", hint="check the path and your rights to it"
        )
    if isinstance(error, DBAPIError) or is_of_driver(error):
        is_pool_full = sqlstate_of(error) == _PROTOCOL_VIOLATION
        return MigrationFailedError(
            f"the database refused: {said(error)}",
            hint=_TWO_CONNECTIONS if is_pool_full else _CHECK_RIGHTS,
        )
    return None


def interrupted(progress: Progress) -> RunInterruptedError:
    """Say, for people, what a Ctrl-C left: only whole steps."""
    done = _done(progress)
    if progress.running is None:
        return RunInterruptedError(
            f"interrupted between steps (done: {done})", hint="run the command again"
        )
    running = f"the {progress.running.direction} of {progress.running.revision}"
    if progress.left == "nothing":
        return RunInterruptedError(
            f"interrupted: {running} was rolled back (done before it: {done})",
            hint="run the command again, it goes on from there",
        )
    return RunInterruptedError(
        f"interrupted: {_INTERRUPTED[progress.left].format(running)}",
        hint="run the command again, it names what is there and what to do",
    )


def _failed_revision(
    error: BaseException, scripts: ScriptDirectory, progress: Progress, driver: RunDriver | None
) -> MigrationFailedError:
    failed = progress.running
    assert failed is not None
    place = revision_file_in(error, scripts)
    where = f" ({place})" if place is not None else ""
    return MigrationFailedError(
        f"{failed.direction} {failed.revision} failed{where}: {_named(error)}"
        f"{', by the run itself' if progress.is_own_lock else ''}",
        hint=f"{_LEFT[progress.left]} (done before it: {_done(progress)});"
        f" {_OWN_LOCK if progress.is_own_lock else _advice(error, driver)}",
        applied=[step.revision for step in progress.finished],
        failed=failed.revision,
        pending=[step.revision for step in progress.pending],
    )


def _done(progress: Progress) -> str:
    """Say how many steps were done, and the last: a list of all would bury what went wrong."""
    *before, last = [step.revision for step in progress.finished] or ["nothing"]
    return f"{len(before) + 1}, the last {last}" if before else last


def _advice(error: BaseException, driver: RunDriver | None) -> str:
    if isinstance(error, WorkDataHubError):
        return error.hint
    original = getattr(error, "orig", None) or error
    is_denied = sqlstate_of(error) in _DENIED
    # The low byte is the code, what is above it its kind.
    if is_denied or getattr(original, "sqlite_errorcode", 0) & 0xFF in _REFUSED:
        return _CHECK_RIGHTS
    is_refused = isinstance(error, DBAPIError) or is_of_driver(error)
    if is_refused and driver is not None and driver.replaced is not None:
        return (
            f"correct it and run again ({driver.name} runs migrations, not {driver.replaced}, which"
            " the URL names: they differ in what they make of parameters and of %)"
        )
    return "correct it and run again"


def _history_fault(
    error: CommandError | RevisionError, scripts: ScriptDirectory, asked: str
) -> WorkDataHubError:
    # Alembic words most errors of its graph, and lets some pass.
    cause = error if isinstance(error, RevisionError) else error.__cause__
    if isinstance(cause, MultipleHeads):
        return _history_error(several_heads(cause.heads))
    if isinstance(cause, ResolutionError):
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
    if isinstance(error, DatabaseNotAtHead):
        return CheckFoundError(
            "the database is not at head", hint="run `alembic upgrade head` first"
        )
    if type(cause) is RevisionError and _GOES_BACK.search(asked):
        return HistoryError(
            "there are not that many revisions to take back",
            hint="`alembic current` and `alembic history` show where the database is",
        )
    if cause is not None or "script" in _raised_in(error):
        return HistoryError(
            first_line(error), hint="`alembic history` and `alembic heads` show what there is"
        )
    return UsageError(
        first_line(error), hint="`alembic --help` shows the commands and their arguments"
    )


def _raised_in(error: BaseException) -> tuple[str, ...]:
    """Return the folders and the file below Alembic's own in which an error was raised."""
    parts = Path(traceback.extract_tb(error.__traceback__)[-1].filename).parts
    return parts[-3:] if "alembic" in parts[-3:] else ()


def _history_error(finding: Finding) -> HistoryError:
    return HistoryError(str(finding), hint=finding.hint)


def _unknown_revision(cause: ResolutionError, scripts: ScriptDirectory) -> HistoryError:
    known = [*paths(scripts)]
    wanted = str(cause.argument)
    if "://" in wanted:  # not repeated: it may hold a password
        return HistoryError(
            "a URL is no revision",
            hint="name the database by --database-url, -x database_url=URL or DATABASE_URL",
        )
    among = sorted(revision for revision in known if revision.startswith(wanted))
    if len(among) > 1:
        return HistoryError(
            f"{wanted!r} is the beginning of several revisions: {', '.join(among)}",
            hint="write more of it",
        )
    near = difflib.get_close_matches(wanted, known, 1, 0.4)
    return HistoryError(
        f"there is no revision {wanted!r}",
        hint=f"did you mean {near[0]}?" if near else "`alembic history` shows the revisions",
    )


def _env_py_fault(error: BaseException, scripts: ScriptDirectory) -> UsageError | None:
    """Word what env.py, or what it imports, raised before it handed over."""
    place = env_py_in(error, scripts)
    if place is None:
        return None
    inner = innermost(error)
    where = f", raised at {inner}" if inner not in {None, place} else ""
    return UsageError(
        f"{place} cannot be executed: {_named(error)}{where}",
        hint="correct env.py at that line, or what it imports",
    )


def _named(error: BaseException) -> str:
    if isinstance(error, DBAPIError):
        return "; ".join([said(error), *getattr(error, "__notes__", ())])
    if isinstance(error, CommandError | WorkDataHubError):
        return first_line(error)
    return f"{type(error).__name__}: {first_line(error)}"
