"""Two developers' revisions on one parent are git's conflict; every door keeps the file."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.own_history import FIRST, copy_of_the_first_revision

from work_data_hub.domain.revisions.head_file import NAME, read_heads
from work_data_hub.errors import HistoryError, UsageError
from work_data_hub.io.schema.authoring.new_revision import make_revision
from work_data_hub.io.schema.revisions.files import read_history

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

    Alembic = Callable[..., subprocess.CompletedProcess[str]]

REPOSITORY = Path(__file__).parents[4]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_of_the_first_revision(tmp_path / "project").parent


def said(project: Path) -> tuple[str, ...]:
    return read_heads((project / "io/schema/migrations" / NAME).read_text("utf-8")).heads


def true_heads(project: Path) -> tuple[str, ...]:
    return tuple(sorted(read_history(str(project / "alembic.ini")).heads))


def test_the_shipped_head_file_says_the_shipped_heads() -> None:
    assert said(REPOSITORY) == true_heads(REPOSITORY)


def test_plain_alembic_keeps_it_for_every_command_that_writes(
    project: Path, alembic: Alembic
) -> None:
    for arguments in (
        ("revision", "-m", "one"),
        ("revision", "--head", FIRST, "--splice", "-m", "two"),
        ("merge", "heads", "-m", "join"),
    ):
        process = alembic(*arguments, cwd=project)
        assert process.returncode == 0, process.stderr
        assert said(project) == true_heads(project)


def test_a_project_with_names_of_its_own_gets_one_only_when_it_wants_one(
    tmp_path: Path, alembic: Alembic, sqlite_url: URL
) -> None:
    folder = tmp_path / "bookshop"
    shutil.copytree(REPOSITORY / "examples/bookshop", folder)
    head_file = folder / "migrations" / NAME
    database = {"cwd": folder, "url": sqlite_url}
    assert alembic("upgrade", "head", **database).returncode == 0
    alembic("revision", "--autogenerate", "-m", "a", **database)
    assert not head_file.exists()
    head_file.touch()
    alembic("upgrade", "head", **database)
    assert alembic("revision", "--autogenerate", "-m", "b", **database).returncode == 0
    assert read_heads(head_file.read_text("utf-8")).heads == true_heads(folder)
    (made,) = make_revision("c", alembic_ini=folder / "alembic.ini")
    assert read_heads(head_file.read_text("utf-8")).heads == (made.revision,)


def test_git_reports_two_revisions_on_one_parent_when_it_merges(
    project: Path, alembic: Alembic
) -> None:
    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
        return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)

    git("init", "-b", "main")
    git("add", ".")
    git("commit", "-m", "first")
    git("switch", "-c", "feature")
    alembic("revision", "-m", "mine", "--rev-id", "20260101_0000", cwd=project)
    git("add", ".")
    git("commit", "-m", "mine")
    git("switch", "main")
    alembic("revision", "-m", "theirs", "--rev-id", "20260102_0000", cwd=project)
    git("add", ".")
    git("commit", "-m", "theirs")
    merged = git("merge", "feature")
    assert merged.returncode == 1
    assert f"CONFLICT (content): Merge conflict in io/schema/migrations/{NAME}" in merged.stdout
    text = (project / "io/schema/migrations" / NAME).read_text("utf-8")
    assert read_heads(text).conflict_line == 3
    assert read_heads(text).heads == true_heads(project)


def test_a_new_revision_is_a_value(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ini = project / "alembic.ini"
    (made,) = make_revision("Añadir: orders!", branch_labels=["x"], alembic_ini=ini)
    assert Path(made.path).name == f"{made.revision}_anadir_orders.py"
    assert made.down_revisions == (FIRST,)
    assert said(project) == (made.revision,)
    make_revision("y", head=FIRST, alembic_ini=ini)
    with pytest.raises(HistoryError, match="there are several heads"):
        make_revision("z", alembic_ini=ini)
    assert len(true_heads(project)) == 2
    make_revision("z", head="x@head", alembic_ini=ini)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("message", ["", "  ", "!?", "版本", "x" * 300])
def test_a_message_that_cannot_be_used_changes_nothing(project: Path, message: str) -> None:
    before = sorted(project.rglob("*"))
    with pytest.raises(UsageError) as caught:
        make_revision(message, alembic_ini=project / "alembic.ini")
    assert "\n" not in caught.value.message
    assert sorted(project.rglob("*")) == before


def test_autogenerate_compares_with_the_database_that_is_named(
    project: Path, alembic: Alembic, database_url: URL
) -> None:
    ini = project / "alembic.ini"
    with pytest.raises(Exception, match="not at head"):
        make_revision("more", autogenerate=True, database_url=database_url, alembic_ini=ini)
    assert alembic("upgrade", "head", url=database_url, cwd=project).returncode == 0
    (made,) = make_revision("more", autogenerate=True, database_url=database_url, alembic_ini=ini)
    assert Path(made.path).exists()
