"""What Alembic was asked to do, read from the context that it hands to env.py."""

from __future__ import annotations

import difflib
import logging.config
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from work_data_hub.domain.record.target import ENVIRONMENT_CLASSES
from work_data_hub.errors import UsageError
from work_data_hub.io.schema.alembic_bridge.request import Permissions, request_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

X_ARGUMENTS = (
    *("database_url", "confirm", "record_environment", "resolved", "accept"),
    *("allow-commit", "confirm-drift"),
)


class Kind(Enum):
    """What a command needs of the database."""

    FILES = "nothing: it works on revision files"
    SQL = "its dialect: it prints SQL"
    READ = "to read it"
    CHANGE = "to change it"


def environment_of(context: Any) -> EnvironmentContext:
    """Return what is behind the module ``alembic.context``, which hides what was asked for."""
    environment: EnvironmentContext = context._proxy  # noqa: SLF001  # the only way to its `fn`
    return environment


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
    if is_migration(environment):
        return Kind.READ if request_of(environment.config).preview else Kind.CHANGE
    if compares_tables(environment):
        return Kind.READ
    if "revision_context" in options or "template_args" in options:
        return Kind.FILES
    if options.get("dont_mutate"):
        return Kind.READ
    return _kind_of_listing(environment)


def is_migration(environment: EnvironmentContext) -> bool:
    """Whether the command moves the database from one revision to another."""
    return "destination_rev" in environment.context_opts


def is_purge(environment: EnvironmentContext) -> bool:
    """Whether the version table shall be emptied first."""
    return bool(environment.context_opts.get("purge"))


def compares_tables(environment: EnvironmentContext) -> bool:
    """Whether the command compares the database with the tables of the code."""
    revision_context = environment.context_opts.get("revision_context")
    return revision_context is not None and bool(revision_context.command_args["autogenerate"])


def plan_of_alembic(environment: EnvironmentContext) -> Callable[..., Any]:
    """Return Alembic's own function that turns the current heads into steps."""
    planned: Callable[..., Any] = environment.context_opts["fn"]
    return planned


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
    return replace(
        request,
        confirm=given.get("confirm", request.confirm),
        record_environment=wanted,
        resolved=given.get("resolved", request.resolved),
        accept=_names(given.get("accept", "")) or request.accept,
        confirm_drift="confirm-drift" in given or request.confirm_drift,
        allow_commit=_names(given.get("allow-commit", "")) or request.allow_commit,
    )


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name for name in listed.split(",") if name)


def x_arguments(environment: EnvironmentContext) -> dict[str, str]:
    """Return the ``-x`` arguments; the project's own are among them.

    Raises:
        UsageError: one is nearly one of ours, or holds a URL under another name: a mistyped
            ``database_url`` would silently mean another database.
    """
    given = environment.get_x_argument(as_dictionary=True)
    for name in given.keys() - set(X_ARGUMENTS):
        near = difflib.get_close_matches(name.lower(), X_ARGUMENTS, 1, 0.75)
        if near or "://" in f"{name}{given[name]}":
            meant = near[0] if near else "database_url"
            # A URL is not repeated: it may hold a password.
            shown = "URL" if "://" in name else name
            raise UsageError(
                f"-x {shown} is not an argument", hint=f"did you mean -x {meant}=... ?"
            )
    if "database_url" in given and not given["database_url"]:
        raise UsageError("-x database_url is empty", hint="write -x database_url=URL")
    return given


def log_to_standard_error(config: Config) -> None:
    """Log as alembic.ini says, under the `alembic` command only.

    A program that calls Alembic keeps its own logging: fileConfig would replace it.

    Raises:
        UsageError: what alembic.ini says of it cannot be used.
    """
    if not (from_command_line(config) and config.file_config.has_section("loggers")):
        return
    ini = config.config_file_name
    assert ini is not None
    try:
        logging.config.fileConfig(ini, disable_existing_loggers=False)
    except Exception as error:  # whatever an option of the file makes it raise
        why = type(error).__name__
    else:
        return
    raise UsageError(
        f"the logging in {ini} cannot be set up: {why}",
        hint="correct [loggers], [handlers] and [formatters] in it",
    )
