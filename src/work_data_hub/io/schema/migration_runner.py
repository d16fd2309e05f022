"""The front door: run, undo, stamp and look at the migrations of the WorkDataHub schema.

Every verb takes the database explicitly or lets the settings decide, reaches the same run as
the plain `alembic` command, and returns a value. It never touches the logging of its host, and
may be called from several threads and inside a running event loop (it blocks it meanwhile).
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from work_data_hub.io.schema import project_files
from work_data_hub.io.schema.alembic_call import REQUEST, Request
from work_data_hub.io.schema.faults import as_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import URL

    from work_data_hub.domain.plan import RunResult, Step

# alembic.command works through module globals: two threads inside it end in a KeyError.
_one_thread = threading.RLock()


@dataclass(frozen=True)
class RevisionInfo:
    """A revision file.

    Attributes:
        revision: its id.
        down_revisions: what it builds on; empty for a base.
        description: the first line of its docstring.
        path: the file.
        is_head: whether no revision builds on it.
    """

    revision: str
    down_revisions: tuple[str, ...]
    description: str
    path: str
    is_head: bool


def upgrade(database_url: str | URL | None = None, revision: str = "head") -> RunResult:
    """Apply the revisions up to ``revision``; each is one transaction.

    Args:
        database_url: the database; the settings decide when it is left out. A SQLite file that
            does not exist is created.
        revision: an id or the beginning of one, ``head``, ``heads``, or ``+N``.

    Returns:
        What was done; no steps when nothing had to be.

    Raises:
        SettingsError: the URL or a setting is not valid.
        DatabaseUnavailableError: the database does not answer.
        HistoryError: the revision is unknown, or a revision file cannot be read.
        MigrationFailedError: a revision failed and was rolled back; those before it stay.
    """
    return _run(database_url, lambda config: command.upgrade(config, revision))


def downgrade(database_url: str | URL | None = None, revision: str = "-1") -> RunResult:
    """Take back the revisions above ``revision``: ``-1`` is one step, ``base`` is all of them.

    Raises:
        WorkDataHubError: as ``upgrade``.
    """
    return _run(database_url, lambda config: command.downgrade(config, revision))


def stamp(database_url: str | URL | None = None, revision: str = "head") -> RunResult:
    """Record that the database is at ``revision`` without running anything.

    Raises:
        WorkDataHubError: as ``upgrade``.
    """
    return _run(database_url, lambda config: command.stamp(config, revision))


def current(database_url: str | URL | None = None) -> tuple[str, ...]:
    """Return the revisions that the database is at; empty when it has none. Changes nothing.

    Raises:
        SettingsError, DatabaseUnavailableError: as ``upgrade``.
    """
    return _run(database_url, _plan_nothing).before


def pending(database_url: str | URL | None = None, revision: str = "head") -> tuple[Step, ...]:
    """Return the steps that ``upgrade`` would run, in order. Changes nothing.

    Raises:
        SettingsError, DatabaseUnavailableError, HistoryError: as ``upgrade``.
    """
    with _request(database_url, preview=True) as (config, request):
        command.upgrade(config, revision)
    assert request.plan is not None
    return request.plan.steps


def heads() -> tuple[str, ...]:
    """Return the ids of the revisions that no other builds on; one, unless there are branches.

    Raises:
        HistoryError: a revision file cannot be read.
    """
    with _scripts() as scripts:
        return tuple(sorted(scripts.get_heads()))


def history() -> tuple[RevisionInfo, ...]:
    """Return every revision, the oldest first.

    Raises:
        HistoryError: a revision file cannot be read.
    """
    with _scripts() as scripts:
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


def _run(database_url: str | URL | None, verb: Callable[[Config], None]) -> RunResult:
    with _request(database_url) as (config, request):
        verb(config)
    assert request.result is not None
    return request.result


@contextmanager
def _request(
    database_url: str | URL | None, *, preview: bool = False
) -> Iterator[tuple[Config, Request]]:
    request = Request(database_url=database_url, preview=preview)
    with _one_thread:
        yield _config({REQUEST: request}), request


def _config(attributes: dict[str, Any] | None = None) -> Config:
    return Config(str(project_files.alembic_ini()), attributes=attributes)


def _plan_nothing(config: Config) -> None:
    """Look at the database as `alembic current` does, and print nothing."""
    scripts = ScriptDirectory.from_config(config)
    with EnvironmentContext(config, scripts, fn=lambda _heads, _context: [], dont_mutate=True):
        scripts.run_env()


@contextmanager
def _scripts() -> Iterator[ScriptDirectory]:
    scripts = ScriptDirectory.from_config(_config())
    try:
        yield scripts
    except Exception as error:
        fault = as_fault(error, scripts=scripts, execution=None)
        if fault is None:
            raise
        raise fault from error
