"""A program of a warm Python is what it is in a new interpreter."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.warm_python import WarmPythons

PROGRAMS = {
    "where": "import os, sys; print(sys.argv, os.getcwd(), sys.path[0], sorted(os.environ))",
    "to both": "import sys; print('out' * 99999); print('err' * 99999, file=sys.stderr)",
    "not utf-8": "print('\\udcff')",
    "reconfigured": (
        "import sys; sys.stdout.reconfigure(errors='backslashreplace'); print('\\udcff')"
    ),
    "code": "raise SystemExit(7)",
    "words": "raise SystemExit('no')",
    "fault": "1 / 0",
    "ctrl-c": "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
    "killed": "import os; print('x', flush=True); os.kill(os.getpid(), 9)",
    "at the end": "import atexit; atexit.register(print, 'the end')",
    "a thread": "import threading, time; threading.Timer(0.1, print, ['later']).start()",
    "a child": "import subprocess, sys; print(subprocess.check_output(['echo', 'child']))",
    "left open": "file = open(__file__)",
    "a warning": "import warnings; warnings.warn('careful')",
    "asks": "input()",
}


@pytest.mark.parametrize("how", ["script", "module"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_it_says_and_ends_the_same(
    warm_pythons: WarmPythons,
    clean_environment: dict[str, str],
    tmp_path: Path,
    name: str,
    how: str,
) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAMS[name])
    arguments = [str(script)] if how == "script" else ["-m", "program"]
    arguments += ["a", "--b=c d"]
    folder = tmp_path if how == "module" else tmp_path.parent
    cold = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=clean_environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    warm = warm_pythons.run(*arguments, cwd=folder, env=clean_environment, timeout=20)
    assert (warm.returncode, warm.stdout) == (cold.returncode, cold.stdout)
    assert warm.stderr.splitlines()[-1:] == cold.stderr.splitlines()[-1:]


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_stands_for_it_in_a_shell_says_and_ends_the_same(
    warm_pythons: WarmPythons, clean_environment: dict[str, str], tmp_path: Path, name: str
) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAMS[name])
    programs = {"program": [str(script)], "a_python": []}
    inherited = warm_pythons.stand_in(tmp_path, programs, clean_environment)

    def say(command: str) -> tuple[int, str, list[str]]:
        shell = subprocess.run(
            # Not the only command: bash would be replaced by it, with its exit code.
            ["bash", "-c", f"{command} a '--b=c d' | cat; exit ${{PIPESTATUS[0]}}"],
            cwd=tmp_path,
            env={**clean_environment, "PATH": f"{tmp_path}:{clean_environment['PATH']}"},
            stdin=subprocess.DEVNULL,
            pass_fds=[inherited],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        return shell.returncode, shell.stdout, shell.stderr.splitlines()[-1:]

    cold = say(f"{sys.executable} {script}")
    assert say("program") == cold
    assert say(f"a_python {script}") == cold
    assert say("a_python -c 'print(1 + 1)'")[:2] == (0, "2\n")


def test_on_a_terminal_it_is_the_same(
    warm_pythons: WarmPythons, clean_environment: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        "import sys\n"
        "for stream in (sys.stdin, sys.stdout, sys.stderr):\n"
        "    print(stream.isatty(), stream.line_buffering if stream is not sys.stdin else '')\n"
        "print(input('typed: '))\n"
        "raise SystemExit(7)\n"
    )

    def said(start: Callable[[tuple[int, int, int]], Any]) -> tuple[int, bytes]:
        ours, theirs = pty.openpty()
        os.write(ours, b"words\n")
        program = start((theirs, theirs, theirs))
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # Linux says so when the other end has been closed
            while chunk := os.read(ours, 65536):
                shown += chunk
        os.close(ours)
        return program.wait(20), shown

    cold = said(
        lambda streams: subprocess.Popen(
            [sys.executable, script],
            env=clean_environment,
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
        )
    )
    warm = said(
        lambda streams: warm_pythons.start_on(
            streams, str(script), cwd=tmp_path, env=clean_environment
        )
    )
    assert warm == cold
    assert b"True" in warm[1]


def test_what_python_itself_reads_of_the_environment_counts(
    warm_pythons: WarmPythons, clean_environment: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAMS["a warning"])
    for warnings, code in (("error", 1), ("default", 0)):
        environment = {**clean_environment, "PYTHONWARNINGS": warnings}
        ended = warm_pythons.run(str(script), cwd=tmp_path, env=environment, timeout=20)
        assert ended.returncode == code


def test_one_that_is_too_slow_is_ended_and_no_success(
    warm_pythons: WarmPythons, clean_environment: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "program.py"
    script.write_text("import time; time.sleep(60)")
    program = warm_pythons.start(str(script), cwd=tmp_path, env=clean_environment)
    assert program.is_running()
    with pytest.raises(subprocess.TimeoutExpired):
        program.communicate(timeout=0.1)
    assert not program.is_running()
    assert program.returncode == -signal.SIGKILL
