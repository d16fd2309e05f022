"""Which database a call of Alembic means, and whether env.py left it at that."""

from __future__ import annotations

import configparser
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from alembic.config import Config
from sqlalchemy.engine import URL, Connection

from work_data_hub.config.choice import Choice
from work_data_hub.config.database import DatabaseTarget, choose_database
from work_data_hub.config.database_url import mask
from work_data_hub.config.run_driver import GUARDED, RunDriver
from work_data_hub.errors import RefusedError, SettingsError, UsageError
from work_data_hub.io.schema import engine
from work_data_hub.io.schema.alembic_bridge.call import from_command_line, x_arguments
from work_data_hub.io.schema.alembic_bridge.overruling import settings_left
from work_data_hub.io.schema.alembic_bridge.request import REQUEST, request_of
from work_data_hub.io.schema.alembic_bridge.swaps import leads_to
from work_data_hub.io.schema.drivers import cancelled_by_ctrl_c
from work_data_hub.io.schema.revisions import project_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.runtime.environment import EnvironmentContext

    from work_data_hub.config.plain_settings import PlainSettings
    from work_data_hub.io.schema.alembic_bridge.configuration import Configuration

_CONNECTION = "Config.attributes['connection']"
_OPTION = "sqlalchemy.url"


@dataclass(frozen=True)
class DatabaseChoice:
    """The database of a run.

    Attributes:
        target: its URL, and what decided.
        settings: the session's.
        connection: the live connection on the Config, if there is one.
        is_of_env_py: whether nobody but env.py can have put it there.
    """

    target: DatabaseTarget
    settings: PlainSettings
    connection: Connection | None = None
    is_of_env_py: bool = False

    @contextmanager
    def open(self, *, read_only: bool = False, wait_seconds: float = 0) -> Iterator[Connection]:
        """Connect for a block, as ``engine.connect``; a caller's connection stays open.

        What is only read is read by the package's own driver, what is changed by that of the run.

        Raises:
            RefusedError: env.py put a connection to another database in the place of the choice.
            SettingsError: the driver that the URL names is broken.
        """
        if self.connection is None:
            opened = self._connected(wait_seconds, read_only=read_only)
        else:
            if self.is_of_env_py:
                _refuse_swap(self.target, self.connection)
            opened = engine.real_transactions(self.connection, read_only=read_only)
        with opened as connection, cancelled_by_ctrl_c(connection):
            yield connection

    @contextmanager
    def _connected(self, wait_seconds: float, *, read_only: bool) -> Iterator[Connection]:
        url, run_url = self.target.url, self.target.run_url
        if run_url != url and not read_only:
            _refuse_broken(self.target)
            # It waits for the server, and knows in every language why it is not let in.
            with engine.connect(url, wait_seconds=wait_seconds):
                url = run_url
        with engine.connect(url, read_only=read_only, wait_seconds=wait_seconds) as connection:
            yield connection


def choose(configuration: Configuration) -> DatabaseChoice:
    """Decide on the database: what the caller chose, else the settings, else the project itself.

    The caller chooses by ``-x database_url``, by a connection or a URL on the Alembic Config, or
    by the front door's argument. The project says its own by env.py's ``default_url``, or by
    ``sqlalchemy.url`` in alembic.ini.

    Raises:
        UsageError: what was chosen cannot be used.
        SettingsError: a URL or a setting is not valid.
        RefusedError: env.py overrules what the shell says.
    """
    environment = configuration.environment
    config = environment.config
    ini = config.config_file_name
    folder = project_files.database_folder(Path(ini)) if ini else None
    url, source = _chosen_url(environment)
    given = config.attributes.get("connection")
    connection = None if given is None else _checked(given)
    # A program's connection is its choice. Under the command, and behind the front door, nobody
    # but env.py can have put one there.
    is_of_program = not _is_of_command(config)
    if connection is not None and is_of_program:
        url, source = connection.engine.url, _CONNECTION
    settings = settings_left(environment, is_explicit=url is not None)
    target = choose_database(
        settings,
        url,
        explicit_source=source,
        own=_own(config, configuration.default_url),
        has_default=ini is None or project_files.is_own(Path(ini)),
        folder=folder,
    )
    if connection is not None:
        target = replace(target, driver=RunDriver(connection.dialect.driver))
    return DatabaseChoice(target, settings, connection, is_of_env_py=not is_of_program)


