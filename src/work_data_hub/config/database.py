"""Which database: one function decides, and says why."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.engine import URL

from work_data_hub.config.choice import DEFAULT_DATABASE, Choice, choose, may_be_used
from work_data_hub.config.current_settings import plain
from work_data_hub.config.database_address import NOT_UTF_8, parse_address, unreadable
from work_data_hub.config.database_url import mask, normalize, url_of
from work_data_hub.config.plain_settings import PlainSettings
from work_data_hub.config.run_driver import RunDriver, run_driver
from work_data_hub.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from work_data_hub.config.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DatabaseTarget:
    """The database that was decided on.

    Attributes:
        url: with the synchronous driver of everything but the run's own connection; a relative
            SQLite path is as the caller gave it.
        source: what decided, in words: "the database_url argument", "DATABASE_URL", ...
        driver: of the run's own connection.
    """

    url: URL
    source: str
    driver: RunDriver

    def __str__(self) -> str:
        """Return the URL without its secrets."""
        return mask(self.url)

    @property
    def run_url(self) -> URL:
        """The URL with the driver of the run's own connection."""
        if self.driver.name == self.url.get_driver_name():
            return self.url
        return self.url.set(drivername=f"{self.url.get_backend_name()}+{self.driver.name}")


def choose_database(
    settings: Settings | PlainSettings,
    explicit: str | URL | None = None,
    *,
    explicit_source: str = "the database_url argument",
    own: Choice[str | URL] | None = None,
    has_default: bool = True,
    folder: Path | None = None,
) -> DatabaseTarget:
    """Decide which database is meant.

    An explicit choice beats ``DATABASE_URL`` beats ``WDH_DATABASE__URI`` beats what the project
    says itself beats the SQLite file ``workdatahub_dev.db``. Nothing else ever replaces it.

    Args:
        settings: the session's settings.
        explicit: what the caller chose, if anything.
        explicit_source: how the caller chose it, in words, for errors.
        own: what the project says itself, in its env.py or its alembic.ini.
        has_default: whether that file is meant where nothing is said, as in our own project.
        folder: where the default file lies; the settings' own root when left out.

    Raises:
        SettingsError: nothing was chosen and there is no default, what was chosen is no URL or
            gives a parameter twice, or ``ENVIRONMENT`` is prod and it is not PostgreSQL.
    """
    said = settings if isinstance(settings, PlainSettings) else plain(settings)
    url, uri = said.database_url, said.database_uri
    chosen: Choice[str | URL] = choose(explicit, explicit_source, url, uri, own)
    if chosen.value is not None:
        target = _target(chosen.value, chosen.source)
    elif has_default:
        target = _default(folder or said.root, chosen.source)
    else:
        raise _nothing_named()
    _refuse_doubled(target)
    if explicit is None and url is not None and uri is not None:
        _warn_when_overruled(target, uri)
    _require_postgresql_in_prod(target, said.environment)
    return target


def _default(folder: Path, source: str) -> DatabaseTarget:
    return _target(URL.create("sqlite", database=str(folder / DEFAULT_DATABASE)), source)


def _nothing_named() -> SettingsError:
    return SettingsError(
        "no database is named: this project has no default",
        hint="set DATABASE_URL, pass --database-url (alembic: -x database_url=URL), or"
        " write sqlalchemy.url into alembic.ini",
    )


def get_database_connection_string() -> str:
    """Return the URL of the session's database **with its password**: never print it."""
    from work_data_hub.config.settings import get_settings

    return choose_database(get_settings()).url.render_as_string(hide_password=False)


def _target(chosen: str | URL, source: str) -> DatabaseTarget:
    if isinstance(chosen, URL):
        parse_address(_written(chosen, source), source=source)
        return DatabaseTarget(normalize(chosen), source, run_driver(chosen.drivername))
    url = url_of(parse_address(chosen, source=source))
    return DatabaseTarget(url, source, run_driver(chosen.strip().partition("://")[0]))


def _written(url: URL, source: str) -> str:
    # The name of a file may hold any byte, of which a URL is not written.
    is_file = url.get_backend_name() == "sqlite"
    checked = URL.create(url.drivername, host=url.host) if is_file else url
    try:
        return checked.render_as_string(hide_password=False)
    except UnicodeEncodeError:
        pass  # it holds the URL, and would be the context of what is raised here
    raise unreadable(source, NOT_UTF_8)


def _warn_when_overruled(target: DatabaseTarget, uri: str) -> None:
    other = _target(uri, "WDH_DATABASE__URI")
    if other.url != target.url:
        log.warning(
            "DATABASE_URL (%s) and WDH_DATABASE__URI (%s) differ: DATABASE_URL is used",
            target,
            other,
        )


def _refuse_doubled(target: DatabaseTarget) -> None:
    """Refuse a parameter that is given twice: drivers know one, and which one nobody could say."""
    for key, value in target.url.query.items():
        if not isinstance(value, str) and key != "host":  # several hosts are several servers
            raise SettingsError(
                f"{target.source} gives the parameter {key} more than once",
                hint="leave one of them",
            )


def _require_postgresql_in_prod(target: DatabaseTarget, environment: str) -> None:
    if not may_be_used(environment, target.url.get_backend_name()):
        raise SettingsError(
            f"ENVIRONMENT is prod, which needs PostgreSQL, but {target.source} is {target}"
            " (tried: an explicit URL, DATABASE_URL, WDH_DATABASE__URI, the default)",
            hint="set DATABASE_URL to the PostgreSQL database, or ENVIRONMENT to dev",
        )
