"""Connections: a server that is not there yet, one that never comes, and an interrupted command."""

from __future__ import annotations

import signal
import socket
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.config import get_settings
from work_data_hub.errors import DatabaseUnavailableError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect, foreign_keys_off

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import URL


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def appearing_after(seconds: float, port: int, url: URL) -> Iterator[None]:
    """Forward a port to the server, beginning later: a container that starts beside us."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    def forward(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve() -> None:
        time.sleep(seconds)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        with listener:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                server = socket.create_connection((url.host, url.port))
                pairs = ((client, server), (server, client))
                pipes = [threading.Thread(target=forward, args=pair, daemon=True) for pair in pairs]
                for pipe in pipes:
                    pipe.start()
                for pipe in pipes:
                    pipe.join()
                client.close()
                server.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield
    listener.close()


def test_a_server_that_starts_later_is_waited_for(postgresql_url: URL) -> None:
    port = free_port()
    late = postgresql_url.set(port=port)
    with appearing_after(1.2, port, postgresql_url), connect(late, wait_seconds=20) as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_a_server_that_never_comes_ends_the_wait_with_one_clear_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WDH_CONNECT_WAIT", "1.2")
    get_settings.cache_clear()
    started = time.monotonic()
    with pytest.raises(DatabaseUnavailableError, match="cannot open"):
        migration_runner.upgrade(f"postgresql://u:p@127.0.0.1:{free_port()}/x")
    assert 0.5 < time.monotonic() - started < 10


def test_a_wrong_password_and_a_missing_database_are_answers(postgresql_url: URL) -> None:
    wrong = (postgresql_url.set(password="hunter2"), postgresql_url.set(database="nowhere"))
    for url in wrong:
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailableError) as refused, connect(url, wait_seconds=30):
            pytest.fail("it was let in")
        assert time.monotonic() - started < 10
        assert "hunter2" not in refused.value.for_people()


def test_a_transaction_on_sqlite_takes_ddl_back(sqlite_url: URL) -> None:
    with connect(sqlite_url) as connection:
        transaction = connection.begin()
        connection.exec_driver_sql("CREATE TABLE t (id INTEGER)")
        transaction.rollback()
        assert sa.inspect(connection).get_table_names() == []


def test_foreign_keys_are_enforced_but_within_a_rebuild(sqlite_url: URL) -> None:
    with connect(sqlite_url) as connection:
        query = "PRAGMA foreign_keys"
        assert connection.exec_driver_sql(query).scalar() == 1
        connection.rollback()
        with foreign_keys_off(connection):
            assert connection.exec_driver_sql(query).scalar() == 0
        assert connection.exec_driver_sql(query).scalar() == 1


def test_ctrl_c_rolls_the_running_revision_back_and_says_so(
    database_url: URL,
    make_history: Callable[..., Path],
    revision_body: Any,
    start_alembic: Any,
) -> None:
    slow = (
        "import time\nop.create_table('half', sa.Column('id', sa.Integer))\n"
        "print('running', flush=True)\ntime.sleep(30)"
    )
    project = make_history([revision_body("pass"), revision_body(slow)])
    process = start_alembic(project, database_url)
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "interrupted: upgrade 20260101_0001 Step 1. was rolled back" in said
    assert "done before it: 20260101_0000" in said
    assert migration_runner.current(database_url) == ("20260101_0000",)
    last = migration_runner.journal(database_url)[-1]
    assert (last.revision, last.outcome) == ("20260101_0001", "failed")
    with connect(database_url) as connection:
        assert not sa.inspect(connection).has_table("half")
