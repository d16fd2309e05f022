"""The command itself: what it costs, how it fails, how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.own_history import HEAD

from work_data_hub.cli.verb_table import VERBS
from work_data_hub.io.schema import migration_runner

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

HEAVY = {"sqlalchemy", "alembic", "pydantic", "psycopg", "logging", "rich", "shtab", "shutil"}
LOADED = """
import sys
from work_data_hub.cli.command import main
try:
    main(sys.argv[1:])
finally:
    sys.stderr.write("loaded: " + " ".join(sys.modules))
"""


def loaded(environment: dict[str, str], *arguments: str) -> set[str]:
    process = subprocess.run(
        [sys.executable, "-S", "-c", LOADED, *arguments],
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(process.stderr.rpartition("loaded: ")[2].split())


@pytest.mark.parametrize(
    "arguments", [["db", "upgrad"], ["db", "downgrade"], ["db", "stamp", "--what"], ["x"], []]
)
def test_a_usage_error_imports_nothing_heavy(
    wdh_environment: Callable[..., dict[str, str]], arguments: list[str]
) -> None:
    assert not HEAVY & loaded(wdh_environment(), *arguments)


@pytest.mark.parametrize("arguments", [["--help"], ["db", "--help"], ["db", "upgrade", "--help"]])
def test_help_imports_nothing_heavy(
    wdh_environment: Callable[..., dict[str, str]], arguments: list[str]
) -> None:
    assert not HEAVY & loaded(wdh_environment(), *arguments)


@pytest.mark.parametrize("arguments", [["upgrade"], ["heads"]])
def test_nothing_to_do_imports_nothing_heavy(
    wdh_environment: Callable[..., dict[str, str]], database_url: URL, arguments: list[str]
) -> None:
    migration_runner.upgrade(database_url)
    assert not HEAVY & loaded(wdh_environment(database_url), "db", *arguments)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(wdh: Callable[..., Any], verb: str) -> None:
    said = wdh(verb, "--help")
    assert (said.exit_code, said.err) == (0, "")
    assert f"  wdh db {verb}" in said.out or f'"$(wdh db {verb}' in said.out
    assert "--database-url URL" in said.out


def test_a_mistyped_verb_names_the_nearest(wdh: Callable[..., Any]) -> None:
    said = wdh("upgrad")
    assert (said.exit_code, said.out) == (2, "")
    assert said.err == "error: there is no verb 'upgrad'\nhint: did you mean `wdh db upgrade`?\n"


@pytest.mark.parametrize(
    "arguments", [[], ["status", "--database-url", ""], ["heads", "--conf", "x"]]
)
def test_a_wrong_call_is_two_lines(wdh: Callable[..., Any], arguments: list[str]) -> None:
    said = wdh(*arguments)
    assert (said.exit_code, said.out) == (2, "")
    assert [line.split(":")[0] for line in said.err.splitlines()] == ["error", "hint"]


def test_a_usage_error_is_json_where_json_was_asked_for(wdh: Callable[..., Any]) -> None:
    said = wdh("downgrade", "--json")
    assert said.err == ""
    assert (said.data["exit_code"], said.data["ok"]) == (2, False)
    assert "REVISION" in said.data["error"]


def test_the_module_is_the_command(wdh_environment: Callable[..., dict[str, str]]) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "work_data_hub", "db", "heads"],
        env=wdh_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stdout) == (0, f"{HEAD}\n")


def test_a_reader_that_has_seen_enough_is_no_fault(
    wdh_environment: Callable[..., dict[str, str]],
) -> None:
    wdh = Path(sys.executable).with_name("wdh")
    process = subprocess.run(
        ["bash", "-c", f'"{wdh}" db sql | head -c 1; exit "${{PIPESTATUS[0]}}"'],
        env=wdh_environment("sqlite:///x.db"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.parametrize("is_json", [False, True])
def test_ctrl_c_says_what_state_the_database_is_in(
    start_program: Callable[..., subprocess.Popen[str]],
    wdh_environment: Callable[..., dict[str, str]],
    make_history: Callable[..., Path],
    revision_body: Callable[..., Any],
    database_url: URL,
    is_json: bool,
) -> None:
    wait = "print('running', flush=True)\nimport time\ntime.sleep(60)"
    project = make_history([revision_body("pass"), revision_body(wait)])
    command = [str(Path(sys.executable).with_name("wdh")), "db", "upgrade", *["--json"] * is_json]
    process = start_program(*command, cwd=project, env=wdh_environment(database_url))
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    told = out if is_json else err
    assert "interrupted: the upgrade of 20260101_0001 was rolled back" in told
    assert "Traceback" not in err
    ini = project / "alembic.ini"
    assert migration_runner.current(database_url, alembic_ini=ini) == ("20260101_0000",)
