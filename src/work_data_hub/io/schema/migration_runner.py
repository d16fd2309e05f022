"""The front door: run, undo, stamp and look at migrations.

Every verb takes the database explicitly or lets the settings decide, reaches the same run as
the plain `alembic` command, and returns a value. It never touches the logging of its host, and
may be called from several threads and inside a running event loop (it blocks it meanwhile).

``alembic_ini`` names the project; left out, it is WorkDataHub's own, also in an installed wheel.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from alembic import command

from work_data_hub.errors import UsageError
from work_data_hub.io.schema.alembic_bridge import commands, model_differences
from work_data_hub.io.schema.alembic_bridge.request import Permissions, Request
from work_data_hub.io.schema.alembic_bridge.revision_listing import heads, history
from work_data_hub.io.schema.authoring.new_revision import merge
from work_data_hub.io.schema.database.provisioning import create
from work_data_hub.io.schema.database.reset import plan_reset, reset
from work_data_hub.io.schema.database.seed import seed
from work_data_hub.io.schema.record.identity import read_identity
from work_data_hub.io.schema.record.status import DatabaseStatus, read_entries
from work_data_hub.io.schema.run.dry_run import dry_run
from work_data_hub.io.schema.run.repair import repair
from work_data_hub.io.schema.run.sql_script import sql
from work_data_hub.io.schema.run.take_back import plan_lost, redo, take_back, take_back_lost
from work_data_hub.io.schema.snapshot.doctor import doctor
from work_data_hub.io.schema.snapshot.drift import drift
from work_data_hub.io.schema.snapshot.schema_record import read_status_with_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from alembic.config import Config
    from sqlalchemy.engine import URL

    from work_data_hub.domain.record.target import EnvironmentClass, Identity
    from work_data_hub.domain.run.plan import RunResult, Step
    from work_data_hub.io.schema.alembic_bridge.observer import RunObserver
    from work_data_hub.io.schema.record.journal import JournalEntry

__all__ = [
    "check",
    "create",
    "current",
    "doctor",
    "downgrade",
    "drift",
    "dry_run",
    "heads",
    "history",
    "identity",
    "journal",
    "merge",
    "pending",
    "plan_lost",
    "plan_reset",
    "record_environment",
    "redo",
    "repair",
    "reset",
    "seed",
    "sql",
    "stamp",
    "status",
    "take_back",
    "take_back_lost",
    "upgrade",
]


def upgrade(
    database_url: str | URL | None = None,
    revision: str = "head",
    *,
    ephemeral: bool = False,
    resolved: str | None = None,
    accept: Sequence[str] = (),
    allow_commit: Sequence[str] = (),
    confirm_drift: bool = False,
    alembic_ini: Path | None = None,
    observer: RunObserver | None = None,
) -> RunResult:
    """Apply the revisions up to ``revision``; each is one transaction.

    Args:
        database_url: the database; the settings decide when it is left out. A SQLite file that
            does not exist is created.
        revision: an id or the beginning of one, ``head``, ``heads``, or ``+N``.
        ephemeral: record a database that is not recorded yet as a throw-away one, for tests.
        resolved: an interrupted revision that was undone by hand.
        accept: applied revisions whose edited or vanished file is accepted.
        allow_commit: released revisions that may commit in their middle.
        confirm_drift: build on a schema that is not as the last run left it.
        alembic_ini: the project.
        observer: is told of every step and every wait; the log when it is left out.

    Returns:
        What was done; no steps when nothing had to be.

    Raises:
        SettingsError: the URL or a setting is not valid.
        DatabaseUnavailableError: the database does not answer.
        HistoryError: the revision is unknown, or a file cannot be read, or was edited since.
        RefusedError: it is of another environment, or not as the last run left it.
        LockTimeoutError: another run did not end in time.
        MigrationFailedError: a revision failed; those before it stay.
    """
    given = resolved, tuple(accept), tuple(allow_commit), ephemeral, confirm_drift
    request = Request.of(database_url, Permissions(None, None, *given), observer)
    return _run(request, command.upgrade, revision, alembic_ini)


def downgrade(
    database_url: str | URL | None = None,
    revision: str = "-1",
    *,
    confirm: str | None = None,
    allow_commit: Sequence[str] = (),
    alembic_ini: Path | None = None,
    observer: RunObserver | None = None,
) -> RunResult:
    """Take back the revisions above ``revision``: ``-1`` is one step, ``base`` is all of them.

    Args:
        database_url: as ``upgrade``.
        revision: where to stop.
        confirm: the name of the database, which staging and prod require.
        allow_commit: as ``upgrade``.
        alembic_ini: the project.
        observer: as ``upgrade``.

    Raises:
        RefusedError: the database is staging or prod and was not named.
        WorkDataHubError: as ``upgrade``.
    """
    permissions = Permissions(confirm=confirm, allow_commit=tuple(allow_commit))
    request = Request.of(database_url, permissions, observer)
    return _run(request, command.downgrade, revision, alembic_ini)


def stamp(
    database_url: str | URL | None = None,
    revision: str = "head",
    *,
    confirm: str | None = None,
    resolved: str | None = None,
    confirm_drift: bool = False,
    purge: bool = False,
    alembic_ini: Path | None = None,
    observer: RunObserver | None = None,
) -> RunResult:
    """Record that the database is at ``revision`` without running anything.

    Refused where the schema lacks something that the revision makes, or where that cannot be told
    of a database of staging or prod.

    Args:
        database_url: as ``upgrade``.
        revision: where the database is.
        confirm: the name of the database, which staging and prod require to stamp backwards and to
            purge.
        resolved: an interrupted revision that was finished by hand.
        confirm_drift: record it all the same, as not verified.
        purge: forget what was recorded first, such as a revision whose file is gone for good.
        alembic_ini: the project.
        observer: as ``upgrade``.

    Raises:
        WorkDataHubError: as ``upgrade`` and ``downgrade``.
    """
    permissions = Permissions(confirm=confirm, resolved=resolved, confirm_drift=confirm_drift)
    request = Request.of(database_url, permissions, observer)
    return _run(request, partial(command.stamp, purge=purge), revision, alembic_ini)


def record_environment(
    environment: EnvironmentClass,
    database_url: str | URL | None = None,
    *,
    confirm: str | None = None,
    alembic_ini: Path | None = None,
) -> None:
    """Change the environment class that the database is recorded as; it is journalled.

    Args:
        environment: dev, staging, prod or ephemeral.
        database_url: as ``upgrade``.
        confirm: the name of the database, which leaving staging or prod requires.
        alembic_ini: the project.

    Raises:
        RefusedError: the database is staging or prod and was not named.
        WorkDataHubError: as ``upgrade``.
    """
    permissions = Permissions(record_environment=environment, confirm=confirm)
    request = Request(database_url=database_url, permissions=permissions)
    commands.change_beside(request, alembic_ini).reported()


def journal(
    database_url: str | URL | None = None,
    *,
    last: int | None = None,
    alembic_ini: Path | None = None,
) -> tuple[JournalEntry, ...]:
    """Return the steps that were run or tried, the oldest first. Changes nothing.

    Args:
        database_url: as ``upgrade``.
        last: only so many, the newest; all when left out.
        alembic_ini: the project.

    Raises:
        SettingsError, DatabaseUnavailableError: as ``upgrade``.
    """
    return commands.seen(partial(read_entries, last=last), database_url, alembic_ini)


def status(
    database_url: str | URL | None = None, *, alembic_ini: Path | None = None
) -> DatabaseStatus:
    """Return where the database stands, what is pending, and what is wrong. Changes nothing.

    Raises:
        SettingsError, DatabaseUnavailableError, HistoryError: as ``upgrade``.
    """
    return commands.seen(read_status_with_schema, database_url, alembic_ini)


def identity(
    database_url: str | URL | None = None, *, alembic_ini: Path | None = None
) -> Identity | None:
    """Return what the database is recorded as; None before the first run. Changes nothing.

    Raises:
        SettingsError, DatabaseUnavailableError: as ``upgrade``.
    """
    return commands.seen(
        lambda view: read_identity(view.connection, view.history, view.schema),
        database_url,
        alembic_ini,
    )


def current(
    database_url: str | URL | None = None, *, alembic_ini: Path | None = None
) -> tuple[str, ...]:
    """Return the revisions that the database is at; empty when it has none. Changes nothing.

    Raises:
        SettingsError, DatabaseUnavailableError: as ``upgrade``.
    """
    return commands.look(Request(database_url=database_url), alembic_ini).reported().before


def pending(
    database_url: str | URL | None = None,
    revision: str = "head",
    *,
    alembic_ini: Path | None = None,
) -> tuple[Step, ...]:
    """Return the steps that ``upgrade`` would run, in order. Changes nothing.

    Raises:
        SettingsError, DatabaseUnavailableError, HistoryError: as ``upgrade``.
    """
    request = Request(database_url=database_url, preview=True)
    _run(request, command.upgrade, revision, alembic_ini)
    assert request.plan is not None
    return request.plan.steps


def check(
    database_url: str | URL | None = None, *, alembic_ini: Path | None = None
) -> tuple[str, ...]:
    """Return how the tables of the database differ from those of the code, a line for each.

    Changes nothing. It is what autogenerate would write into a new revision.

    Raises:
        CheckFoundError: the database is not at head, so that it cannot be compared.
        UsageError: env.py gives no tables to compare with.
        SettingsError, DatabaseUnavailableError, HistoryError: as ``upgrade``.
    """
    found: list[str] = []

    def compare(config: Config) -> None:
        found.extend(model_differences.found_by_check(commands.quiet(config)))

    commands.run(Request(database_url=database_url), compare, alembic_ini)
    return tuple(found)


def _run(
    request: Request,
    verb: Callable[[Config, str], object],
    revision: object,
    alembic_ini: Path | None,
) -> RunResult:
    """Run a verb of ``alembic.command`` that goes to a revision."""
    if not isinstance(revision, str) or not revision:
        raise UsageError(
            f"{revision!r} is no revision", hint="write an id, 'head', 'base', '+1' or '-1'"
        )
    return commands.run(request, lambda config: verb(config, revision), alembic_ini).reported()
