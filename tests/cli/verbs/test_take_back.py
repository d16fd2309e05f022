"""A working day on one's own database: edited, redone, lost and found again, by the hints alone."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

TABLE = "op.create_table('{0}', sa.Column('id', sa.Integer))"


@pytest.fixture
def project(make_history: Callable[..., Path], revision_body: Any) -> Path:
    return make_history(
        [revision_body(TABLE.format(name), f"op.drop_table('{name}')") for name in ("one", "two")]
    )


@pytest.fixture
def newest(project: Path) -> Path:
    (path,) = (project / "io/schema/migrations/versions").glob("20260101_0001_*.py")
    return path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def commands_in(hint: str) -> list[list[str]]:
    """Return the verbs and arguments of the commands that a hint names."""
    return [shlex.split(command) for command in re.findall(r"`wdh db ([^`]+)`", hint)]


def test_every_way_out_of_an_edited_revision_works_where_it_is_named(
    wdh: Callable[..., Any], project: Path, newest: Path, make_url: Callable[[], URL]
) -> None:
    was = newest.read_bytes()
    for number in (0, 1):
        url = make_url()
        newest.write_bytes(was)
        assert wdh("upgrade", url=url, project=project).exit_code == 0
        edit(newest, "'two'", "'zwei'")
        stopped = wdh("upgrade", url=url, project=project)
        assert stopped.exit_code == 3
        named = commands_in(stopped.err)
        assert [verb for verb, *_ in named] == ["redo", "upgrade"]
        assert wdh(*named[number], url=url, project=project).exit_code == 0
        assert wdh("status", "--check", url=url, project=project).exit_code == 0


def test_a_redo_says_what_it_did(wdh: Callable[..., Any], project: Path, database_url: URL) -> None:
    wdh("upgrade", url=database_url, project=project)
    said = wdh("redo", "--json", url=database_url, project=project)
    assert [(step["direction"], step["revision"]) for step in said.data["steps"]] == [
        ("downgrade", "20260101_0001"),
        ("upgrade", "20260101_0001"),
    ]
    assert wdh("redo", url=database_url, project=project).out.endswith("0001: 2 steps\n")


def test_a_downgrade_of_an_edited_revision_says_that_it_is_taken_back_as_it_was_applied(
    wdh_process: Callable[..., Any], project: Path, newest: Path, sqlite_url: URL
) -> None:
    wdh_process("db", "upgrade", url=sqlite_url, cwd=project)
    edit(newest, "'two'", "'zwei'")
    said = wdh_process("db", "downgrade", "-1", url=sqlite_url, cwd=project)
    assert said.exit_code == 0
    assert "20260101_0001 is taken back as it was applied" in said.err


def test_a_lost_revision_is_shown_agreed_to_and_taken_back(
    wdh: Callable[..., Any], project: Path, newest: Path, database_url: URL
) -> None:
    wdh("upgrade", url=database_url, project=project)
    newest.unlink()
    stopped = wdh("upgrade", url=database_url, project=project)
    assert stopped.exit_code == 3
    lost = ["downgrade", "--lost"]
    assert lost in commands_in(stopped.err)
    nobody = wdh(*lost, url=database_url, project=project)
    assert (nobody.exit_code, "nobody is there to agree" in nobody.err) == (4, True)
    assert "    op.drop_table('two')" in nobody.err.replace("        ", "    ")
    done = wdh(*lost, "--yes", url=database_url, project=project)
    assert (done.exit_code, done.out.endswith("is at 20260101_0000: 1 step\n")) == (0, True)
    again = wdh(*lost, "--yes", "--json", url=database_url, project=project)
    assert (again.exit_code, again.data["lost"]) == (0, [])


def test_downgrade_needs_to_know_where_to(wdh: Callable[..., Any], sqlite_url: URL) -> None:
    for arguments, why in (
        ((), "downgrade needs a REVISION"),
        (("--lost", "base"), "do not go together"),
    ):
        said = wdh("downgrade", *arguments, url=sqlite_url)
        assert (said.exit_code, why in said.err) == (2, True)


def test_a_rebase_takes_back_first_and_the_next_upgrade_works(
    wdh: Callable[..., Any], project: Path, newest: Path, database_url: URL
) -> None:
    wdh("upgrade", url=database_url, project=project)
    theirs = newest.with_name("20260101_000002_theirs.py")
    text = newest.read_text(encoding="utf-8").replace("'two'", "'theirs'")
    theirs.write_text(text.replace('"20260101_0001"', '"20260101_000002"'), encoding="utf-8")
    said = wdh("rebase", "20260101_0001", "--yes", "--json", url=database_url, project=project)
    assert (said.exit_code, said.data["taken_back"]) == (0, ["20260101_0001"])
    upgraded = wdh("upgrade", "--json", url=database_url, project=project)
    assert upgraded.data["steps"][0]["revision"] == "20260101_000002"
    assert len(upgraded.data["steps"]) == 2


def test_a_rebase_that_cannot_take_back_writes_nothing(
    wdh: Callable[..., Any], project: Path, newest: Path, database_url: URL
) -> None:
    edit(newest, "op.drop_table('two')", "op.drop_table('nowhere')")
    wdh("upgrade", url=database_url, project=project)
    theirs = newest.with_name("20260101_000002_theirs.py")
    text = newest.read_text(encoding="utf-8")
    theirs.write_text(text.replace('"20260101_0001"', '"20260101_000002"'), encoding="utf-8")
    before = {path.name for path in newest.parent.glob("*.py")}
    said = wdh("rebase", "20260101_0001", "--yes", url=database_url, project=project)
    assert said.exit_code == 6
    assert "downgrade 20260101_0001 failed" in said.err
    assert {path.name for path in newest.parent.glob("*.py")} == before
