"""Tries what is pending, and takes it back: in a transaction, or on a copy of a SQLite file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from alembic import command
from sqlalchemy.engine import URL

from work_data_hub.config.database_url import mask
from work_data_hub.errors import (
    MigrationFailedError,
    RefusedError,
    RunInterrupted,
    RunInterruptedError,
)
from work_data_hub.io.schema.alembic_bridge import commands
from work_data_hub.io.schema.alembic_bridge.request import Permissions, Request
from work_data_hub.io.schema.engine import driver_connection
from work_data_hub.io.schema.run.guard import RunGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script
    from sqlalchemy.engine import Connection

    from work_data_hub.domain.run.plan import Progress, Step
    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.alembic_bridge.observer import RunObserver


_INTERRUPTED = RunInterruptedError(
    "interrupted: it was tried on a copy, nothing was changed", hint="run the command again"
)


class Trial(NamedTuple):
    """What a dry run found.

    Attributes:
        database: its URL, without the password.
        versions: the revisions that it is at, before and after.
        tried: the steps that ran without a fault.
        untried: those that could not be tried: the first leaves its transaction.
        on_a_copy: whether they ran on a copy of the database.
    """

    database: str
    versions: tuple[str, ...]
    tried: tuple[Step, ...]
    untried: tuple[Step, ...]
    on_a_copy: bool


class _Place(NamedTuple):
    """Where the steps are tried.

    Attributes:
        database: the URL that was meant, without the password.
        versions: the revisions that it is at.
        copy: of a SQLite database.
    """

    database: str
    versions: tuple[str, ...]
    copy: URL | None


class _LeavesTransactionError(RefusedError):
    """A revision would leave the transaction that is taken back."""


class TrialGuard(RunGuard):
    """Stands around steps that are all in one transaction, which is taken back."""

    def begin(self, step: Step, script: Script | None, context: MigrationContext) -> None:
        """As ``RunGuard``; what leaves the transaction ends the trial before it commits."""
        super().begin(step, script, context)

        def refuse() -> Any:
            raise _LeavesTransactionError(
                f"{step} leaves its transaction", hint="it cannot be tried"
            )

        context.autocommit_block = refuse  # type: ignore[method-assign]

    def _record_failure(self, step: Step, error: BaseException) -> None:
        """Record nothing: nothing was run."""


def dry_run(
    database_url: str | URL | None = None,
    revision: str = "head",
    *,
    allow_commit: Sequence[str] = (),
    alembic_ini: Path | None = None,
    observer: RunObserver | None = None,
) -> Trial:
    """Run the pending revisions and take all of it back; the database is asked whether it is so.

    PostgreSQL: in one transaction under the run lock, so the locks of all steps are held until its
    end, and numbers of sequences are used up. It stops before a revision that leaves its
    transaction. SQLite: on a copy, where every revision can be tried.

    Args:
        database_url: the database; the settings decide when it is left out.
        revision: as ``migration_runner.upgrade``.
        allow_commit: as ``migration_runner.upgrade``.
        alembic_ini: the project.
        observer: is told of every step.

    Raises:
        MigrationFailedError: a revision failed, and would fail.
        WorkDataHubError: as ``migration_runner.upgrade``.
    """
    with TemporaryDirectory(prefix="wdh-dry-run-") as folder:
        copy = Path(folder) / "copy.db"
        place = commands.seen(lambda view: _place(view, copy), database_url, alembic_ini)
        is_transaction = place.copy is None
        wanted = Permissions(dry_run=is_transaction, allow_commit=tuple(allow_commit))
        request = Request.of(place.copy or database_url, wanted, observer)
        try:
            commands.run(request, lambda config: command.upgrade(config, revision), alembic_ini)
        except MigrationFailedError as error:
            raise error if is_transaction else _of_the_copy(error) from error
        except RunInterrupted as interrupted:
            raise interrupted if is_transaction else RunInterrupted(_INTERRUPTED) from None
        tried, untried = request.reported().steps, request.untried
    return Trial(place.database, place.versions, tried, untried, on_a_copy=not is_transaction)


def _place(view: DatabaseView, copy: Path) -> _Place:
    """Look where the database is; copy one of SQLite."""
    shown = mask(view.target.url)
    if view.connection.dialect.name != "sqlite":
        return _Place(shown, view.versions, None)
    with closing(sqlite3.connect(copy)) as target:
        driver_connection(view.connection).backup(target)
    return _Place(shown, view.versions, URL.create("sqlite", database=str(copy)))


def _of_the_copy(error: MigrationFailedError) -> MigrationFailedError:
    """Word a fault of the copy for the database, in which nothing was done."""
    return MigrationFailedError(
        error.message,
        hint="it was tried on a copy, nothing was changed; correct it and run again",
        failed=error.failed,
        pending=error.pending,
    )


def try_out(
    run: Callable[[], None], connection: Connection, progress: Progress
) -> tuple[Step, ...]:
    """Run steps in one transaction and take it back.

    Args:
        run: runs them.
        connection: in no transaction.
        progress: of the run.

    Returns:
        The steps that could not be tried.

    Raises:
        MigrationFailedError: the database says that it was not taken back; or a step failed.
    """
    untried: tuple[Step, ...] = ()
    connection.begin()
    try:
        run()
    except _LeavesTransactionError:
        assert progress.running is not None
        untried = (progress.running, *progress.pending)
        progress.running = None
    except BaseException:
        progress.finished.clear()  # it is taken back with the one that failed
        raise
    else:
        _take_back(connection)
    return untried


def _take_back(connection: Connection) -> None:
    own = connection.exec_driver_sql("SELECT pg_current_xact_id_if_assigned()::text").scalar()
    connection.rollback()
    if own is None:  # nothing was written
        return
    fate = connection.exec_driver_sql(f"SELECT pg_xact_status('{own}'::xid8)").scalar()
    connection.rollback()
    if fate != "aborted":
        raise MigrationFailedError(
            f"the dry run was not taken back: the database says {fate!r}",
            hint="`wdh db status` shows where it is; look what the revisions commit",
        )
