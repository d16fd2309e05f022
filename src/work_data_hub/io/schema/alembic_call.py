"""What Alembic was asked to do, read from the context that it hands to env.py."""

from __future__ import annotations

import difflib
import logging.config
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from work_data_hub.domain.target import ENVIRONMENT_CLASSES
from work_data_hub.errors import UsageError
from work_data_hub.io.schema.run_observer import LogObserver

if TYPE_CHECKING:
    from collections.abc import Callable

    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from sqlalchemy.engine import URL

    from work_data_hub.domain.plan import Plan, RunResult
    from work_data_hub.domain.target import EnvironmentClass
    from work_data_hub.io.schema.database_view import DatabaseView
    from work_data_hub.io.schema.run_observer import RunObserver

REQUEST = "work_data_hub.request"
X_ARGUMENTS = ("database_url", "confirm", "record_environment", "resolved", "accept")


class Kind(Enum):
    """What a command needs of the database."""

    FILES = "nothing: it works on revision files"
    SQL = "its dialect: it prints SQL"
    READ = "to read it"
    CHANGE = "to change it"


@dataclass(frozen=True)
class Permissions:
    """What the caller confirmed, or asked for beside the run itself.

    Attributes:
        confirm: the name of the database, for what is destructive on staging or prod.
        record_environment: the environment class that shall be recorded.
        resolved: an interrupted revision that a person has put right.
        accept: applied revisions whose edited or vanished file is accepted.
        ephemeral: a database that is not recorded yet is a throw-away one.
    """

    confirm: str | None = None
    record_environment: EnvironmentClass | None = None
    resolved: str | None = None
    accept: tuple[str, ...] = ()
    ephemeral: bool = False


@dataclass
class Request:
    """What the package's own front door asks of a run, and what it gets back.

    Attributes:
        database_url: the caller's explicit choice, if any.
        preview: plan, and change nothing.
        permissions: what the caller confirmed.
        observer: is told how the run goes.
        look: is given the database, where a command only reads it.
        empty: empties the database, where a reset was asked for.
        plan: written by the run.
        result: written by the run when it changed something or had nothing to do.
    """

    database_url: str | URL | None = None
    preview: bool = False
    permissions: Permissions = Permissions()
    observer: RunObserver = field(default_factory=LogObserver)
    look: Callable[[DatabaseView], None] | None = None
    empty: Callable[[DatabaseView], None] | None = None
    plan: Plan | None = None
    result: RunResult | None = None

    @classmethod
    def of(
        cls,
        database_url: str | URL | None,
        permissions: Permissions,
        observer: RunObserver | None,
    ) -> Request:
        """Return a request whose observer is the log where none is given."""
        return cls(database_url, permissions=permissions, observer=observer or LogObserver())


def request_of(config: Config) -> Request:
    """Return the front door's request, or an empty one when Alembic itself is the door."""
    request = config.attributes.get(REQUEST)
    return request if isinstance(request, Request) else Request()


def from_command_line(config: Config) -> bool:
    """Whether the `alembic` command is running, as opposed to a program that calls Alembic."""
    return hasattr(config.cmd_opts, "cmd")


def command_name(config: Config) -> str | None:
    """Return the verb of the `alembic` command, or None when a program calls Alembic."""
    command = getattr(config.cmd_opts, "cmd", None)
    return None if command is None else str(command[0].__name__)


def kind_of(environment: EnvironmentContext) -> Kind:
    """Return what the running command needs of the database.

    With ``revision_environment = true`` Alembic runs env.py for commands on files too; those
    must work without a database. A command that is not known counts as a change.
    """
    options = environment.context_opts
    if options.get("as_sql"):
        return Kind.SQL
    if "destination_rev" in options:
        return Kind.READ if request_of(environment.config).preview else Kind.CHANGE
    if revision_context := options.get("revision_context"):
        autogenerate = revision_context.command_args["autogenerate"]
        return Kind.READ if autogenerate else Kind.FILES
    if "template_args" in options:
        return Kind.FILES
    if options.get("dont_mutate"):
        return Kind.READ
    return _kind_of_listing(environment)


def _kind_of_listing(environment: EnvironmentContext) -> Kind:
    """Tell `history` from `ensure_version`, which pass nothing but their function."""
    name = getattr(environment.context_opts.get("fn"), "__name__", "")
    if name not in {"_display_current_history", "show_current", "edit_current"}:
        return Kind.CHANGE
    arguments = environment.config.cmd_opts
    if command_name(environment.config) != "history" or getattr(
        arguments, "indicate_current", False
    ):
        return Kind.READ
    return Kind.READ if "current" in (getattr(arguments, "rev_range", "") or "") else Kind.FILES


def permissions_of(environment: EnvironmentContext) -> Permissions:
    """Return what was confirmed by ``-x`` arguments or by the front door.

    Raises:
        UsageError: an environment class that there is not.
    """
    given = x_arguments(environment)
    request = request_of(environment.config).permissions
    wanted = given.get("record_environment", request.record_environment)
    if wanted is not None and wanted not in ENVIRONMENT_CLASSES:
        raise UsageError(
            f"{wanted!r} is no environment class",
            hint=f"use one of {', '.join(ENVIRONMENT_CLASSES)}",
        )
    accept = tuple(name for name in given.get("accept", "").split(",") if name)
    return replace(
        request,
        confirm=given.get("confirm", request.confirm),
        record_environment=wanted,
        resolved=given.get("resolved", request.resolved),
        accept=accept or request.accept,
    )


def x_arguments(environment: EnvironmentContext) -> dict[str, str]:
    """Return the ``-x`` arguments; the project's own are among them.

    Raises:
        UsageError: one is nearly one of ours, or holds a URL under another name: a mistyped
            ``database_url`` would silently mean another database.
    """
    given = environment.get_x_argument(as_dictionary=True)
    for name in given.keys() - set(X_ARGUMENTS):
        near = difflib.get_close_matches(name.lower(), X_ARGUMENTS, 1, 0.75)
        if near or "://" in given[name]:
            meant = near[0] if near else "database_url"
            raise UsageError(f"-x {name} is not an argument", hint=f"did you mean -x {meant}=... ?")
    if "database_url" in given and not given["database_url"]:
        raise UsageError("-x database_url is empty", hint="write -x database_url=URL")
    return given


def log_to_standard_error(config: Config) -> None:
    """Log as alembic.ini says, under the `alembic` command only.

    A program that calls Alembic keeps its own logging: fileConfig would replace it.
    """
    if from_command_line(config) and config.file_config.has_section("loggers"):
        assert config.config_file_name is not None
        logging.config.fileConfig(config.config_file_name, disable_existing_loggers=False)
