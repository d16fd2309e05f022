"""The process that ends a PostgreSQL for tests as soon as the process that owns it is gone.

Run as a script with `python -I -S`, so it imports nothing but the standard library. It holds the
read end of a pipe. The kernel closes the other end when the owner ends for whatever reason,
kill -9 included, so no server outlives its owner.

    python -I -S postgres_supervisor.py FOLDER UID GID COMMAND...

UID and GID are empty to keep one's own. From the owner, on stdin: START when the data folder is
filled, STOP to end the server in order, the end of the file when the owner is gone. To the owner,
on stdout: the server's process id and a line feed, then the end of the file as soon as the
server has ended, because from then on only the server holds that pipe.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

START = b"+"
STOP = b"-"

_PATIENCE_SECONDS = 5.0
_POLL_SECONDS = 0.001
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def main(folder: Path, uid: str, gid: str, *command: str) -> None:
    """Wait for the order, run the server until the owner ends it or is gone, remove the folder."""
    # Only the owner's end counts: a signal sent to a whole tree must not end the one that tidies
    # up. Handlers and not SIG_IGN, which the server would inherit.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    try:
        if os.read(0, 1) == START:
            server = _start(folder, uid, gid, command)
            _report(server.pid)
            _stop(server, in_order=os.read(0, 1) == STOP)
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
