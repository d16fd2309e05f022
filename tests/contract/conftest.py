"""Every way to name a PostgreSQL database, and two servers that they may lead to."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from work_data_hub.io.schema.ephemeral.postgres_binaries import prepare_postgres
from work_data_hub.io.schema.ephemeral.postgres_server import running_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from work_data_hub.io.schema.ephemeral.postgres_server import PostgresServer

CLOSED_PORT = 1


@dataclass(frozen=True)
class Place:
    """A database of a server; the server has a superuser of its name, too."""

    server: PostgresServer
    database: str

    @property
    def login(self) -> str:
        return f"{self.database}:{self.server.password}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    @property
    def url(self) -> str:
        return f"postgresql://{self.login}@{self.address}/{self.database}"

    def execute(self, *statements: str) -> None:
        engine = sa.create_engine(self.server.url(self.database), poolclass=sa.NullPool)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    @property
    def service(self) -> str:
        return f"{self.database}_{self.server.port}"

    def service_file(self, folder: Path) -> Path:
        """Write the service, beside those that are there."""
        file = folder / "services.conf"
        host, _, port = self.address.partition(":")
        with file.open("a") as services:
            services.write(
                f"[{self.service}]\nhost={host}\nport={port}\ndbname={self.database}\n"
                f"user={self.database}\npassword={self.server.password}\n"
            )
        return file


@dataclass(frozen=True)
class Named:
    """A database as it is named: by a URL, and what the environment adds to it."""

    url: str
    environment: dict[str, str]


def _named(url: str, **environment: object) -> Named:
    return Named(url, {name: str(value) for name, value in environment.items()})


# The class of case: whoever knows a database must know it by all of these.
WAYS: dict[str, Callable[[Place, Path], Named]] = {
    "host and port": lambda at, _: _named(at.url),
    "localhost": lambda at, _: _named(at.url.replace("127.0.0.1", "localhost")),
    "another driver": lambda at, _: _named(at.url.replace("postgresql:", "postgresql+asyncpg:")),
    "the user's name": lambda at, _: _named(f"postgresql://{at.login}@{at.address}"),
    "a socket": lambda at, _: _named(
        f"postgresql://{at.login}@/{at.database}?host={at.server.data_directory}"
        f"&port={at.server.port}"
    ),
    "host in the query": lambda at, _: _named(
        f"postgresql://{at.login}@/{at.database}?host=127.0.0.1&port={at.server.port}"
    ),
    "dbname in the query": lambda at, _: _named(
        f"postgresql://{at.login}@{at.address}/decoy?dbname={at.database}"
    ),
    "hostaddr beside host": lambda at, _: _named(
        f"postgresql://{at.login}@decoy.invalid:{at.server.port}/{at.database}?hostaddr=127.0.0.1"
    ),
    "several hosts": lambda at, _: _named(
        f"postgresql://{at.login}@/{at.database}?host=127.0.0.1:{CLOSED_PORT}&host={at.address}"
    ),
    "hosts and ports in lists": lambda at, _: _named(
        f"postgresql://{at.login}@/{at.database}?host=127.0.0.1,127.0.0.1"
        f"&port={CLOSED_PORT},{at.server.port}"
    ),
    "a service": lambda at, folder: _named(
        f"postgresql://?service={at.service}", PGSERVICEFILE=at.service_file(folder)
    ),
    "PGSERVICE": lambda at, folder: _named(
        "postgresql://", PGSERVICEFILE=at.service_file(folder), PGSERVICE=at.service
    ),
    "PGDATABASE": lambda at, _: _named(
        f"postgresql://{at.login}@{at.address}", PGDATABASE=at.database
    ),
    "PGHOST and PGPORT": lambda at, _: _named(
        f"postgresql://{at.login}@/{at.database}", PGHOST="127.0.0.1", PGPORT=at.server.port
    ),
    "PGHOSTADDR": lambda at, _: _named(
        at.url.replace("127.0.0.1", "decoy.invalid"), PGHOSTADDR="127.0.0.1"
    ),
    "the environment alone": lambda at, _: _named(
        "postgresql://",
        PGHOST=at.server.data_directory,
        PGPORT=at.server.port,
        PGDATABASE=at.database,
        PGUSER=at.database,
        PGPASSWORD=at.server.password,
    ),
}


@pytest.fixture(params=WAYS)
def way(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Place], Named]:
    """Name a database in one of the ways; what the environment says is set."""

    def name(place: Place) -> Named:
        named = WAYS[request.param](place, tmp_path)
        for variable, value in named.environment.items():
            monkeypatch.setenv(variable, value)
        return named

    return name


@pytest.fixture(scope="module")
def two_servers() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """Two servers with sockets in their data folders; each is a copy of one and the same."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # pytest's own is closed to the server's user
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir(mode=0o700)
    prepared = prepare_postgres()
    try:
        with running_postgres(prepared, keep_in=data) as server:
            Place(server, "postgres").execute("ALTER SYSTEM SET unix_socket_directories = '.'")
        prepared = replace(prepared, template=data)
        with running_postgres(prepared) as first, running_postgres(prepared) as second:
            yield first, second
    finally:
        shutil.rmtree(folder)


_numbers = itertools.count()


@pytest.fixture
def make_place() -> Callable[[PostgresServer, str], Place]:
    """Make an empty database, and a superuser of its name."""

    def make(server: PostgresServer, name: str) -> Place:
        Place(server, "postgres").execute(
            f"CREATE ROLE {name} SUPERUSER LOGIN PASSWORD '{server.password}'",
            f"CREATE DATABASE {name} OWNER {name}",
        )
        return Place(server, name)

    return make


@pytest.fixture
def place(
    two_servers: tuple[PostgresServer, PostgresServer],
    make_place: Callable[[PostgresServer, str], Place],
) -> Place:
    """An empty database of the first server, which is the one that is meant."""
    return make_place(two_servers[0], f"hub_{next(_numbers)}")
