from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from work_data_hub.errors import MissingError
from work_data_hub.io.schema.ephemeral.postgres_binaries import PreparedPostgres, prepare_postgres
from work_data_hub.io.schema.ephemeral.postgres_sharing import shared_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from work_data_hub.io.schema.ephemeral.postgres_server import PostgresServer

# Joins the server of the name given, says its process id, and stays until its stdin is closed.
CLIENT = """
import sys
from work_data_hub.io.schema.ephemeral.postgres_binaries import prepare_postgres
from work_data_hub.io.schema.ephemeral.postgres_sharing import shared_postgres

with shared_postgres(sys.argv[1], prepare_postgres()) as membership:
    print(membership.server.pid, flush=True)
    sys.stdin.read()
"""
SECONDS = 20.0


@pytest.fixture(scope="module")
def prepared() -> PreparedPostgres:
    return prepare_postgres()


@pytest.fixture
def start_client() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    clients = []

    def start(name: str) -> subprocess.Popen[str]:
        client = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CLIENT), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.kill()
        client.communicate()


def said_pid(client: subprocess.Popen[str]) -> int:
    assert client.stdout is not None
    return int(client.stdout.readline())


def answers(server: PostgresServer) -> bool:
    try:
        with psycopg.connect(server.url().set(drivername="postgresql").render_as_string(False)):
            return True
    except psycopg.OperationalError:
        return False


def is_gone(server: PostgresServer) -> bool:
    try:
        os.kill(server.pid, 0)
    except ProcessLookupError:
        return not server.data_directory.exists()
    return False


def soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_processes_that_start_together_use_one_server(
    start_client: Callable[[str], subprocess.Popen[str]],
) -> None:
    name = uuid4().hex[:12]
    clients = [start_client(name) for _ in range(4)]
    assert len({said_pid(client) for client in clients}) == 1


def test_the_server_ends_with_its_last_user_and_that_one_waits_for_it(
    prepared: PreparedPostgres, start_client: Callable[[str], subprocess.Popen[str]]
) -> None:
    name = uuid4().hex[:12]
    with shared_postgres(name, prepared) as membership:
        client = start_client(name)
        assert said_pid(client) == membership.server.pid
        client.communicate()
        assert answers(membership.server)
    assert is_gone(membership.server)


def test_it_outlives_the_process_that_started_it_also_when_that_was_killed(
    prepared: PreparedPostgres, start_client: Callable[[str], subprocess.Popen[str]]
) -> None:
    name = uuid4().hex[:12]
    starter = start_client(name)
    pid = said_pid(starter)
    with shared_postgres(name, prepared) as membership:
        starter.send_signal(signal.SIGKILL)
        starter.wait()
        assert membership.server.pid == pid
        assert answers(membership.server)
    assert is_gone(membership.server)


def test_it_ends_when_every_user_was_killed(
    prepared: PreparedPostgres, start_client: Callable[[str], subprocess.Popen[str]]
) -> None:
    name = uuid4().hex[:12]
    with shared_postgres(name, prepared) as membership:
        clients = [start_client(name) for _ in range(2)]
        for client in clients:
            said_pid(client)
        for client in clients:
            client.kill()
            client.wait()
        membership._line.close()
        assert soon(lambda: is_gone(membership.server))


def test_it_stays_for_the_next_run_when_that_was_asked_for(prepared: PreparedPostgres) -> None:
    name = uuid4().hex[:12]
    with shared_postgres(name, prepared) as first:
        first.stay_seconds = 60
    assert answers(first.server)
    with shared_postgres(name, prepared) as second:
        assert second.server == first.server
        os.kill(second.server.pid, signal.SIGQUIT)
        assert soon(lambda: not answers(second.server))

    def another_was_started() -> bool:
        with shared_postgres(name, prepared) as third:
            return third.server != first.server and answers(third.server)

    # A server that is ending is not seen to have ended at once.
    assert soon(another_was_started)


def test_a_socket_that_a_killed_supervisor_left_is_replaced(prepared: PreparedPostgres) -> None:
    name = uuid4().hex[:12]
    leftover = prepared.cache / f"server-{name}.socket"
    leftover.touch()
    with shared_postgres(name, prepared) as membership:
        assert answers(membership.server)
    assert not leftover.exists()


def test_a_server_that_cannot_start_leaves_no_socket(prepared: PreparedPostgres) -> None:
    name = uuid4().hex[:12]
    broken = replace(prepared, executable=Path("/bin/false"))
    with pytest.raises(MissingError, match="did not start"), shared_postgres(name, broken):
        raise AssertionError
    assert not (prepared.cache / f"server-{name}.socket").exists()
