"""Two developers, one parent, a real git: one's own revision goes on top of the other's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.own_history import FIRST, VERSIONS, copy_of_the_first_revision

from work_data_hub.errors import HistoryError, RefusedError, UsageError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.authoring.file_changes import FileChange, write_all
from work_data_hub.io.schema.authoring.main_branch import read_main_branch
from work_data_hub.io.schema.authoring.rebase import plan_rebase, rebase
from work_data_hub.io.schema.authoring.verification import verify
from work_data_hub.io.schema.revisions.files import read_history

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

REPOSITORY = Path(__file__).parents[4]
MINE, MORE, THEIRS = "20260101_0000", "20260102_0000", "20260101_0001"
REVISION = '''"""{name}.

Revision ID: {id}
Revises: {parent}
"""
from alembic import op
revision = "{id}"  # kept
down_revision = "{parent}"


def upgrade():
    op.execute("CREATE TABLE {name} (id integer)")


def downgrade():
    op.execute("DROP TABLE {name}")
'''


class Project:
    """A clone of the repository in which developers work."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ini = copy_of_the_first_revision(folder)
        self.head_file = folder / "io/schema/migrations/heads.txt"

    def git(self, *arguments: str) -> int:
        command = ["git", *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, check=False).returncode

    def add(self, revision: str, parent: str, name: str) -> Path:
        path = self.folder / VERSIONS / f"{revision}_{name}.py"
        path.write_text(REVISION.format(id=revision, parent=parent, name=name))
        self.head_file.write_text(f"{revision}\n")
        return path

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        assert self.git("commit", "-m", message) == 0

    def texts(self) -> dict[str, bytes]:
        versions = self.folder / VERSIONS
        return {path.name: path.read_bytes() for path in versions.glob("*.*")}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A feature branch with two revisions, in conflict with main that has another."""
    made = Project(tmp_path / "project")
    made.git("init", "-b", "main")
    made.git("config", "user.name", "A")
    made.git("config", "user.email", "a@b.c")
    made.commit("first")
    made.git("switch", "-c", "feature")
    made.add(MINE, FIRST, "mine")
    made.add(MORE, MINE, "more")
    made.commit("mine")
    made.git("switch", "main")
    made.add(THEIRS, FIRST, "theirs")
    made.commit("theirs")
    made.git("switch", "feature")
    assert made.git("merge", "main") == 1
    return made


def test_ones_own_go_on_top_and_gits_conflict_is_resolved(
    project: Project, database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", ".git")  # as in a hook, where it is relative
    before = project.texts()
    plan = plan_rebase(alembic_ini=project.ini)
    assert project.texts() == before
    assert (plan.main, [move.revision for move in plan.moves]) == ("main", [MINE, MORE])
    rebase(plan)
    assert verify(project.ini) == ()
    history = read_history(str(project.ini))
    first, second = (move.new_revision for move in plan.moves)
    assert history.heads == (second,)
    assert history.revisions[first].down_revisions == (THEIRS,)
    assert history.revisions[second].down_revisions == (first,)
    text = (project.folder / VERSIONS / f"{first}_mine.py").read_text()
    assert text == REVISION.format(id=first, parent=THEIRS, name="mine")
    monkeypatch.delenv("GIT_DIR")
    project.commit("merged")
    assert len(migration_runner.upgrade(database_url, alembic_ini=project.ini).steps) == 4
    again = plan_rebase(alembic_ini=project.ini)
    assert (again.moves, again.changes) == ((), ())


def test_what_the_main_branch_has_is_refused(project: Project) -> None:
    with pytest.raises(RefusedError, match=f"{THEIRS} is in main"):
        plan_rebase([THEIRS], alembic_ini=project.ini)
    with pytest.raises(UsageError, match="no branch 'nope'"):
        plan_rebase(onto="nope", alembic_ini=project.ini)
    project.commit("merged")
    project.git("branch", "-f", "released", "feature")
    with pytest.raises(RefusedError, match="every revision is in released"):
        plan_rebase(onto="released", alembic_ini=project.ini)


def test_what_the_named_database_has_is_refused(project: Project, database_url: URL) -> None:
    url = database_url.render_as_string(hide_password=False)
    migration_runner.upgrade(url, MINE, alembic_ini=project.ini)
    with pytest.raises(RefusedError, match=f"has {MINE} already"):
        plan_rebase(database_url=url, alembic_ini=project.ini)
    migration_runner.downgrade(url, FIRST, alembic_ini=project.ini)
    assert plan_rebase(database_url=url, alembic_ini=project.ini).notes == ()


def test_what_ones_own_database_has_is_taken_back_first(
    project: Project, database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database_url.render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    migration_runner.upgrade(None, MORE, alembic_ini=project.ini)
    plan = plan_rebase(alembic_ini=project.ini)
    assert plan.applied == (MINE, MORE)
    (note,) = plan.notes
    assert f"has {MINE}, {MORE} applied: it is taken back there first" in note
    migration_runner.take_back(plan.applied, alembic_ini=project.ini)
    assert migration_runner.current(alembic_ini=project.ini) == (FIRST,)
    rebase(plan)
    steps = migration_runner.upgrade(alembic_ini=project.ini).steps
    assert steps[0].revision == THEIRS
    assert len(steps) == 3


def test_what_others_built_beside_it_stays_applied(
    project: Project, sqlite_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", sqlite_url.render_as_string())
    migration_runner.upgrade(None, "heads", alembic_ini=project.ini)
    plan = plan_rebase(alembic_ini=project.ini)
    migration_runner.take_back(plan.applied, alembic_ini=project.ini)
    assert migration_runner.current(alembic_ini=project.ini) == (THEIRS,)
    rebase(plan)
    assert len(migration_runner.upgrade(alembic_ini=project.ini).steps) == 2


def test_a_colleagues_revision_that_nobody_has_released_is_not_ones_own(project: Project) -> None:
    project.git("merge", "--abort")
    theirs = project.add("20260103_0000", MORE, "colleague")
    project.git("add", "-A")
    assert project.git("commit", "-m", "colleague's", "--author", "B <b@b.c>") == 0
    project.git("merge", "main")
    with pytest.raises(RefusedError, match="20260103_0000 builds on"):
        plan_rebase(alembic_ini=project.ini)
    text = theirs.read_text()
    theirs.write_text(text.replace(f'"{MORE}"', f'"{THEIRS}"'))
    project.head_file.write_text("20260103_0000\n")
    project.commit("as it would be in a branch of the colleague's")
    plan = plan_rebase(alembic_ini=project.ini)
    assert [move.revision for move in plan.moves] == [MINE, MORE]
    assert plan.moves[0].new_parent == "20260103_0000"
    assert "20260103_0000 stays where it is, it is by B: name it to move it" in plan.notes


@pytest.mark.parametrize("known_as", [("Somebody", "a@b.c"), ("A", "another@b.c")])
def test_one_is_known_by_name_or_address(project: Project, known_as: tuple[str, str]) -> None:
    for what, value in zip(("user.name", "user.email"), known_as, strict=True):
        project.git("config", what, value)
    assert [move.revision for move in plan_rebase(alembic_ini=project.ini).moves] == [MINE, MORE]


def test_where_all_that_is_left_is_a_colleagues_that_is_said(project: Project) -> None:
    project.git("config", "user.name", "C")
    project.git("config", "user.email", "c@b.c")
    with pytest.raises(RefusedError, match="none is yours") as caught:
        plan_rebase(alembic_ini=project.ini)
    assert "by A: name it to move it" in caught.value.hint
    assert len(plan_rebase([MINE, MORE], alembic_ini=project.ini).moves) == 2


def test_a_main_branch_that_is_not_merged_yet_is_said(project: Project) -> None:
    project.git("merge", "--abort")
    plan = plan_rebase(alembic_ini=project.ini)
    assert plan.moves == ()
    assert plan.notes == (f"main has {THEIRS}, which is not here: merge it first",)


def test_without_git_ones_own_are_named(project: Project) -> None:
    shutil.rmtree(project.folder / ".git")
    with pytest.raises(UsageError, match="no main branch"):
        plan_rebase(alembic_ini=project.ini)
    with pytest.raises(RefusedError, match=f"{MORE} builds on {MINE}"):
        plan_rebase([MINE], alembic_ini=project.ini)
    with pytest.raises(UsageError, match="no revision '20260102_0009'"):
        plan_rebase(["20260102_0009"], alembic_ini=project.ini)
    with pytest.raises(UsageError, match="beginning of several"):
        plan_rebase(["2026"], alembic_ini=project.ini)
    rebase(plan_rebase([MINE, "20260102"], alembic_ini=project.ini))
    assert verify(project.ini) == ()


def test_files_that_cannot_be_read_are_not_guessed_at(project: Project) -> None:
    (project.folder / VERSIONS / "20260103_0000_x.py").write_text("revision = (")
    with pytest.raises(HistoryError, match=r"20260103_0000_x\.py:1"):
        plan_rebase(alembic_ini=project.ini)


def test_a_file_that_was_changed_after_the_plan_stops_it(project: Project) -> None:
    plan = plan_rebase(alembic_ini=project.ini)
    path = project.folder / VERSIONS / f"{MORE}_more.py"
    path.write_text(path.read_text() + "# later\n")
    before = project.texts()
    with pytest.raises(RefusedError, match="was changed meanwhile"):
        rebase(plan)
    assert project.texts() == before


def test_all_files_are_written_or_none(tmp_path: Path) -> None:
    first = tmp_path / "a.py"
    first.write_bytes(b"a")
    new, missing = tmp_path / "d.py", tmp_path / "missing" / "e.py"
    renamed = FileChange(first, tmp_path / "c.py", b"a", b"new")
    for fails in (
        FileChange(missing, missing, None, b"cannot be written"),
        FileChange(first, tmp_path / "f.py", b"a", b"its old file is gone by then"),
    ):
        with pytest.raises(UsageError, match="No such file"):
            write_all([renamed, FileChange(new, new, None, b"new"), fails])
        assert [path.name for path in tmp_path.iterdir()] == ["a.py"]
        assert first.read_bytes() == b"a"


def test_revisions_of_a_package_outside_of_the_repository_are_not_ones_own(
    project: Project, tmp_path: Path
) -> None:
    package = tmp_path / "a_package" / "versions"
    package.mkdir(parents=True)
    foreign = package / "20250101_1000_of_the_package.py"
    foreign.write_text('revision = "20250101_1000"\ndown_revision = None\n')
    text = project.ini.read_text().replace(
        "[alembic]",
        "[alembic]\npath_separator = newline\nversion_locations =\n"
        f"  {project.folder / VERSIONS}\n  {package}",
        1,
    )
    lines = [line for line in text.splitlines() if not line.startswith("path_separator = os")]
    project.ini.write_text("\n".join(lines))
    plan = plan_rebase(alembic_ini=project.ini)
    assert [move.revision for move in plan.moves] == [MINE, MORE]
    with pytest.raises(RefusedError):
        plan_rebase(["20250101_1000"], alembic_ini=project.ini)


def test_what_a_killed_rebase_left_is_not_taken_for_more_revisions(project: Project) -> None:
    before = project.texts()
    rebase(plan_rebase(alembic_ini=project.ini))
    for name in (f"{MINE}_mine.py", f"{MORE}_more.py"):
        (project.folder / VERSIONS / name).write_bytes(before[name])
    with pytest.raises(RefusedError, match="the same but for their ids"):
        plan_rebase(alembic_ini=project.ini)


def test_what_git_cannot_give_of_the_main_branch_is_unread(project: Project) -> None:
    # As in a partial clone that cannot fetch: git names the file, and does not have it.
    versions = project.folder / VERSIONS
    whole = read_main_branch([str(versions)], "main")
    assert whole is not None
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "main", "--", VERSIONS],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (entry,) = (line for line in listed.splitlines() if f"/{FIRST}" in line)
    blob = entry.split()[2]
    (project.folder / ".git/objects" / blob[:2] / blob[2:]).unlink()
    found = read_main_branch([str(versions)], "main")
    assert found is not None
    assert found.revisions == whole.revisions - {FIRST}
    assert {Path(path).name[:15] for path in found.unread - whole.unread} == {FIRST}
