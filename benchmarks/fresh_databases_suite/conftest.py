"""Gives the tests their databases in the way that is to be measured, and notes what they wait."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from typing import TYPE_CHECKING

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import URL, make_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAY = os.environ["BENCHMARK_WAY"]
ENGINE = os.environ.get("BENCHMARK_ENGINE", "")
SERVER = make_url(os.environ.get("BENCHMARK_SERVER", "sqlite://"))
TEMPLATE = "benchmark_template"
SQLITE = {"none": "nothing", "alembic": "migrated_file"}
POSTGRESQL = {
    "none": "nothing",
    "alembic": "migrated",
    "create database": "copied",
    "pytest-postgresql": "of_pytest_postgresql",
}
waits: dict[str, float] = defaultdict(float)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when != "call":
        waits[report.nodeid] += report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    (session.config.rootpath / "waits.json").write_text(json.dumps(list(waits.values())))


@pytest.fixture
def database(request: pytest.FixtureRequest) -> URL | None:
    fixtures = SQLITE if ENGINE == "sqlite" else POSTGRESQL
    found: URL | None = request.getfixturevalue(fixtures.get(WAY, "migrated_database"))
    return found


@pytest.fixture
def nothing() -> None:
    return None


def upgrade(url: URL) -> None:
    config = Config("alembic.ini")
    config.set_main_option("sqlalchemy.url", url.render_as_string(hide_password=False))
    command.upgrade(config, "head")


@pytest.fixture
def migrated_file(tmp_path: Path) -> URL:
    url = URL.create("sqlite", database=str(tmp_path / "database.db"))
    upgrade(url)
    return url


@pytest.fixture(scope="session")
def admin() -> Iterator[psycopg.Connection]:
    url = SERVER.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def migrated(admin: psycopg.Connection) -> Iterator[URL]:
    admin.execute("CREATE DATABASE benchmark_migrated")
    url = SERVER.set(database="benchmark_migrated")
    upgrade(url)
    yield url
    admin.execute("DROP DATABASE benchmark_migrated")


@pytest.fixture(scope="session")
def template(admin: psycopg.Connection) -> str:
    admin.execute(f"DROP DATABASE IF EXISTS {TEMPLATE}")
    admin.execute(f"CREATE DATABASE {TEMPLATE}")
    upgrade(SERVER.set(database=TEMPLATE))
    return TEMPLATE


@pytest.fixture
def copied(admin: psycopg.Connection, template: str) -> Iterator[URL]:
    admin.execute(f"CREATE DATABASE benchmark_copy TEMPLATE {template}")
    yield SERVER.set(database="benchmark_copy")
    admin.execute("DROP DATABASE benchmark_copy")


if WAY == "pytest-postgresql":
    from pytest_postgresql import factories

    def load(**place: str) -> None:
        upgrade(SERVER.set(database=place["dbname"]))

    their_server = factories.postgresql_noproc(
        SERVER.host, SERVER.port, SERVER.username, SERVER.password, load=[load]
    )
    their_connection = factories.postgresql("their_server")

    @pytest.fixture
    def of_pytest_postgresql(their_connection: psycopg.Connection) -> URL:
        return SERVER.set(database=their_connection.info.dbname)
