"""A PostgreSQL for tests that several processes use, and that ends with the last of them.

Each is connected to the supervisor of the server by a Unix socket: the kernel counts them, and
also sees the end of one that is killed. Nobody writes down who is there.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from work_data_hub.errors import MissingError
from work_data_hub.io.schema.ephemeral.cache import locked
from work_data_hub.io.schema.ephemeral.postgres_server import (
    PostgresServer,
    close_in_forked_children,
    start,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.io.schema.ephemeral.postgres_binaries import PreparedPostgres

_JOIN_SECONDS = 60.0
_JOIN_POLL_SECONDS = 0.005
# Longer than the supervisor's own bounds together.
_LEAVE_SECONDS = 30.0


@dataclass
class Membership:
    """One process's use of a shared server.

    Attributes:
        server: the server.
        stay_seconds: for how long the server shall stay after its last user has left in order.
    """

    server: PostgresServer
    _line: socket.socket = field(repr=False)
    stay_seconds: float = 0

    def leave(self) -> None:
        """Leave; the last one waits until the server has ended and its data are gone."""
        with contextlib.suppress(OSError):
            if self.stay_seconds:
                self._line.sendall(f"{self.stay_seconds}\n".encode())
            self._line.shutdown(socket.SHUT_WR)
            self._line.settimeout(_LEAVE_SECONDS)
            self._line.recv(1)
        self._line.close()


@contextlib.contextmanager
def shared_postgres(name: str, prepared: PreparedPostgres) -> Iterator[Membership]:
    """Use the server of that name for the length of the block; the first who does starts it.

    Args:
        name: what the processes that share it agree on; short, it becomes a part of a path.
        prepared: what to run, the same in all of them.

    Raises:
        MissingError: as `running_postgres`; or the server of that name did not end or answer
            within 60 seconds.
    """
    membership = _join_or_start(prepared.cache / f"server-{name}.socket", prepared)
    try:
        yield membership
    finally:
        membership.leave()


def _join_or_start(path: Path, prepared: PreparedPostgres) -> Membership:
    deadline = time.monotonic() + _JOIN_SECONDS
    while time.monotonic() < deadline:
        try:
            membership = _join(path)
        except (FileNotFoundError, ConnectionRefusedError):
            with locked(prepared.cache / "lock-servers"):
                membership = _start(path, prepared)
        if membership is not None:
            return membership
        time.sleep(_JOIN_POLL_SECONDS)  # it is just ending
    raise MissingError(
        f"the PostgreSQL behind {path} does not answer",
        hint="end its process, and remove that file",
    )


def _join(path: Path) -> Membership | None:
    """Connect to the supervisor; None when the server is just ending.

    Raises:
        FileNotFoundError, ConnectionRefusedError: there is none.
    """
    line = socket.socket(socket.AF_UNIX)
    try:
        line.settimeout(_LEAVE_SECONDS)
        _connect(line, path)
        text = b""
        while not text.endswith(b"\n"):
            part = line.recv(4096)
            if not part:
                line.close()
                return None
            text += part
    except (ConnectionResetError, TimeoutError):
        line.close()
        return None
    except BaseException:
        line.close()
        raise
    return _member(line, _read(text))


def _connect(line: socket.socket, path: Path) -> None:
    try:
        line.connect(str(path))
    except OSError as error:
        if type(error) is OSError and error.errno is None:  # Python's own check of the length
            raise MissingError(
                f"the path {path} is too long for a socket", hint="set TMPDIR to a shorter folder"
            ) from error
        raise


def _start(path: Path, prepared: PreparedPostgres) -> Membership | None:
    """Start the server unless another process just did; the lock is held."""
    with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
        return _join(path)
    _sweep(prepared.cache)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(128)
        try:
            supervisor, server = start(prepared, listener)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        line = socket.socket(socket.AF_UNIX)
        line.connect(str(path))
    supervisor.hand_over(_described(server))
    membership = _member(line, server)
    line.recv(4096)
    return membership


def _sweep(cache: Path) -> None:
    """Remove the sockets of supervisors that were killed; the lock is held."""
    for path in cache.glob("server-*.socket"):
        with socket.socket(socket.AF_UNIX) as line:
            try:
                line.connect(str(path))
            except (FileNotFoundError, ConnectionRefusedError):
                path.unlink(missing_ok=True)


def _member(line: socket.socket, server: PostgresServer) -> Membership:
    line.settimeout(None)
    close_in_forked_children(line)
    return Membership(server, line)


def _described(server: PostgresServer) -> bytes:
    return json.dumps(asdict(server), default=str).encode() + b"\n"


def _read(text: bytes) -> PostgresServer:
    described = json.loads(text)
    folder = Path(described.pop("data_directory"))
    return PostgresServer(data_directory=folder, **described)
