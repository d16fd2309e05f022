"""Runs Alembic's own commands for the package's doors: one at a time, faults worded."""

from __future__ import annotations

import os
import threading
from argparse import Namespace
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from work_data_hub.config.current_settings import current_settings
from work_data_hub.domain.run.plan import Progress
from work_data_hub.errors import LockTimeoutError, UsageError, WorkDataHubError
from work_data_hub.io.schema.alembic_bridge.faults import as_fault
from work_data_hub.io.schema.alembic_bridge.places import innermost
from work_data_hub.io.schema.alembic_bridge.request import REQUEST, Request
from work_data_hub.io.schema.alembic_bridge.revision_map import read_when_needed
from work_data_hub.io.schema.revisions import project_files, script_locations
from work_data_hub.io.schema.revisions.contradictions import refuse_contradictions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import URL

    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView

T = TypeVar("T")


class _Turns:
    """One call of Alembic at a time: it works through module globals."""

    def __init__(self) -> None:
        self._free = threading.Lock()
        self._owner: int | None = None

    @contextmanager
    def taken(self, wait_seconds: float) -> Iterator[None]:
        """Have the turn for the block.

        Raises:
            UsageError: this thread has it already.
            LockTimeoutError: another thread did not end in time.
        """
        if self._owner == threading.get_ident():
            raise UsageError(
                "a run was asked for inside a run",
                hint="call it when the revision, or whoever watches the run, has ended; a revision"
                " works on op.get_bind()",
            )
        if not self._free.acquire(timeout=wait_seconds):
            raise LockTimeoutError(
                f"another thread of this process did not end its run within {wait_seconds:g} s",
                hint="wait for it and run again, or raise WDH_RUN_LOCK_WAIT (seconds)",
            )
        self._owner = threading.get_ident()
        try:
            yield
        finally:
            self._owner = None
            self._free.release()


_turns = _Turns()
if hasattr(os, "register_at_fork"):
    # The thread that has the turn is not in a child; the lock would never be free there.
    os.register_at_fork(after_in_child=_turns.__init__)  # type: ignore[misc]


def run(request: Request, verb: Callable[[Config], object], alembic_ini: Path | None) -> Request:
    """Run a command of Alembic on a project.

    Args:
        request: what is asked of the run; it is given the plan and the result, and returned.
        verb: calls one of ``alembic.command``.
        alembic_ini: the project; WorkDataHub's own when left out.

    Raises:
        WorkDataHubError: for every foreseeable fault.
    """
    with _turns.taken(current_settings().run_lock_wait):
        config = config_of(alembic_ini, {REQUEST: request})
        with worded(config):
            verb(config)
    return request


def upgrade(request: Request, revision: str, alembic_ini: Path | None) -> Request:
    """Run the revisions up to one, as `alembic upgrade` does."""
    return run(request, lambda config: command.upgrade(config, revision), alembic_ini)


def change_beside(request: Request, alembic_ini: Path | None) -> Request:
    """Change the database as the request asks, and move it to no other revision."""
    return run(request, command.ensure_version, alembic_ini)


def look(request: Request, alembic_ini: Path | None) -> Request:
    """Look at the database as `alembic current` does, and print nothing."""
    return run(request, _plan_nothing, alembic_ini)


def seen(
    read: Callable[[DatabaseView], T], database_url: str | URL | None, alembic_ini: Path | None
) -> T:
    """Return what is read of the database that is meant, in one look."""
    found: list[T] = []
    request = Request(database_url=database_url, look=lambda view: found.append(read(view)))
    look(request, alembic_ini).reported()
    return found[0]


def config_of(alembic_ini: Path | None, attributes: dict[str, Any] | None = None) -> Config:
    """Return Alembic's configuration of a project."""
    return Config(
        str(project_files.meant(alembic_ini)),
        ini_section=script_locations.section.get(),
        attributes=attributes,
    )


def quiet(config: Config) -> Config:
    """Return the configuration for a call that does not print what it writes."""
    return Config(
        config.config_file_name,
        ini_section=config.config_ini_section,
        attributes=config.attributes,
        cmd_opts=Namespace(quiet=True, x=None),
    )


@contextmanager
def worded(config: Config) -> Iterator[ScriptDirectory]:
    """Word what Alembic says before or beside env.py.

    Raises:
        UsageError: the configuration does not lead to revision files.
        HistoryError: two files contradict each other; or what else Alembic finds wrong.
    """
    ini = config.config_file_name
    assert ini is not None
    scripts = _script_directory(config, ini)
    refuse_contradictions(ini)
    try:
        yield scripts
    except WorkDataHubError:
        raise
    except (Exception, SystemExit) as error:  # an env.py that ends the process has done nothing
        fault = as_fault(error, scripts=scripts, progress=Progress())
        if fault is None:
            raise
        raise fault from error


def _script_directory(config: Config, ini: str) -> ScriptDirectory:
    """Return Alembic's view of the files; what it raises may hold lines of alembic.ini."""
    try:
        scripts = ScriptDirectory.from_config(config)
    except CommandError as error:
        why = str(error)
    except Exception as error:  # whatever a line of the file makes it raise
        place = innermost(error)
        why = f"Alembic cannot read it: {type(error).__name__}{f' at {place}' if place else ''}"
    else:
        script_locations.refuse_file(scripts.dir)
        read_when_needed(scripts, config)
        return scripts
    script_locations.script_folder(script_locations.read_options(ini, None))
    raise UsageError(f"{ini}: {why}", hint="correct the options of [alembic] in it")


def _plan_nothing(config: Config) -> None:
    scripts = ScriptDirectory.from_config(config)
    with EnvironmentContext(config, scripts, fn=lambda _heads, _context: [], dont_mutate=True):
        scripts.run_env()
