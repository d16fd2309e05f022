"""Runs Python programs without the second that a new interpreter needs for its imports.

One process imports everything and waits; each program is a fork of it, with arguments, folder,
environment and streams of its own, and it ends as every interpreter does, but for what was imported
for all, which is not taken apart (`_end`). The one that waits is no fork of pytest's: it has no
threads, no connections and no settings that a program could inherit.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

IMPORTED = (
    *("alembic.autogenerate.api", "alembic.command", "alembic.config", "argparse"),
    *("importlib.metadata", "logging.config", "psycopg", "pwd"),
    *("sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite.pysqlite"),
)
# All of these wings: most rooms import what they need as late as they can. Not the project's own
# tables, in `io.runs`, which a test may change in its copy.
IMPORTED_WINGS = ("work_data_hub.cli", "work_data_hub.domain", "work_data_hub.io.schema")


class Started:
    """A program that runs; used as a ``subprocess.Popen``."""

    def __init__(self, keeper: IO[str]) -> None:
        self.returncode: int | None = None
        self._keeper = keeper
        self._pid = int(keeper.readline())

    def send_signal(self, number: int) -> None:
        os.kill(self._pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def is_running(self) -> bool:
        try:
            self.send_signal(0)
        except ProcessLookupError:  # its keeper has seen it end
            return False
        return True

    def wait(self, timeout: float) -> int:
        """Return its exit code as soon as there is one.

        Raises:
            subprocess.TimeoutExpired: it did not end, and was killed.
        """
        with self._keeper, self._killed_after(timeout):
            self.returncode = int(self._keeper.readline())
        return self.returncode

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        is_late = threading.Event()
        watches = [threading.Timer(seconds, act) for act in (is_late.set, self.kill)]
        for watch in watches:
            watch.start()
        yield
        for watch in watches:
            watch.cancel()
            watch.join()
        if is_late.is_set():
            raise subprocess.TimeoutExpired(str(self._pid), seconds)


class Program(Started):
    """One whose output is piped text."""

    def __init__(self, keeper: IO[str], stdout: IO[str], stderr: IO[str]) -> None:
        super().__init__(keeper)
        self.stdout, self.stderr = stdout, stderr

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Return all that it says until it ends; its exit code is known then.

        Raises:
            subprocess.TimeoutExpired: it did not end, and was killed.
        """
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.append(self.stderr.read()))
        with self.stdout, self.stderr, self._keeper, self._killed_after(timeout):
            reader.start()
            output = self.stdout.read()
            reader.join()
            self.returncode = int(self._keeper.readline())
        return output, errors[0]


# What stands for a program where a shell looks for it; its own Python imports next to nothing.
_STAND_IN = """#!{python} -IS
import json, os, socket, sys

arguments = [*{arguments}, *sys.argv[1:]]
if not arguments or (arguments[0] != "-m" and arguments[0].startswith("-")):
    os.execv({python!r}, [{python!r}, *arguments])
ours, keepers = socket.socketpair()
with ours, keepers, socket.socket(fileno={waiting}) as waiting:
    socket.send_fds(waiting, [b"."], [keepers.fileno(), 1, 2])
    keeper = ours.makefile("rw", encoding="utf-8")
told = dict(arguments=arguments, cwd=os.getcwd(), env=dict(os.environ))
print(json.dumps(told), file=keeper, flush=True)
keeper.readline()
code = int(keeper.readline())
sys.exit(code if code >= 0 else 128 - code)  # as a shell says that it was killed
"""


