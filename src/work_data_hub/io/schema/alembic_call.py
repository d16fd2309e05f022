"""What Alembic was asked to do, read from the context that it hands to env.py."""

from __future__ import annotations

import configparser
import difflib
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import URL, Connection

from work_data_hub.config.database_url import mask, normalize, parse_database_url
from work_data_hub.domain.target import ENVIRONMENT_CLASSES
from work_data_hub.errors import RefusedError, SettingsError, UsageError
from work_data_hub.io.schema import project_files

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

    from work_data_hub.domain.plan import Plan, RunResult
    from work_data_hub.domain.target import EnvironmentClass

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
        plan: written by the run.
        result: written by the run when it changed something or had nothing to do.
    """

    database_url: str | URL | None = None
    preview: bool = False
    permissions: Permissions = Permissions()
    plan: Plan | None = None
    result: RunResult | None = None


@dataclass(frozen=True)
class ExplicitDatabase:
    """A database that the caller chose.

    Attributes:
        url: None when nothing was chosen.
        connection: the live connection that the caller put on the Config, if it did.
        source: how it was chosen, in words.
    """

    url: str | URL | None
    connection: Connection | None
    source: str


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


def project_folder(config: Config) -> Path | None:
    """Return the folder of the project's alembic.ini.

    None for a Config without a file, and for the alembic.ini inside an installed package, whose
    folder is no place for a database: the settings' own root is taken then.
    """
    if not config.config_file_name:
        return None
    file = Path(config.config_file_name).absolute()
    return None if file == project_files.alembic_ini() else file.parent


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


def explicit_database(environment: EnvironmentContext) -> ExplicitDatabase:
    """Return the database that the caller chose on the command line or on the Alembic Config.

    Raises:
        UsageError: when an ``-x`` argument is nearly one of ours, or holds a URL under another
            name: a mistyped ``database_url`` would silently mean another database.
        SettingsError: when ``sqlalchemy.url`` cannot be read.
    """
    config = environment.config
    _refuse_swap(config)
    if (argument := _x_arguments(environment).get("database_url")) is not None:
        return ExplicitDatabase(argument, None, "-x database_url")
    if (connection := config.attributes.get("connection")) is not None:
        checked = _checked(connection)
        return ExplicitDatabase(checked.engine.url, checked, "Config.attributes['connection']")
    if (url := request_of(config).database_url) is not None:
        return ExplicitDatabase(url, None, "the database_url argument")
    if option := _main_option(config):
        return ExplicitDatabase(option, None, "sqlalchemy.url of the Alembic Config")
    return ExplicitDatabase(None, None, "")


def chosen_url(environment: EnvironmentContext) -> str | URL | None:
    """Return the URL that the caller chose, whatever connection is on the Config."""
    return _x_arguments(environment).get("database_url") or _main_option(environment.config)


def permissions_of(environment: EnvironmentContext) -> Permissions:
    """Return what was confirmed by ``-x`` arguments or by the front door.

    Raises:
        UsageError: an environment class that there is not.
    """
    given = _x_arguments(environment)
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


def _refuse_swap(config: Config) -> None:
    """Refuse an env.py that puts another connection in the place of what the caller chose."""
    chosen = request_of(config).database_url
    connection = config.attributes.get("connection")
    if chosen is None or connection is None:
        return
    url = parse_database_url(chosen, source="") if isinstance(chosen, str) else normalize(chosen)
    if normalize(connection.engine.url) != url:
        raise RefusedError(
            f"{mask(url)} was chosen, but env.py put a connection to"
            f" {mask(connection.engine.url)} in its place",
            hint="an env.py must not set Config.attributes['connection']",
        )


def _x_arguments(environment: EnvironmentContext) -> dict[str, str]:
    given = environment.get_x_argument(as_dictionary=True)
    for name in given.keys() - set(X_ARGUMENTS):
        near = difflib.get_close_matches(name.lower(), X_ARGUMENTS, 1, 0.75)
        if near or "://" in given[name]:
            meant = near[0] if near else "database_url"
            raise UsageError(f"-x {name} is not an argument", hint=f"did you mean -x {meant}=... ?")
    if "database_url" in given and not given["database_url"]:
        raise UsageError("-x database_url is empty", hint="write -x database_url=URL")
    return given


def _checked(connection: object) -> Connection:
    if not isinstance(connection, Connection):
        raise UsageError(
            f"Config.attributes['connection'] is a {type(connection).__name__}, not a Connection",
            hint="pass what engine.connect() returns",
        )
    raw = connection.connection.driver_connection
    if connection.dialect.name == "postgresql" and getattr(raw, "autocommit", False) is True:
        raise UsageError(
            "the connection on the Alembic Config is in autocommit mode",
            hint="pass one of an engine without isolation_level='AUTOCOMMIT'",
        )
    if connection.in_transaction():
        # Alembic would take it for an external transaction: the migrations would run inside
        # it, one step would no longer be one transaction, and its rollback would undo all.
        raise UsageError(
            "the connection on the Alembic Config is in a transaction",
            hint="commit it first, or pass what engine.connect() returns, not engine.begin()",
        )
    return connection


def _main_option(config: Config) -> str | None:
    try:
        return config.get_alembic_option("sqlalchemy.url")
    except configparser.InterpolationError:
        # `from None`: the message repeats the URL.
        raise SettingsError(
            "sqlalchemy.url of the Alembic Config cannot be read: a % in it stands alone",
            hint="write %% for %, or set DATABASE_URL instead",
        ) from None
