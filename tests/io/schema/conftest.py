"""PgBouncer in transaction mode, and a stand-in for it, for the tests of what must hold behind it.

The real one is used where it is installed (Debian's package of that name; `.ci/run` installs it),
the stand-in everywhere else; pytest's header says which. What follows is about the stand-in.

Like PgBouncer, it lends a client one of its few server connections from the first message after
"idle" until the server is ready again outside a transaction. Clients wait their turn, first come,
first served; the connection that came back last is lent first. Nothing is reset in between, so
that session locks, SETs and prepared statements stay behind on the server connection. When a
client goes in the middle of something, its server connection is closed and replaced.

Unlike PgBouncer, it lets everybody in without a password, ignores requests to cancel, does not
carry over the few settings a client may ask for at the start, and serves one user and one database.
COPY FROM STDIN by the extended protocol (psycopg uses the simple one) keeps its server connection
until the client goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import secrets
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy.engine import URL

_HOST = "127.0.0.1"
_PROTOCOL_3_0 = 196608
_CANCEL_REQUEST, _SSL_REQUEST, _GSSENC_REQUEST = 80877102, 80877103, 80877104
_LOGIN_RETRY_SECONDS = 0.1
# What PgBouncer allows; whoever asks for anything else (`options`) is refused.
_STARTUP_PARAMETERS = {
    *("user", "database", "application_name", "client_encoding", "datestyle", "intervalstyle"),
    *("standard_conforming_strings", "timezone"),
}
_PARAMETER_STATUSES = (
    *("server_version", "server_encoding", "client_encoding", "DateStyle", "IntervalStyle"),
    *("TimeZone", "integer_datetimes", "standard_conforming_strings"),
)
_ANSWERED_BY_READY = (b"Q", b"S", b"F")  # Query, Sync, FunctionCall
_TERMINATE, _READY = b"X", b"Z"
_IDLE = b"I"


_PGBOUNCER = """
[databases]
{database} = host={host} port={port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {server_connections}
max_db_connections = {server_connections}
query_wait_timeout = {query_wait_timeout}
"""
_QUERY_WAIT_TIMEOUT_SECONDS = 5


@pytest.fixture(scope="session")
def transaction_pooler(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[URL, int], AbstractContextManager[URL]]:
    """Run a transaction pooler before the server of a URL, with so many server connections.

    The block gets the URL to use instead. At its end all connections of the pooler are closed.
    """
    program = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if program is None:
        return _running_stand_in
    return functools.partial(_running_pgbouncer, program, tmp_path_factory.mktemp("pgbouncer"))


@pytest.fixture(scope="session", params=["stand-in", "PgBouncer, where it is installed"])
def each_pooler(
    request: pytest.FixtureRequest,
    transaction_pooler: Callable[[URL, int], AbstractContextManager[URL]],
) -> Callable[[URL, int], AbstractContextManager[URL]]:
    """Run the stand-in, and the real one, in turn."""
    return _running_stand_in if request.param == "stand-in" else transaction_pooler


@contextlib.contextmanager
def _running_pgbouncer(
    program: str, folder: Path, server_url: URL, server_connections: int
) -> Iterator[URL]:
    with socket.create_server((_HOST, 0)) as free:
        port = free.getsockname()[1]
    config = folder / f"{port}.ini"
    config.write_text(
        _PGBOUNCER.format(
            database=server_url.database,
            host=server_url.host,
            port=server_url.port,
            user=server_url.username,
            password=server_url.password,
            listen_port=port,
            server_connections=server_connections,
            query_wait_timeout=_QUERY_WAIT_TIMEOUT_SECONDS,
        )
    )
    # It refuses to be root, and gives that up when it has read its configuration.
    as_whom = ["-u", "nobody"] if os.geteuid() == 0 else []
    with subprocess.Popen(
        [program, "-q", *as_whom, str(config)], stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait_until_it_listens(port, process)
            yield server_url.set(host=_HOST, port=port)
        finally:
            process.kill()


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((_HOST, port), timeout=1).close()
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


@contextlib.contextmanager
def _running_stand_in(server_url: URL, server_connections: int) -> Iterator[URL]:
    pooler = _Pooler(server_url)
    # Not socket.create_server(): asyncio turns Nagle's delays off only where it reads TCP.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind((_HOST, 0))
    listener.listen()
    port = listener.getsockname()[1]
    loop = asyncio.new_event_loop()
    running = pooler.run(listener, server_connections)
    thread = threading.Thread(target=loop.run_until_complete, args=(running,), daemon=True)
    thread.start()
    try:
        yield server_url.set(host=_HOST, port=port)
    finally:
        loop.call_soon_threadsafe(pooler.stop.set)
        thread.join()
        loop.close()


@dataclass(eq=False)
class _Client:
    writer: StreamWriter
    server: _Server | None = None
    unsent: list[bytes] = field(default_factory=list)


@dataclass(eq=False)
class _Server:
    writer: StreamWriter
    client: _Client | None = None
    unanswered: int = 0  # more than one when the client pipelines

    def send(self, message: bytes) -> None:
        self.unanswered += message[:1] in _ANSWERED_BY_READY
        self.writer.write(message)


class _Pooler:
    def __init__(self, server_url: URL) -> None:
        self.stop = asyncio.Event()
        self._database = server_url.database
        # Without encryption, so that the socket can be taken over after the login.
        self._login: dict[str, Any] = {
            **server_url.translate_connect_args(username="user", database="dbname"),
            **server_url.query,
            "sslmode": "disable",
            "gssencmode": "disable",
            "connect_timeout": 10,
        }
        with contextlib.closing(psycopg.connect(**self._login)) as connection:
            status = connection.info.parameter_status
            self._statuses = b"".join(
                _message(b"S", name.encode(), (status(name) or "").encode())
                for name in _PARAMETER_STATUSES
            )
        self._clients: set[_Client] = set()
        self._waiting: deque[_Client] = deque()
        self._idle: list[_Server] = []

    async def run(self, listener: socket.socket, server_connections: int) -> None:
        tasks = [asyncio.create_task(self._keep_server()) for _ in range(server_connections)]
        servers = tuple(tasks)

        def accept(reader: StreamReader, writer: StreamWriter) -> None:
            if self.stop.is_set():
                writer.transport.abort()
            else:
                tasks.append(asyncio.create_task(self._serve(reader, _Client(writer))))

        accepting = await asyncio.start_server(accept, sock=listener)
        await self.stop.wait()
        accepting.close()
        await asyncio.sleep(0)  # whoever was just let in is among the clients after this
        for server in servers:
            server.cancel()
        for client in self._clients:
            client.writer.transport.abort()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):  # a fault of ours; a cancelled task is none
                raise outcome
        await asyncio.sleep(0)  # the last transports close

    async def _serve(self, reader: StreamReader, client: _Client) -> None:
        self._clients.add(client)
        try:
            if await self._let_in(reader, client.writer):
                while (message := await _read_message(reader))[:1] != _TERMINATE:
                    await self._forward(client, message)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            self._clients.remove(client)
            if client in self._waiting:
                self._waiting.remove(client)
            if client.server is not None:
                client.server.client = None
                client.server.writer.transport.abort()
            client.writer.close()

    async def _let_in(self, reader: StreamReader, writer: StreamWriter) -> bool:
        while True:
            length, code = struct.unpack("!II", await reader.readexactly(8))
            body = await reader.readexactly(length - 8)
            if code not in (_SSL_REQUEST, _GSSENC_REQUEST):
                break
            writer.write(b"N")
        if code == _CANCEL_REQUEST:
            return False
        words = body.decode().split("\0")
        wanted = {name.lower(): value for name, value in zip(words[::2], words[1::2], strict=False)}
        wanted.pop("", None)
        database = wanted.get("database", wanted.get("user"))
        if code != _PROTOCOL_3_0:
            writer.write(_fatal("08P01", "unsupported protocol version"))
        elif unsupported := wanted.keys() - _STARTUP_PARAMETERS:
            names = ", ".join(sorted(unsupported))
            writer.write(_fatal("08P01", f"unsupported startup parameter: {names}"))
        elif database != self._database:
            writer.write(_fatal("3D000", f"no such database: {database}"))
        else:
            key = struct.pack("!II", secrets.randbits(31), secrets.randbits(32))
            writer.write(b"R" + struct.pack("!II", 8, 0) + self._statuses)
            writer.write(b"K" + struct.pack("!I", 12) + key)
            writer.write(_READY + struct.pack("!I", 5) + _IDLE)
            return True
        return False

    async def _forward(self, client: _Client, message: bytes) -> None:
        if client.server is not None:
            client.server.send(message)
            await client.server.writer.drain()
            return
        client.unsent.append(message)
        if client not in self._waiting:
            self._waiting.append(client)
            self._lend()
            later = asyncio.get_running_loop().call_later
            later(_QUERY_WAIT_TIMEOUT_SECONDS, self._send_away, client, client.unsent)

    def _send_away(self, client: _Client, unsent: list[bytes]) -> None:
        if client in self._waiting and client.unsent is unsent:
            client.writer.write(_fatal("08P01", "query_wait_timeout"))
            client.writer.close()

    def _lend(self) -> None:
        while self._waiting and self._idle:
            client, server = self._waiting.popleft(), self._idle.pop()
            client.server, server.client = server, client
            for message in client.unsent:
                server.send(message)
            client.unsent = []

    async def _keep_server(self) -> None:
        while True:
            try:
                connection = psycopg.connect(**self._login)  # holds up the loop for milliseconds
            except psycopg.OperationalError as error:
                for client in self._waiting:
                    client.writer.write(_fatal("08006", f"no server connection: {error}"))
                    client.writer.close()
                await asyncio.sleep(_LOGIN_RETRY_SECONDS)
                continue
            with contextlib.closing(connection):
                await self._relay(socket.socket(fileno=os.dup(connection.fileno())))
            await asyncio.sleep(0)  # the transport closes

    async def _relay(self, connected: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connected)
        server = _Server(writer)
        self._idle.append(server)
        self._lend()
        try:
            while True:
                await self._answer(server, await _read_message(reader))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the server ended it, or its client went in the middle of something
        finally:
            if server in self._idle:
                self._idle.remove(server)
            if server.client is not None:
                server.client.server = None
                server.client.writer.close()
            writer.transport.abort()

    async def _answer(self, server: _Server, message: bytes) -> None:
        client = server.client
        if client is None:
            return  # between transactions the server speaks to nobody
        client.writer.write(message)
        if message[:1] == _READY:
            server.unanswered -= 1
            if not server.unanswered and message[5:] == _IDLE:
                client.server = server.client = None
                self._idle.append(server)
                self._lend()
        with contextlib.suppress(ConnectionError):
            await client.writer.drain()


async def _read_message(reader: StreamReader) -> bytes:
    header = await reader.readexactly(5)
    return header + await reader.readexactly(int.from_bytes(header[1:], "big") - 4)


def _message(kind: bytes, *texts: bytes) -> bytes:
    body = b"".join(text + b"\0" for text in texts)
    return kind + struct.pack("!I", len(body) + 4) + body


def _fatal(code: str, text: str) -> bytes:
    fields = ("SFATAL", "VFATAL", f"C{code}", f"M{text}")
    return _message(b"E", *(part.encode() for part in fields), b"")
