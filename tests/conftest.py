"""Real databases for every test: SQLite files and a PostgreSQL that is started for the session."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from work_data_hub.config import get_settings
from work_data_hub.io.schema import engine, migration_runner
from work_data_hub.testing.postgres_server import PostgresServer, running_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

REPOSITORY = Path(__file__).parents[1]
ENGINES = ("sqlite", "postgresql")


@pytest.fixture(autouse=True)
def settings_of_nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the settings of whoever runs the suite out of it."""
    for name in ("DATABASE_URL", "WDH_DATABASE__URI", "WDH_ENV_FILE", "ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL of this session's own."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> URL:
    """The URL of a SQLite file that does not exist yet."""
    return URL.create("sqlite", database=str(tmp_path / "database.db"))


@pytest.fixture
def postgresql_url(postgres_server: PostgresServer) -> Iterator[URL]:
    """The URL of an empty PostgreSQL database."""
    name = f"wdh_test_{uuid4().hex}"
    with _administration(postgres_server) as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield postgres_server.url(name)
    with _administration(postgres_server) as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _administration(server: PostgresServer) -> sa.Connection:
    admin = sa.create_engine(server.url(), poolclass=sa.NullPool)
    return admin.connect().execution_options(isolation_level="AUTOCOMMIT")


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> URL:
    """The URL of an empty database; the test runs once for each engine."""
    url: URL = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def database_engine(database_url: URL) -> sa.Engine:
    """An engine on an empty database."""
    return engine.create_engine(database_url)


@pytest.fixture
def test_db_with_migrations(database_url: URL, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a fresh, migrated, throw-away database that the settings point at meanwhile."""
    migration_runner.upgrade(database_url)
    url = database_url.render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("WDH_DATABASE__URI", url)
    get_settings.cache_clear()
    return url


@pytest.fixture
def clean_environment() -> dict[str, str]:
    """An environment without our settings, in which every warning of a child is an error."""
    ours = ("DATABASE_URL", "WDH_", "ENVIRONMENT")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**inherited, "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "utf-8"}


@pytest.fixture
def alembic(clean_environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the plain `alembic` command in the repository root, as a person would."""

    def run(
        *arguments: str,
        url: URL | str | None = None,
        cwd: Path = REPOSITORY,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        environment = dict(clean_environment)
        if url is not None:
            text = url if isinstance(url, str) else url.render_as_string(hide_password=False)
            environment["DATABASE_URL"] = text
        return subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=cwd,
            env={**environment, **(env or {})},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
