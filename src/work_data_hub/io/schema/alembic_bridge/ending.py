"""How a call of env.py ends when it does not end well: worded, and with an exit code."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from work_data_hub.domain.run.plan import Progress
from work_data_hub.errors import RunInterrupted
from work_data_hub.io.schema.alembic_bridge.call import from_command_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

    from work_data_hub.config import DatabaseTarget
    from work_data_hub.errors import WorkDataHubError
    from work_data_hub.hints import Named


class Ending:
    """Words what ends a call of env.py; it is told how far the call got.

    Args:
        environment: Alembic's context of the call.

    Attributes:
        progress: of the run, if there is one.
        target: the database, once it was decided on; its password is hidden.
    """

    def __init__(self, environment: EnvironmentContext) -> None:
        self._environment = environment
        self.progress = Progress()
        self.target: DatabaseTarget | None = None

    @contextmanager
    def faults_for_people(self) -> Iterator[None]:
        """Word every foreseeable fault; under the `alembic` command, end with its exit code.

        Raises:
            WorkDataHubError: for a program that called Alembic.
            RunInterrupted: for Ctrl-C.
        """
        try:
            yield
        except KeyboardInterrupt as error:
            from work_data_hub.io.schema.alembic_bridge.faults import interrupted

            known = error.fault if isinstance(error, RunInterrupted) else None
            left = known or interrupted(self.progress)
            self._end_command(left, error)
            raise RunInterrupted(left) from error
        except BaseException as error:
            # SystemExit, too: a revision that ends the process has not succeeded.
            from work_data_hub.io.schema.alembic_bridge.causes import hide_secrets
            from work_data_hub.io.schema.alembic_bridge.faults import as_fault

            asked = str(self._environment.context_opts.get("destination_rev", ""))
            scripts = self._environment.script
            fault = as_fault(
                error,
                scripts=scripts,
                progress=self.progress,
                asked=asked,
                driver=self.target.driver if self.target else None,
            )
            hide_secrets(fault, error, self.target.url if self.target else None)
            if fault is None:
                raise
            self._end_command(fault, error)
            if fault is error:
                raise
            raise fault from error

    def _end_command(self, fault: WorkDataHubError, error: BaseException) -> None:
        """Under the `alembic` command say it and end; a program gets the error itself."""
        config = self._environment.config
        raises = getattr(config.cmd_opts, "raiseerr", False)
        if from_command_line(config) and not raises:
            fault.hint = _named(config).in_commands(fault.hint)
            with suppress(OSError, AttributeError):  # full, or closed: the exit code says it
                sys.stderr.write(f"{fault.for_people()}\n")
                sys.stderr.flush()
            raise SystemExit(fault.exit_code) from error


def _named(config: Config) -> Named:
    """Return what was named at the `alembic` command."""
    from work_data_hub.hints import Named, unless_found  # only for those who are told what to type

    ini = config.config_file_name and unless_found(config.config_file_name)
    section = config.config_ini_section
    given = (each.partition("=") for each in config.cmd_opts.x or ())  # type: ignore[union-attr]
    urls = [value for name, _, value in given if name == "database_url"]
    return Named(ini, ini, None if section == "alembic" else section, urls[-1] if urls else None)
