"""The front door: run, undo, stamp and look at migrations.

Every verb takes the database explicitly or lets the settings decide, reaches the same run as
the plain `alembic` command, and returns a value. It never touches the logging of its host, and
may be called from several threads and inside a running event loop (it blocks it meanwhile).

``alembic_ini`` names the project; left out, it is WorkDataHub's own, also in an installed wheel.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.engine import make_url

from work_data_hub.config import choose_database, get_settings
from work_data_hub.domain.revision import RevisionInfo
from work_data_hub.errors import LockTimeoutError, RefusedError, UsageError, WorkDataHubError
from work_data_hub.io.schema import engine, project_files
from work_data_hub.io.schema.alembic_call import REQUEST, Permissions, Request
from work_data_hub.io.schema.faults import as_fault
from work_data_hub.io.schema.identity import read_identity
from work_data_hub.io.schema.journal import JournalEntry, read_journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy.engine import URL, Connection

    from work_data_hub.domain.plan import RunResult, Step
    from work_data_hub.domain.target import EnvironmentClass, Identity

# alembic.command works through module globals: two threads inside it end in a KeyError.
_one_thread = threading.RLock()


def upgrade(
    database_url: str | URL | None = None,
    revision: str = "head",
    *,
    ephemeral: bool = False,
    resolved: str | None = None,
    accept: Sequence[str] = (),
    alembic_ini: Path | None = None,
) -> RunResult:
    """Apply the revisions up to ``revision``; each is one transaction.

    Args:
        database_url: the database; the settings decide when it is left out. A SQLite file that
            does not exist is created.
        revision: an id or the beginning of one, ``head``, ``heads``, or ``+N``.
        ephemeral: record a database that is not recorded yet as a throw-away one, for tests.
        resolved: an interrupted revision that was undone by hand.
        accept: applied revisions whose edited or vanished file is accepted.
        alembic_ini: the project.

    Returns:
        What was done; no steps when nothing had to be.

    Raises:
        SettingsError: the URL or a setting is not valid.
        DatabaseUnavailableError: the database does not answer.
        HistoryError: the revision is unknown, a revision file cannot be read, or was edited
            after it was applied.
        RefusedError: the database is recorded as of another environment.
        LockTimeoutError: another run did not end in time.
        MigrationFailedError: a revision failed and was rolled back; those before it stay.
    """
    permissions = Permissions(ephemeral=ephemeral, resolved=resolved, accept=tuple(accept))
    _check(revision)
    return _run(
        database_url, lambda config: command.upgrade(config, revision), permissions, alembic_ini
    )


def downgrade(
    database_url: str | URL | None = None,
    revision: str = "-1",
    *,
    confirm: str | None = None,
    alembic_ini: Path | None = None,
) -> RunResult:
    """Take back the revisions above ``revision``: ``-1`` is one step, ``base`` is all of them.

    Args:
        database_url: as ``upgrade``.
        revision: where to stop.
        confirm: the name of the database, which staging and prod require.
        alembic_ini: the project.

    Raises:
        RefusedError: the database is staging or prod and was not named.
        WorkDataHubError: as ``upgrade``.
    """
    permissions = Permissions(confirm=confirm)
    _check(revision)
    return _run(
        database_url, lambda config: command.downgrade(config, revision), permissions, alembic_ini
    )


def stamp(
    database_url: str | URL | None = None,
    revision: str = "head",
    *,
    confirm: str | None = None,
    resolved: str | None = None,
    alembic_ini: Path | None = None,
) -> RunResult:
    """Record that the database is at ``revision`` without running anything.

    Args:
        database_url: as ``upgrade``.
        revision: where the database is.
        confirm: the name of the database, which staging and prod require to stamp backwards.
        resolved: an interrupted revision that was finished by hand.
        alembic_ini: the project.

    Raises:
        WorkDataHubError: as ``upgrade`` and ``downgrade``.
    """
    permissions = Permissions(confirm=confirm, resolved=resolved)
    _check(revision)
    return _run(
        database_url, lambda config: command.stamp(config, revision), permissions, alembic_ini
    )


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
    with _request(request, alembic_ini) as config:
        command.ensure_version(config)


def journal(database_url: str | URL | None = None) -> tuple[JournalEntry, ...]:
    """Return every step that was run or tried, the oldest first. Changes nothing.

    Raises:
        SettingsError, DatabaseUnavailableError: as ``upgrade``.
    """
    with _looking(database_url) as connection:
        return tuple(read_journal(connection))


def identity(database_url: str | URL | None = None) -> Identity | None:
    """Return what the database is recorded as; None before the first run. Changes nothing.

    Raises:
        SettingsError, DatabaseUnavailableError: as ``upgrade``.
    """
    with _looking(database_url) as connection:
        return read_identity(connection)


def current(
    database_url: str | URL | None = None, *, alembic_ini: Path | None = None
) -> tuple[str, ...]:
    """Return the revisions that the database is at; empty when it has none. Changes nothing.

    Raises:
        SettingsError, DatabaseUnavailableError: as ``upgrade``.
    """
    return _run(database_url, _plan_nothing, Permissions(), alembic_ini).before


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
    with _request(request, alembic_ini) as config, _worded(config):
        command.upgrade(config, revision)
    assert request.plan is not None
    return request.plan.steps


def heads(alembic_ini: Path | None = None) -> tuple[str, ...]:
    """Return the ids of the revisions that no other builds on; one, unless there are branches.

    Raises:
        HistoryError: a revision file cannot be read.
    """
    with _worded(_config(alembic_ini)) as scripts:
        return tuple(sorted(scripts.get_heads()))


def history(alembic_ini: Path | None = None) -> tuple[RevisionInfo, ...]:
    """Return every revision, the oldest first.

    Raises:
        HistoryError: a revision file cannot be read.
    """
    with _worded(_config(alembic_ini)) as scripts:
        return tuple(
            RevisionInfo(
                revision=script.revision,
                down_revisions=tuple(sorted(script._versioned_down_revisions)),  # noqa: SLF001
                description=script.doc,
                path=script.path,
                is_head=script.is_head,
            )
            for script in reversed(list(scripts.walk_revisions()))
        )


def _check(revision: object) -> None:
    if not isinstance(revision, str) or not revision:
        raise UsageError(
            f"{revision!r} is no revision", hint="write an id, 'head', 'base', '+1' or '-1'"
        )


def _run(
    database_url: str | URL | None,
    verb: Callable[[Config], None],
    permissions: Permissions,
    alembic_ini: Path | None,
) -> RunResult:
    request = Request(database_url=database_url, permissions=permissions)
    with _request(request, alembic_ini) as config, _worded(config):
        verb(config)
    if request.result is None:
        raise RefusedError(
            "env.py did not hand over to the package, so nothing is known of what it did",
            hint="it must call work_data_hub.io.schema.environment.run",
        )
    return request.result


@contextmanager
def _request(request: Request, alembic_ini: Path | None) -> Iterator[Config]:
    wait_seconds = get_settings().run_lock_wait
    if not _one_thread.acquire(timeout=wait_seconds):
        raise LockTimeoutError(
            f"another thread of this process did not end its run within {wait_seconds:g} s",
            hint="wait for it and run again, or raise WDH_RUN_LOCK_WAIT (seconds)",
        )
    try:
        yield _config(alembic_ini, {REQUEST: request})
    finally:
        _one_thread.release()


@contextmanager
def _looking(database_url: str | URL | None) -> Iterator[Connection]:
    target = choose_database(get_settings(), database_url)
    url = target.url if engine.exists(target.url) else make_url("sqlite://")
    with engine.connect(url, read_only=True) as connection:
        yield connection


def _config(alembic_ini: Path | None, attributes: dict[str, Any] | None = None) -> Config:
    file = (
        project_files.alembic_ini() if alembic_ini is None else project_files.existing(alembic_ini)
    )
    return Config(str(file), attributes=attributes)


def _plan_nothing(config: Config) -> None:
    """Look at the database as `alembic current` does, and print nothing."""
    scripts = ScriptDirectory.from_config(config)
    with EnvironmentContext(config, scripts, fn=lambda _heads, _context: [], dont_mutate=True):
        scripts.run_env()


@contextmanager
def _worded(config: Config) -> Iterator[ScriptDirectory]:
    """Word what Alembic says before or beside env.py."""
    try:
        scripts = ScriptDirectory.from_config(config)
    except CommandError as error:
        raise UsageError(
            f"{config.config_file_name}: {error}", hint="correct script_location in it"
        ) from error
    try:
        yield scripts
    except WorkDataHubError:
        raise
    except Exception as error:
        fault = as_fault(error, scripts=scripts, execution=None)
        if fault is None:
            raise
        raise fault from error
