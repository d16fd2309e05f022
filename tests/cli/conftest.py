"""The command line as a process, and in this process where a test makes many calls."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.cli.command import main
from work_data_hub.config import get_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.engine import URL
    from tests.warm_python import WarmPythons

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Said:
    """What a call of the command said."""

    exit_code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        """Its JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def _text(url: URL | str) -> str:
    return url if isinstance(url, str) else url.render_as_string(hide_password=False)


@pytest.fixture
def wdh(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Call `wdh db ...` in this process: the verb, its arguments, the database, the project."""

    def call(
        *arguments: str,
        url: URL | str | None = None,
        project: Path = REPOSITORY,
        noun: str = "db",
    ) -> Said:
        monkeypatch.chdir(project)
        monkeypatch.setenv("WDH_CONNECT_WAIT", "0")
        if url is not None:
            monkeypatch.setenv("DATABASE_URL", _text(url))
        get_settings.cache_clear()
        capsys.readouterr()
        exit_code = main([noun, *arguments])
        return Said(exit_code, *capsys.readouterr())

    return call


@pytest.fixture
def wdh_environment(clean_environment: dict[str, str]) -> Callable[..., dict[str, str]]:
    """Make the environment of a process that works on a database."""

    def make(url: URL | str | None = None, **further: str) -> dict[str, str]:
        chosen = {} if url is None else {"DATABASE_URL": _text(url)}
        return {**clean_environment, **chosen, **further}

    return make


@pytest.fixture
def start_program() -> Callable[..., subprocess.Popen[str]]:
    """Start a program and go on beside it, to interrupt it.

    Ctrl-C ends it, also where the shell runs the suite in the background and has it ignored.
    """

    def start(*command: str, cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(
                command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        finally:
            signal.signal(signal.SIGINT, before)

    return start


@pytest.fixture
def wdh_process(
    warm_pythons: WarmPythons, wdh_environment: Callable[..., dict[str, str]]
) -> Callable[..., Said]:
    """Run the real command as a process of its own."""

    def run(
        *arguments: str,
        url: URL | str | None = None,
        cwd: Path = REPOSITORY,
        env: Mapping[str, str] | None = None,
    ) -> Said:
        process = warm_pythons.run(
            str(Path(sys.executable).with_name("wdh")),
            *arguments,
            cwd=cwd,
            env=wdh_environment(url, **(env or {})),
            timeout=120,
        )
        return Said(process.returncode, process.stdout, process.stderr)

    return run
