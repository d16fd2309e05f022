"""Which database the run log is in, and connections of which each statement is a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from work_data_hub.config import choose_database, get_settings
from work_data_hub.config.database_url import address_of, database_of, mask, normalize, scrub
from work_data_hub.errors import DatabaseUnavailableError, UsageError, WorkDataHubError
from work_data_hub.io.schema.engine import create_engine, exists, said, sqlite_file, unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL, Connection, Engine

# A pipeline that holds SQLite's write lock for longer loses nothing: the spool takes it.
SQLITE_BUSY_MILLISECONDS = 5000


class RunDatabase(NamedTuple):
    """See the module.

    Attributes:
        url: with its password.
        engine: the caller's own; None for connections of ours.
    """

    url: URL
    engine: Engine | None = None

    def __repr__(self) -> str:
        """Return nothing of the password."""
        return f"RunDatabase({mask(self.url)})"

    @property
    def label(self) -> str:
        """Which database it is, whoever opens it: without user, password and driver."""
        file = sqlite_file(self.url)
        if file is not None:
            return f"sqlite:///{file.absolute()}"
        address, backend = address_of(self.url), self.url.get_backend_name()
        host = self.url.query.get("host", address.host)
        hosts = host if isinstance(host, str) or host is None else ",".join(host)
        return f"{backend}://{hosts or ''}:{address.port or ''}/{database_of(self.url) or ''}"

    def connect(self) -> Connection:
        """Open a connection that commits each statement.

        Raises:
            DatabaseUnavailableError: it does not answer, or a file is not there: none is made.
        """
        try:
            return (
                (self.engine or self._our_engine())
                .connect()
                .execution_options(isolation_level="AUTOCOMMIT")
            )
        except (sa.exc.SQLAlchemyError, OSError, ValueError, TypeError) as error:
            # The last two are raised for an option in the URL that cannot be read.
            raise unavailable(self.url, error) from error

    def reason(self, error: BaseException) -> str:
        """Return why something could not be done, on one line, without secrets."""
        text = error.message if isinstance(error, WorkDataHubError) else said(error)
        return scrub(text, self.url)

    def _our_engine(self) -> Engine:
        if not exists(self.url):
            raise DatabaseUnavailableError(
                f"there is no database {mask(self.url)}", hint="make it: `wdh db upgrade`"
            )
        engine = create_engine(self.url)
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", _wait_briefly)
        return engine


def run_database(
    url: str | URL | None = None,
    engine: Any = None,
    *,
    source: str = "the url argument",
    folder: Path | None = None,
) -> RunDatabase:
    """Decide which database is meant: that of the settings, unless one is given.

    Args:
        url: a URL.
        source: how the caller chose the URL, in words, for errors.
        folder: where the default file lies; the settings' own root when left out.
        engine: an Engine, of whose pool one connection is used; or an AsyncEngine, whose URL is.

    Raises:
        UsageError: both were given, or an engine that has one connection for everybody.
        SettingsError: the settings or the URL are wrong.
    """
    if engine is None:
        chosen = choose_database(get_settings(), url, explicit_source=source, folder=folder)
        return RunDatabase(chosen.url)
    if url is not None:
        raise UsageError("both url= and engine= are given", hint="leave one of them")
    if hasattr(engine, "sync_engine"):  # its driver answers an event loop alone
        return RunDatabase(normalize(engine.url))
    if not isinstance(engine, sa.Engine):
        raise UsageError(
            f"engine= is an Engine, not {type(engine).__name__}",
            hint="give connection.engine, or url=",
        )
    if isinstance(engine.pool, StaticPool | SingletonThreadPool):
        raise UsageError(
            "the engine has one connection for everybody: what is recorded would be part of the"
            " pipeline's transaction",
            hint="use a SQLite file, not one in memory",
        )
    return RunDatabase(engine.url, engine)


def _wait_briefly(dbapi_connection: Any, _entry: object) -> None:
    dbapi_connection.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_MILLISECONDS}")
