"""The process that ends a PostgreSQL for tests as soon as nobody uses it any more.

Run as a script with `python -I -S`, so it imports nothing but the standard library.

    python -I -S postgres_supervisor.py FOLDER UID GID LISTENER COMMAND...

UID and GID are empty to keep one's own. From the owner, on stdin: START when the data folder is
filled. To the owner, on stdout: the server's process id and a line feed, then the end of the file
as soon as the server has ended, because from then on only the server holds that pipe.

A private server (LISTENER is empty) ends with its owner: STOP ends it in order, KEEP and a path
too and then copies the data folder to that path, the end of the file means that the owner is gone.

A shared server (LISTENER is the descriptor of a listening Unix socket) ends with its last client.
The owner writes one line that describes the server and closes stdin. Each client that connects
reads that line and stays connected; it may write for how many seconds the server shall stay after
the last one left; SIGTERM makes an end of that. The last client sees the end of its connection
when the server is gone.

In both cases the kernel closes what a killed process held, kill -9 included: no server outlives
those who use it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

START = b"+"
STOP = b"-"
KEEP = b"="

_PATIENCE_SECONDS = 5.0
_POLL_SECONDS = 0.001
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def main(folder: Path, uid: str, gid: str, listener: str, *command: str) -> None:
    """Wait for the order, run the server until it is not needed any more, remove the folder."""
    # Only the owner's end counts: a signal sent to a whole tree must not end the one that tidies
    # up. Handlers and not SIG_IGN, which the server would inherit.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    if listener and os.fork():
        # A shared server may outlive its owner, who must not have to wait for it.
        os._exit(0)
    try:
        if os.read(0, 1) == START:
            server = _start(folder, uid, gid, command)
            _report(server.pid)
            if listener:
                # Open until the folder is gone, too.
                _still_open = _serve(socket.socket(fileno=int(listener)), server)
                _stop(server, in_order=False)
            else:
                _obey(server, folder)
    finally:
        _remove(folder)


def _start(folder: Path, uid: str, gid: str, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    # Exclusive: the folder belongs to the server's user, who must not choose what root writes to.
    with (folder / "server.log").open("xb") as log:
        return subprocess.Popen(
            command,
            user=int(uid) if uid else None,
            group=int(gid) if gid else None,
            extra_groups=[] if uid else None,
            stdin=subprocess.DEVNULL,
            stderr=log,
            preexec_fn=_end_with_supervisor,
        )


def _end_with_supervisor() -> None:
    """Ask the kernel for SIGQUIT when the supervisor is killed (Linux, prctl(2)).

    Called after the change of user, which would undo it.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _report(pid: int) -> None:
    os.write(1, f"{pid}\n".encode())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _obey(server: subprocess.Popen[bytes], folder: Path) -> None:
    order = os.read(0, 1)
    path = _rest_of_orders() if order == KEEP else b""
    _stop(server, in_order=order in {STOP, KEEP})
    if path.endswith(b"\n"):
        (folder / "server.log").unlink()
        destination = path.rstrip(b"\n").decode()
        subprocess.run(["cp", "-a", f"{folder}/.", destination], check=True)  # noqa: S607


def _rest_of_orders() -> bytes:
    text = b""
    while part := os.read(0, 4096):
        text += part
    return text


def _serve(listener: socket.socket, server: subprocess.Popen[bytes]) -> list[socket.socket]:
    """Describe the server to each client until the last one has left; return those still open.

    The owner is among the clients before it closes stdin, so there is one from the beginning.
    """
    description = _rest_of_orders()
    clients: dict[int, socket.socket] = {}
    left: list[socket.socket] = []
    stay_until = 0.0
    asked_to_end, ask = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(ask, b"."))
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(asked_to_end, select.POLLIN)
    # Without the line feed the owner was killed before it could describe the server.
    while description.endswith(b"\n"):
        seconds = max(0.0, stay_until - time.monotonic())
        for number, _ in poll.poll(int(1000 * seconds) + 1 if left and not clients else None):
            if number == listener.fileno():
                client, _ = listener.accept()
                if server.poll() is None:
                    _describe(client, description)
                clients[client.fileno()] = client
                poll.register(client, select.POLLIN)
            elif number == asked_to_end:
                os.read(asked_to_end, 1)
                stay_until = 0.0
            elif said := _read(clients[number]):
                stay_until = max(stay_until, time.monotonic() + float(said))
            else:
                poll.unregister(number)
                left.append(clients.pop(number))
        if server.poll() is not None or (not clients and time.monotonic() >= stay_until):
            break
        for client in left:
            client.close()
    # In this order: who finds no path starts another server and may use the path.
    Path(listener.getsockname()).unlink(missing_ok=True)
    listener.close()
    return left


def _describe(client: socket.socket, description: bytes) -> None:
    with contextlib.suppress(OSError):  # killed meanwhile: poll says so next
        client.sendall(description)


def _read(client: socket.socket) -> bytes:
    try:
        return client.recv(64)
    except OSError:
        return b""


def _stop(server: subprocess.Popen[bytes], *, in_order: bool) -> None:
    """Shut down fast, then immediately, then by force, 5 seconds apart.

    The signals are those of the PostgreSQL manual, "Shutting Down the Server".
    """
    for number in (signal.SIGINT, signal.SIGQUIT) if in_order else (signal.SIGQUIT,):
        server.send_signal(number)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while server.poll() is None and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    server.kill()
    server.wait()


def _remove(folder: Path) -> None:
    # Again and again: a copy that the owner began, or a last server process, may still write.
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while os.path.lexists(folder) and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
