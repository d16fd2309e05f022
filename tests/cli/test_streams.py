"""A standard stream that is closed, full or read no more does not decide how a command ends."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.own_history import HEAD, IDS

from work_data_hub.io.schema import migration_runner

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

REPOSITORY = Path(__file__).parents[2]
WDH = [str(Path(sys.executable).with_name("wdh")), "db"]
ALEMBIC = [str(Path(sys.executable).with_name("alembic"))]
DB_SETUP = [sys.executable, "scripts/db_setup.py"]
LOST = "error: the answer cannot be written: No space left on device\nhint: what was asked is done"


@pytest.fixture
def shell(
    wdh_environment: Callable[..., dict[str, str]], sqlite_url: URL
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command on a SQLite database, with what a shell writes behind it."""

    def run(command: list[str], behind: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", f"{shlex.join(command)} {behind}"],
            cwd=REPOSITORY,
            env=wdh_environment(sqlite_url),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    "command",
    [
        [*WDH, "history"],
        [*WDH, "status", "--json"],
        [*WDH, "completion", "bash"],
        [*WDH, "upgrade"],
        [*WDH, "--help"],
        [*WDH, "upgrade", "--help"],
        [*WDH[:1], "--version"],
        [*DB_SETUP],
        [*DB_SETUP, "--json"],
    ],
    ids=lambda command: " ".join(command[1:]),
)
def test_a_full_disk_loses_the_answer_and_says_so(shell: Any, command: list[str]) -> None:
    said = shell(command, "> /dev/full")
    assert said.returncode == 7
    assert LOST in said.stderr
    assert "Traceback" not in said.stderr


def test_a_script_that_cannot_be_written_whole_is_a_fault_of_two_lines(shell: Any) -> None:
    said = shell([*ALEMBIC, "upgrade", "head", "--sql"], "> /dev/full")
    assert said.returncode == 7
    assert said.stderr.splitlines()[-2:] == [
        "error: the script cannot be written: No space left on device",
        "hint: a part of it may be there: write the whole to another place",
    ]
    assert "Traceback" not in said.stderr


def test_a_reader_of_a_script_that_went_away_has_seen_enough(shell: Any) -> None:
    said = shell([*ALEMBIC, "upgrade", "head", "--sql"], "| (exec 0<&-; sleep 2)")
    assert said.returncode == 0
    assert "error" not in said.stderr.lower()


def test_a_fault_that_cannot_be_written_as_json_is_written_as_text(shell: Any) -> None:
    said = shell([*WDH, "upgrade", "nowhere", "--json"], "> /dev/full")
    assert said.returncode == 3
    assert "nowhere" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&-", "<&- >&- 2>&-", "2> /dev/full"])
@pytest.mark.parametrize(
    "command",
    [[*WDH, "upgrade"], [*DB_SETUP], [*ALEMBIC, "upgrade", "head"]],
    ids=["wdh", "db_setup", "alembic"],
)
def test_a_run_is_what_it_is_without_its_streams(
    shell: Any, sqlite_url: URL, command: list[str], streams: str
) -> None:
    said = shell(command, streams)
    assert said.returncode == 0, said.stderr
    assert "Traceback" not in said.stderr
    assert migration_runner.current(sqlite_url) == (HEAD,)
    journalled = migration_runner.journal(sqlite_url)
    assert [(each.revision, each.outcome) for each in journalled] == [
        (each, "done") for each in IDS
    ]


@pytest.mark.parametrize("streams", ["2>&-", "2> /dev/full"])
@pytest.mark.parametrize(
    "command",
    [[*WDH, "upgrade", "nowhere"], [*ALEMBIC, "upgrade", "nowhere"]],
    ids=["wdh", "alembic"],
)
def test_the_exit_code_says_it_where_nothing_else_can(
    shell: Any, command: list[str], streams: str
) -> None:
    assert shell(command, streams).returncode == 3


def test_nobody_agrees_where_nothing_can_be_typed(shell: Any, sqlite_url: URL) -> None:
    migration_runner.upgrade(sqlite_url)
    said = shell([*WDH, "reset"], "<&-")
    assert said.returncode == 4
    assert "nobody is there to agree to the reset" in said.stderr
    assert migration_runner.current(sqlite_url) == (HEAD,)


def test_a_reader_that_has_seen_enough_changes_no_exit_code(shell: Any, sqlite_url: URL) -> None:
    said = shell([*WDH, "history", "--json"], "| true")
    assert (said.returncode, said.stderr) == (0, "")
    said = shell([*WDH, "status", "--check"], "| true")
    assert (said.returncode, said.stderr) == (1, "")
