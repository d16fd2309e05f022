"""Runs an env.py that does not hand over to the package, on the one database that it may touch.

Such an env.py decides by itself where it connects to, be it by its settings: a test suite that
asks it for a test database could migrate another one. Alembic tells it the URL in every way that
is usual, and where it configures another database nothing is run.
"""

from __future__ import annotations

import logging.config
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from sqlalchemy.engine import make_url

from work_data_hub.config.database_url import mask
from work_data_hub.errors import RefusedError
from work_data_hub.io.schema.alembic_bridge.model_differences import refuse_without_tables
from work_data_hub.io.schema.alembic_bridge.swaps import leads_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL


@contextmanager
def guarded_config(alembic_ini: Path, url: URL) -> Iterator[Config]:
    """Yield a Config with which every command of Alembic reaches that database or is refused.

    Raises:
        RefusedError: env.py configured another database; nothing was run on it.
        UsageError: env.py gives no tables to compare with, where that is asked for.
    """
    config = Config(str(alembic_ini))
    text = url.render_as_string(hide_password=False)
    config.set_main_option("sqlalchemy.url", _for(config, text).replace("%", "%%"))
    configure = EnvironmentContext.configure

    def guarded(context: EnvironmentContext, *arguments: Any, **options: Any) -> None:
        connection = arguments[0] if arguments else options.get("connection")
        found = connection.engine.url if connection is not None else options.get("url")
        is_meant = leads_to(connection, url) if connection is not None else _is_named(found, url)
        if not is_meant:
            raise _another(found, url)
        refuse_without_tables(context, options.get("target_metadata"))
        configure(context, *arguments, **options)

    variables = {"DATABASE_URL": text, "WDH_DATABASE__URI": text}
    # Alembic's commands make their context themselves, so it is guarded where all of them pass.
    with (
        mock.patch.object(EnvironmentContext, "configure", guarded),
        # The usual env.py calls it, and it would disable every logger there is.
        mock.patch.object(logging.config, "fileConfig"),
        mock.patch.dict("os.environ", variables),
    ):
        yield config


def _for(config: Config, url: str) -> str:
    """Return the URL with the driver that env.py needs: psycopg is both, sqlite3 is not."""
    env_py = Path(str(config.get_alembic_option("script_location")), "env.py")
    is_async = env_py.is_file() and b"async_engine" in env_py.read_bytes()
    return url.replace("sqlite:", "sqlite+aiosqlite:", 1) if is_async else url


def _is_named(given: URL | str | None, meant: URL) -> bool:
    """Whether the URL that SQL is printed for is the one that was asked for."""
    if given is None:
        return False
    url = make_url(given)
    parts = [(u.get_backend_name(), u.host, u.port, u.database, u.query) for u in (url, meant)]
    return parts[0] == parts[1]


def _another(found: URL | str | None, meant: URL) -> RefusedError:
    place = "no database" if found is None else mask(make_url(found))
    return RefusedError(
        f"env.py connects to {place}, where {mask(meant)} was asked for; nothing was run",
        hint="take the URL from config.get_main_option('sqlalchemy.url') there, or hand over:"
        " work_data_hub.io.schema.environment.run",
    )
