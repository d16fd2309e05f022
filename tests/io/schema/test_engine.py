"""Connections: a server that is not there yet, one that never comes, and an interrupted command."""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
import sys
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


# In a process of its own: psycopg's ping keeps every thread of ours from running.
_GATE = """
import asyncio, sys
pause, port, host, server_port, refusals, answer = sys.argv[1:]
left = int(refusals)

async def pipe(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()

async def serve(reader, writer):
    global left
    if left:
        left -= 1
        while len(await reader.read(1024)) == 8:  # asks for TLS or Kerberos
            writer.write(b"N")
        writer.write(bytes.fromhex(answer))
        writer.close()
        return
    inner, outer = await asyncio.open_connection(host, int(server_port))
    await asyncio.gather(pipe(reader, outer), pipe(inner, writer))

async def main():
    await asyncio.sleep(float(pause))
    await (await asyncio.start_server(serve, "127.0.0.1", int(port))).serve_forever()

asyncio.run(main())
"""


@contextmanager
def before(url: URL, *, pause: float = 0, refusals: int = 0, answer: bytes = b"") -> Iterator[URL]:
    """Stand before the server like a container that starts beside us: later, and refusing some."""
    port = free_port()
    given = (pause, port, url.host, url.port, refusals, answer.hex())
    gate = subprocess.Popen([sys.executable, "-c", _GATE, *map(str, given)])
    yield url.set(port=port)
    gate.kill()
    gate.wait()


def fatal(code: str, said: str) -> bytes:
    severity, _, text = said.partition(": ")
    fields = (f"S{severity}", "VFATAL", f"C{code}", f"M{text}", "")
    body = b"".join(field.encode() + b"\0" for field in fields)
    return b"E" + struct.pack("!I", len(body) + 4) + body


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("57P03", "ВАЖНО: система баз данных запускается"),
        ("57P03", "FATAL: le système de bases de données s'arrête"),
        ("53300", "FATAL: sorry, too many clients already"),
    ],
)
def test_a_server_that_lets_nobody_in_yet_is_waited_for_whatever_language_it_speaks(
    postgresql_url: URL, code: str, said: str
) -> None:
    with (
        before(postgresql_url, refusals=3, answer=fatal(code, said)) as url,
        connect(url, wait_seconds=20) as connection,
    ):
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_a_server_that_is_crowded_is_waited_for(postgresql_url: URL) -> None:
    role = f"few_{free_port()}"
    few = postgresql_url.set(username=role, password="geheim")
    with connect(postgresql_url) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'geheim' CONNECTION LIMIT 0")
        room = f"ALTER ROLE {role} CONNECTION LIMIT 1"
        timer = threading.Timer(1.2, connection.exec_driver_sql, [room])
        timer.start()
        try:
            with connect(few, wait_seconds=20) as let_in:
                assert let_in.exec_driver_sql("SELECT current_user").scalar() == role
        finally:
            timer.join()
            connection.exec_driver_sql(f"DROP ROLE {role}")


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
    assert "interrupted: the upgrade of 20260101_0001 was rolled back" in said
    assert "done before it: 20260101_0000" in said
    assert migration_runner.current(database_url) == ("20260101_0000",)
    last = migration_runner.journal(database_url)[-1]
    assert (last.revision, last.outcome) == ("20260101_0001", "failed")
    with connect(database_url) as connection:
        assert not sa.inspect(connection).has_table("half")
