"""What tests of the run log share: the rows, the spool folder, and a database that goes away."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.config import get_settings
from work_data_hub.io.runs import data_quality_metrics, pipeline_executions, run_database
from work_data_hub.io.schema.engine import create_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import sqlalchemy as sa
    from sqlalchemy.engine import URL

    from work_data_hub.testing.databases import MigratedDatabases


class Rows:
    """What a database has in the two tables."""

    def __init__(self, url: URL) -> None:
        self._engine = create_engine(url, read_only=True)

    @property
    def runs(self) -> list[dict[str, Any]]:
        """The runs, in the order of their start."""
        order = pipeline_executions.c.started_at
        return self._all(pipeline_executions.select().order_by(order))

    @property
    def run(self) -> dict[str, Any]:
        """The only run there is."""
        (run,) = self.runs
        return run

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The metrics, in the order of time."""
        return self._all(data_quality_metrics.select().order_by(data_quality_metrics.c.recorded_at))

    def change(self, statement: sa.Executable) -> None:
        """Change something by hand."""
        with create_engine(self._engine.url).begin() as connection:
            connection.execute(statement)

    def _all(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


class Away:
    """A way to a PostgreSQL that can be cut and opened again; a server that restarts is one."""

    def __init__(self, url: URL) -> None:
        self._target = (str(url.host), int(url.port or 5432))
        self._pairs: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self._port = 0
        self.open()
        self.url = url.set(host="127.0.0.1", port=self._port)

    def open(self) -> None:
        """Let connections through."""
        self._listener = socket.create_server(("127.0.0.1", self._port), reuse_port=True)
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """End every connection, and let nobody through."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for each in self._pairs:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._pairs.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self._target)
                self._pairs += [client, server]
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    @staticmethod
    def _copy(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


class Locked:
    """A SQLite file that another writer can keep for itself."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._writer: sa.Connection | None = None

    def cut(self) -> None:
        """Take the write lock."""
        self._writer = create_engine(self.url).connect()
        self._writer.begin()

    def open(self) -> None:
        """Give it back."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The spool folder of the test."""
    folder = tmp_path / "spool"
    monkeypatch.setenv("WDH_RUN_SPOOL", str(folder))
    get_settings.cache_clear()
    return folder


@pytest.fixture
def rows(migrated_database: URL) -> Rows:
    """The rows of the test's database."""
    return Rows(migrated_database)


@pytest.fixture
def rows_of() -> Callable[[URL], Rows]:
    """Look at the rows of another database."""
    return Rows


@pytest.fixture
def migrated_postgresql(postgresql_databases: MigratedDatabases) -> Iterator[URL]:
    """A migrated database for what only PostgreSQL has."""
    url = postgresql_databases.take()
    yield url
    postgresql_databases.give_back(url)


@pytest.fixture
def away(migrated_database: URL, monkeypatch: pytest.MonkeyPatch) -> Iterator[Away | Locked]:
    """A way to the test's database, which can be cut: by the network, or by another writer."""
    monkeypatch.setattr(run_database, "SQLITE_BUSY_MILLISECONDS", 50)
    is_file = migrated_database.get_backend_name() == "sqlite"
    found = Locked(migrated_database) if is_file else Away(migrated_database)
    yield found
    found.open() if is_file else found.cut()


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait until something is so."""

    def wait(is_so: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not is_so():
            assert time.monotonic() < deadline, "it never came to be"
            time.sleep(0.01)

    return wait