class WarmPythons:
    """The processes that wait: one for each set of variables that an interpreter itself reads.

    Args:
        further: modules that they import, too.
    """

    def __init__(self, *further: str) -> None:
        self._further = further
        self._waiting: dict[frozenset[tuple[str, str]], socket.socket] = {}
        self._until_the_end = ExitStack()

    def start(self, *arguments: str, cwd: Path, env: Mapping[str, str]) -> Program:
        """Start what `python` would with these arguments: a script, or `-m` and a module."""
        (stdout, its_stdout), (stderr, its_stderr) = os.pipe(), os.pipe()
        keeper = self._asked(arguments, cwd, env, its_stdout, its_stderr)
        os.close(its_stdout)
        os.close(its_stderr)
        return Program(keeper, *(os.fdopen(end, encoding="utf-8") for end in (stdout, stderr)))

    def start_on(
        self, streams: tuple[int, int, int], *arguments: str, cwd: Path, env: Mapping[str, str]
    ) -> Started:
        """Start it with these descriptors as its standard input, output and error."""
        stdin, stdout, stderr = streams
        return Started(self._asked(arguments, cwd, env, stdout, stderr, stdin))

    def run(
        self, *arguments: str, cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        program = self.start(*arguments, cwd=cwd, env=env)
        said = program.communicate(timeout)
        assert program.returncode is not None
        return subprocess.CompletedProcess(arguments, program.returncode, *said)

    def stand_in(
        self, folder: Path, programs: Mapping[str, Sequence[str]], env: Mapping[str, str]
    ) -> int:
        """Write programs into a folder, for a shell that has it in its PATH.

        Args:
            folder: where they are written.
            programs: by their names, the arguments with which `python` would run each; without
                any, it is `python` itself.
            env: the shell's.

        Returns:
            The descriptor that the shell must inherit.
        """
        waiting = self._one(env).fileno()
        for name, arguments in programs.items():
            file = folder / name
            python = sys.executable
            text = _STAND_IN.format(python=python, arguments=[*arguments], waiting=waiting)
            file.write_text(text, encoding="utf-8")
            file.chmod(0o755)
        return waiting

    def close(self) -> None:
        """Let those that wait end; what they started goes on."""
        self._until_the_end.close()

    def _asked(
        self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], *streams: int
    ) -> IO[str]:
        """Ask for a program; return the line to its keeper."""
        ours, keepers = socket.socketpair()
        with ours, keepers:
            socket.send_fds(self._one(env), [b"."], [keepers.fileno(), *streams])
            keeper = ours.makefile("rw", encoding="utf-8")
        told = {"arguments": arguments, "cwd": str(cwd), "env": dict(env)}
        print(json.dumps(told), file=keeper, flush=True)
        return keeper

    def _one(self, env: Mapping[str, str]) -> socket.socket:
        """Return the socket on which one listens that was started with these variables."""
        read = frozenset(each for each in env.items() if each[0].startswith("PYTHON"))
        if read not in self._waiting:
            ours, theirs = socket.socketpair()
            with theirs:
                process = subprocess.Popen(
                    # -P: what a program imports is found in its folder, and not in this one.
                    [sys.executable, "-P", __file__, str(theirs.fileno()), *self._further],
                    env=env,
                    stdin=subprocess.DEVNULL,
                    # What Python knows of its streams, such as that they cannot be sought in.
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    pass_fds=[theirs.fileno()],
                )
            self._until_the_end.enter_context(process)
            self._until_the_end.enter_context(ours)
            self._waiting[read] = ours
        return self._waiting[read]


def _asked_for(listening: socket.socket) -> dict[str, Any]:
    """Wait for programs, and fork for each; return, in the fork, what it is to run."""
    while True:
        asked, given, _, _ = socket.recv_fds(listening, 1, 4)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:  # keepers that have ended
                pass
        if not asked or os.fork() == 0:
            break
        for descriptor in given:
            os.close(descriptor)
    listening.close()
    if not asked:
        sys.exit()  # whoever could ask has ended
    return _kept(*given)


def _kept(connection: int, stdout: int, stderr: int, *stdin: int) -> dict[str, Any]:
    """Fork, and stay as its keeper, who says how it ended; return, in the fork, what it runs."""
    with socket.socket(fileno=connection) as asker, asker.makefile("rw", encoding="utf-8") as told:
        request: dict[str, Any] = json.loads(told.readline())
        if (pid := os.fork()) == 0:
            for number, given in ((1, stdout), (2, stderr), *((0, given) for given in stdin)):
                os.dup2(given, number)
        for given in (stdout, stderr, *stdin):
            os.close(given)
        if pid:
            print(pid, file=told, flush=True)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), file=told, flush=True)
            os._exit(0)
    return request


def _be_started_with(env: dict[str, str]) -> None:
    """Let the package find these variables where it looks for those of a process's start.

    What the system says there of a fork are those of the one that waited.
    """
    if hasattr(os, "memfd_create"):
        from work_data_hub.io.schema.alembic_bridge import overruling

        file = os.memfd_create("environ")
        os.write(file, b"\0".join(os.fsencode(f"{name}={env[name]}") for name in env))
        overruling._STARTED_WITH = Path(f"/proc/self/fd/{file}")


def _run(arguments: list[str], cwd: str, env: dict[str, str]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out = sys.stdout
    assert isinstance(out, io.TextIOWrapper)
    out.reconfigure(line_buffering=out.isatty() and not out.write_through)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    _be_started_with(env)
    if arguments[0] == "-m":
        _, module, *sys.argv[1:] = arguments
        sys.path.insert(0, cwd)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.argv[:] = arguments
        sys.path.insert(0, str(Path(arguments[0]).parent))
        runpy.run_path(arguments[0], run_name="__main__")


def _import_everything(*further: str) -> frozenset[str]:
    """Return the names of all modules that there are then."""
    for name in (*IMPORTED, *further):
        importlib.import_module(name)
    for name in IMPORTED_WINGS:
        wing = importlib.import_module(name)
        for each in pkgutil.walk_packages(wing.__path__, f"{name}."):
            importlib.import_module(each.name)
    gc.freeze()  # else the collector writes to all of it, and each fork copies that
    return frozenset(sys.modules)


def _end(code: int, imported: frozenset[str]) -> NoReturn:
    """End as an interpreter does, but leave whole what was imported for all programs.

    To take that apart costs more than what most programs do. What this one made is taken apart:
    Python warns of what it left open.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for name in sys.modules.keys() - imported:
        del sys.modules[name]
    gc.collect()
    with suppress(Exception):  # the interpreter words what is wrong with a stream
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    waiting, *others = sys.argv[1:]
    everything = _import_everything(*others)
    request = _asked_for(socket.socket(fileno=int(waiting)))
    try:
        _run(**request)
    except SystemExit as ended:
        if not isinstance(ended.code, int | None):
            raise
        exit_code = ended.code or 0
    else:
        exit_code = 0
    _end(exit_code, everything)