@contextmanager
def told(config: Config, url: URL) -> Iterator[None]:
    """Let the Config say for the block which database was decided on.

    A revision may ask it. One that connects by itself would go where alembic.ini leads, whatever
    the caller or DATABASE_URL says.

    Args:
        config: of the call; afterwards it says what it said before.
        url: with its password.
    """
    section = config.config_ini_section
    before = config.file_config.get(section, _OPTION, raw=True, fallback=None)
    try:
        text = url.render_as_string(hide_password=False)
    except UnicodeEncodeError:  # the name of a file may hold any byte, of which no text is made
        text = ""
    config.set_main_option(_OPTION, text.replace("%", "%%"))
    try:
        yield
    finally:
        config.file_config.remove_option(section, _OPTION)
        if before is not None:
            config.set_main_option(_OPTION, before)


def _chosen_url(environment: EnvironmentContext) -> tuple[str | URL | None, str]:
    """Return the URL that the caller chose, and how, in words."""
    config = environment.config
    if (argument := x_arguments(environment).get("database_url")) is not None:
        return argument, "-x database_url"
    if (url := request_of(config).database_url) is not None:
        return url, "the database_url argument"
    option = _main_option(config)
    is_of_project = _is_of_command(config) or option == _declared(config)
    return None if is_of_project else option, "sqlalchemy.url of the Alembic Config"


def _own(config: Config, default_url: str | URL | None) -> Choice[str | URL] | None:
    """Return what the project says of its database, for where nobody chose another."""
    if default_url is not None:
        return Choice(default_url, "default_url in env.py")
    option = _main_option(config)
    return None if option is None else Choice(option, "sqlalchemy.url in alembic.ini")


def _declared(config: Config) -> str | None:
    """Return what alembic.ini says, whatever a program has put in its place."""
    ini = config.config_file_name
    try:
        written = Config(ini, ini_section=config.config_ini_section)
        return written.get_alembic_option(_OPTION) if ini else None
    except configparser.Error:
        return None


def _is_of_command(config: Config) -> bool:
    """Whether the `alembic` command or the front door made the Config, and no other program."""
    return from_command_line(config) or REQUEST in config.attributes


def _refuse_swap(decided: DatabaseTarget, found: Connection) -> None:
    if not leads_to(found, decided.url):
        raise RefusedError(
            f"{decided} was decided on ({decided.source}), but env.py put a connection to another"
            f" database in its place: {mask(found.engine.url)}",
            hint="an env.py must not set Config.attributes['connection']",
        )


def _refuse_broken(target: DatabaseTarget) -> None:
    """Refuse a driver that is installed, and cannot be loaded."""
    try:
        target.run_url.get_dialect().import_dbapi()
    except ImportError as error:
        raise SettingsError(
            f"{target.source} names the driver {target.driver}, which cannot be loaded: {error}",
            hint="install it anew, or name another one: postgresql+psycopg://...",
        ) from error


def _checked(connection: object) -> Connection:
    if not isinstance(connection, Connection):
        raise UsageError(
            f"Config.attributes['connection'] is a {type(connection).__name__}, not a Connection",
            hint="pass what engine.connect() returns",
        )
    if connection.closed:
        raise UsageError(
            "the connection on the Alembic Config is closed",
            hint="call Alembic inside the block that opened it",
        )
    dialect = connection.dialect
    if dialect.is_async or dialect.driver not in GUARDED:
        kind = "an asynchronous one" if dialect.is_async else f"one of {dialect.driver}"
        raise UsageError(
            f"the connection on the Alembic Config is {kind}, whose transactions cannot be watched",
            hint="pass one of psycopg, psycopg2 or sqlite3, or a URL: sqlalchemy.url of the Config",
        )
    raw = engine.driver_connection(connection)
    if dialect.name == "postgresql" and getattr(raw, "autocommit", False) is True:
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
        return config.get_alembic_option(_OPTION)
    except configparser.InterpolationError:
        pass  # it repeats the URL, and would be the context of what is raised here
    raise SettingsError(
        "sqlalchemy.url of the Alembic Config cannot be read: a % in it stands alone",
        hint="write %% for %, or leave it out and set DATABASE_URL",
    )
