"""verify, new, rebase and init as a person, a hook and a CI job call them."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.own_history import FIRST, VERSIONS, copy_of_the_first_revision

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

REPOSITORY = Path(__file__).parents[3]
REVISION = '"""X."""\nrevision = "{}"\ndown_revision = "{}"\n\n\ndef upgrade():\n    print()\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_of_the_first_revision(tmp_path / "project").parent


@pytest.fixture
def two_heads(project: Path) -> Path:
    for revision, name in (("20260101_0000", "mine"), ("20260101_0001", "theirs")):
        path = project / VERSIONS / f"{revision}_{name}.py"
        path.write_text(REVISION.format(revision, FIRST))
    return project


def test_verify_says_what_is_wrong_for_people_programs_and_github(
    two_heads: Path, wdh: Callable[..., Any]
) -> None:
    sound = wdh("verify")
    assert (sound.exit_code, sound.out) == (0, "nothing is wrong\n")
    assert wdh("verify", "--quiet").out == ""
    wrong = wdh("verify", project=two_heads)
    path = f"{VERSIONS}/20260101_0001_theirs.py"
    assert wrong.exit_code == 1
    assert wrong.out.startswith(f"{path}:1: error: there are several heads: ")
    assert wrong.out.splitlines()[1].endswith("[head-file]")
    found = wdh("verify", "--json", project=two_heads).data
    assert (found["ok"], found["exit_code"], found["database"]) == (False, 1, False)
    assert [each["code"] for each in found["findings"]] == ["several-heads", "head-file"]
    assert "wdh db rebase" in found["findings"][0]["hint"]
    assert f"; {found['findings'][0]['hint']} [several-heads]" in wrong.out
    github = wdh("verify", "--format", "github", project=two_heads)
    assert github.out.startswith(f"::error file={path},line=1,title=several-heads::there are")


def test_verify_says_when_a_run_executes_every_file(project: Path, wdh: Callable[..., Any]) -> None:
    assert wdh("verify", "--json", project=project).data["read_as_text"] is True
    path = project / VERSIONS / "20260101_0000_computed.py"
    path.write_text(REVISION.format("20260101_0000", FIRST) + "\nrevision = revision.strip()\n")
    (project / "io/schema/migrations/heads.txt").unlink()
    said = wdh("verify", project=project)
    assert (said.exit_code, "[computed]" in said.out) == (0, True)
    assert "a run executes every revision file" in said.out.splitlines()[-1]
    assert wdh("verify", "--json", project=project).data["read_as_text"] is False


def test_a_warning_alone_is_no_failure(project: Path, wdh: Callable[..., Any]) -> None:
    path = project / VERSIONS / "20250101_0000_older.py"
    path.write_text(REVISION.format("20250101_0000", FIRST))
    (project / "io/schema/migrations/heads.txt").unlink()
    said = wdh("verify", project=project)
    assert said.exit_code == 0
    assert ": warning: " in said.out


def test_verify_asks_a_database_when_it_is_told_to(
    project: Path, database_url: URL, wdh: Callable[..., Any]
) -> None:
    path = project / VERSIONS / "20260101_0000_x.py"
    path.write_text(REVISION.format("20260101_0000", FIRST))
    (project / "io/schema/migrations/heads.txt").unlink()
    assert wdh("upgrade", url=database_url, project=project).exit_code == 0
    path.write_text(path.read_text().replace("print()", "print(1)"))
    assert wdh("verify", url=database_url, project=project).exit_code == 0
    asked = wdh("verify", "--with-database", "--json", url=database_url, project=project)
    assert asked.exit_code == 1
    (finding,) = asked.data["findings"]
    assert (finding["code"], finding["path"], finding["line"]) == ("edited", str(path), 1)
    # Who looks and who runs says the same of it.
    looked = wdh("status", "--json", url=database_url, project=project)
    assert looked.data["problems"] == [{"kind": "edited", **finding}]
    stopped = wdh("upgrade", "--json", url=database_url, project=project).data
    assert (stopped["error"], stopped["hint"]) == (
        f"{path}:1: {finding['message']}",
        finding["hint"],
    )
    path.write_text("(")
    not_asked = wdh("verify", "--with-database", url=database_url, project=project)
    assert "the database was not asked" in not_asked.out


def test_new_names_the_file_that_it_made(project: Path, wdh: Callable[..., Any]) -> None:
    made = wdh("new", "Add orders!", project=project)
    assert (made.exit_code, made.err) == (0, "")
    path, parent = made.out.strip().split(": on ")
    assert (project / path).is_file()
    assert parent == FIRST
    assert path.endswith("_add_orders.py")
    data = wdh("new", "--branch-label", "x", "more", "--json", project=project).data
    (revision,) = data["revisions"]
    assert revision["path"].endswith(f"{revision['revision']}_more.py")
    forked = wdh("new", "--head", FIRST, "fork", "--quiet", project=project)
    assert Path(forked.out.strip()).is_file()


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["new", "!?"], 2, "at least one letter"),
        (["new", "x" * 300], 2, "the message has 300 characters"),
        (["new", "x"], 3, "there are several heads: 20260101_0000, 20260101_0001"),
        (["new", "x", "--head", "20260101_0009"], 3, "no revision '20260101_0009'"),
        (["rebase"], 2, "no main branch"),
        (["rebase", "20260101_0000"], 4, "nobody is there to agree"),
        (["rebase", "nope"], 2, "no revision 'nope'"),
    ],
)
def test_bad_input_is_two_lines_and_changes_nothing(
    two_heads: Path,
    wdh_process: Callable[..., Any],
    arguments: list[str],
    exit_code: int,
    said: str,
) -> None:
    before = {path: path.read_bytes() for path in (two_heads / "io").rglob("*.*")}
    answer = wdh_process("db", *arguments, cwd=two_heads)
    assert (answer.exit_code, answer.out) == (exit_code, "")
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert {path: path.read_bytes() for path in (two_heads / "io").rglob("*.*")} == before


def test_rebase_shows_what_it_does_and_does_it(
    two_heads: Path, wdh_process: Callable[..., Any]
) -> None:
    done = wdh_process("db", "rebase", "20260101_0000", "--yes", cwd=two_heads)
    assert done.exit_code == 0, done.err
    assert f"20260101_0000: on 20260101_0001 instead of {FIRST}\n" in done.err
    assert f'line 3: "{FIRST}" -> "20260101_0001"\n' in done.err
    assert "heads.txt: will hold the heads\n" in done.err
    assert wdh_process("db", "verify", cwd=two_heads).exit_code == 0
    again = wdh_process("db", "heads", "--quiet", cwd=two_heads).out.strip()
    nothing = wdh_process("db", "rebase", again, "--json", "--yes", cwd=two_heads)
    assert '"moves": []' in nothing.out


@pytest.mark.parametrize(("typed", "exit_code"), [("yes", 0), ("y", 4)])
def test_a_person_agrees_by_typing_yes(
    two_heads: Path, wdh_environment: Callable[..., dict[str, str]], typed: str, exit_code: int
) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, f"{typed}\n".encode())
    wdh = str(Path(sys.executable).with_name("wdh"))
    process = subprocess.run(
        [wdh, "db", "rebase", "20260101_0000"],
        cwd=two_heads,
        env=wdh_environment(),
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(ours)
    os.close(theirs)
    assert process.returncode == exit_code, process.stderr
    assert "Type yes to do it: " in process.stderr
    is_moved = not (two_heads / VERSIONS / "20260101_0000_mine.py").exists()
    assert is_moved == (exit_code == 0)


def test_init_makes_a_project_and_changes_nothing_the_second_time(
    tmp_path: Path, wdh_process: Callable[..., Any]
) -> None:
    project = tmp_path / "mine"
    made = wdh_process("db", "init", str(project), cwd=tmp_path)
    assert (made.exit_code, made.out.count(": new\n")) == (0, 5)
    assert wdh_process("db", "new", "first", cwd=project).exit_code == 0
    url = f"sqlite:///{tmp_path}/x.db"
    assert wdh_process("db", "upgrade", url=url, cwd=project).exit_code == 0
    assert wdh_process("db", "verify", cwd=project).exit_code == 0
    assert "uses the package already" in wdh_process("db", "init", cwd=project).out


def test_verify_imports_neither_alembic_nor_sqlalchemy(
    wdh_environment: Callable[..., dict[str, str]],
) -> None:
    code = (
        "import sys; from work_data_hub.cli.command import main; main(['db', 'verify']);"
        "print([name for name in ('alembic', 'sqlalchemy', 'pydantic') if name in sys.modules])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env=wdh_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout == "nothing is wrong\n[]\n"


def test_the_pre_commit_hook_is_what_pre_commit_wants_and_runs(
    wdh_process: Callable[..., Any],
) -> None:
    text = (REPOSITORY / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    (hook,) = yaml.safe_load(text)
    assert (hook["id"], hook["language"], hook["pass_filenames"]) == ("wdh-verify", "python", False)
    assert {"name", "files"} <= hook.keys()
    command, *arguments = hook["entry"].split()
    assert command == "wdh"
    assert wdh_process(*arguments, cwd=REPOSITORY).exit_code == 0
