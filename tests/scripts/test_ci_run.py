"""What CI runs, with stand-ins for the programs that it calls."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).parents[2]
# What a shim of pyenv does for a version that is installed and not selected.
NOT_SELECTED = "echo 'pyenv: command not found' >&2; exit 127"


@pytest.fixture
def run_ci(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `.ci/run` with these programs, each the text of a script, and no others."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(REPOSITORY / ".ci" / "run", tmp_path / ".ci")
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    found = tmp_path / "bin"
    found.mkdir()
    for name in ("bash", "dirname", "sed"):
        (found / name).symlink_to(str(shutil.which(name)))

    def write(path: Path, body: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/usr/bin/env bash\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def run(**programs: str) -> subprocess.CompletedProcess[str]:
        write(tmp_path / ".venv" / "bin" / "python", "echo python3.11")
        for name, body in {"make": 'echo "make $*"', **programs}.items():
            write(found / name, body)
        return subprocess.run(
            [tmp_path / ".ci" / "run"],
            env={"PATH": str(found)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_quick_half_runs_on_every_other_python_that_works(
    run_ci: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    pythons = {"python3.11": "", "python3.12": "", "python3.13": NOT_SELECTED}
    done = run_ci(git="", pgbouncer="", **pythons)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "make lint",
        "make test",
        "the whole suite ran on python3.11",
        "make quick CONSTRAINTS=constraints-oldest.txt VENV=.venv-oldest",
        "the quick half of it ran on the oldest versions that are allowed",
        "make quick PYTHON=python3.12 VENV=.venv-python3.12",
        "the quick half of it ran on python3.12",
        "nothing ran on python3.13, which is not here",
    ]


@pytest.mark.parametrize("broken", ["lint", "test", "quick"])
def test_what_fails_ends_it(
    run_ci: Callable[..., subprocess.CompletedProcess[str]], broken: str
) -> None:
    make = f'test "$1" != {broken}'
    done = run_ci(git="", pgbouncer="", make=make, **{"python3.12": ""})
    assert done.returncode == 1


def test_pgbouncer_is_installed_where_it_can_be(
    run_ci: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = run_ci(git="", **{"apt-get": 'echo "apt-get $*"'})
    assert "--no-install-recommends install pgbouncer" in done.stdout
    assert "install git" not in done.stdout


@pytest.mark.parametrize("apt", [{}, {"apt-get": "exit 100"}], ids=["no apt", "no packages"])
def test_pgbouncer_may_be_missing_and_git_may_not(
    run_ci: Callable[..., subprocess.CompletedProcess[str]], apt: dict[str, str], tmp_path: Path
) -> None:
    without_git = run_ci(pgbouncer="", **apt)
    assert (without_git.returncode != 0, "make" in without_git.stdout) == (True, False)
    (tmp_path / "bin" / "pgbouncer").unlink()
    assert run_ci(git="", **apt).returncode == 0
