"""What one applied oneself is taken back as it was applied, and applied as it is now."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.config import get_settings
from work_data_hub.errors import HistoryError, MigrationFailedError, RefusedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.record import framework_tables
from work_data_hub.io.schema.revisions.applied_texts import AppliedTexts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

FIRST, SECOND, THIRD = "20260101_0000", "20260101_0001", "20260101_0002"


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's state, of each test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def project(make_history: Callable[..., Path], revision_body: Any) -> Path:
    """Three revisions, each of which makes a table."""
    return make_history(
        [
            revision_body(
                f"op.create_table('{name}', sa.Column('id', sa.Integer))",
                f"op.drop_table('{name}')",
            )
            for name in ("one", "two", "three")
        ]
    )


def file_of(project: Path, revision: str) -> Path:
    (path,) = (project / "io/schema/migrations/versions").glob(f"{revision}_*.py")
    return path


def edit(project: Path, revision: str, old: str, new: str) -> None:
    path = file_of(project, revision)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def tables(url: URL) -> set[str]:
    with connect(url) as connection:
        names = {*sa.inspect(connection).get_table_names()}
    return {name for name in names if not name.startswith(("alembic_", "work_data_hub_"))}


def upgrade(project: Path, url: URL, revision: str = "head") -> None:
    migration_runner.upgrade(url, revision, alembic_ini=project / "alembic.ini")


def redo(project: Path, url: URL, revision: str | None = None) -> list[str]:
    result = migration_runner.redo(url, revision, alembic_ini=project / "alembic.ini")
    assert result.after == migration_runner.current(url, alembic_ini=project / "alembic.ini")
    return [f"{step.direction} {step.revision}" for step in result.steps]


def test_a_redo_takes_back_what_was_applied_and_applies_what_the_file_says_now(
    project: Path, database_url: URL
) -> None:
    upgrade(project, database_url)
    edit(project, THIRD, "'three'", "'drei'")
    assert redo(project, database_url) == [f"downgrade {THIRD}", f"upgrade {THIRD}"]
    assert tables(database_url) == {"one", "two", "drei"}
    upgrade(project, database_url)  # nothing is wrong any more


def test_a_redo_of_a_lower_revision_takes_all_that_builds_on_it(
    project: Path, database_url: URL
) -> None:
    upgrade(project, database_url)
    edit(project, SECOND, "'two'", "'zwei'")
    assert redo(project, database_url, SECOND) == [
        f"downgrade {THIRD}",
        f"downgrade {SECOND}",
        f"upgrade {SECOND}",
        f"upgrade {THIRD}",
    ]
    assert tables(database_url) == {"one", "zwei", "three"}


@pytest.mark.parametrize("revision", [THIRD, "20260101_000003"])
def test_of_a_history_with_two_bases_either_is_redone_and_the_other_left_alone(
    project: Path, database_url: URL, revision: str
) -> None:
    text = file_of(project, THIRD).read_text(encoding="utf-8").replace("'three'", "'other'")
    text = text.replace(f'"{THIRD}"', '"20260101_000003"').replace(f'"{SECOND}"', "None")
    file_of(project, THIRD).with_name("20260101_000003_other.py").write_text(text, encoding="utf-8")
    upgrade(project, database_url, "heads")
    assert redo(project, database_url, revision) == [f"downgrade {revision}", f"upgrade {revision}"]
    assert tables(database_url) == {"one", "two", "three", "other"}


def test_a_downgrade_of_an_edited_revision_undoes_what_was_applied(
    project: Path, database_url: URL
) -> None:
    upgrade(project, database_url)
    edit(project, THIRD, "'three'", "'drei'")
    migration_runner.downgrade(database_url, alembic_ini=project / "alembic.ini")
    assert tables(database_url) == {"one", "two"}
    upgrade(project, database_url)
    assert tables(database_url) == {"one", "two", "drei"}
    (*_, down, _) = migration_runner.journal(database_url, alembic_ini=project / "alembic.ini")
    applied = migration_runner.journal(database_url, alembic_ini=project / "alembic.ini")[2]
    assert (down.direction, down.digest) == ("downgrade", applied.digest)


def test_a_downgrade_is_not_stopped_by_an_edit_below_it(project: Path, database_url: URL) -> None:
    upgrade(project, database_url)
    edit(project, SECOND, "'two'", "'zwei'")
    migration_runner.downgrade(database_url, alembic_ini=project / "alembic.ini")
    migration_runner.downgrade(database_url, alembic_ini=project / "alembic.ini")
    assert tables(database_url) == {"one"}


def test_a_revision_that_was_put_on_another_one_goes_back_to_where_it_was_applied(
    project: Path, database_url: URL
) -> None:
    """Its file names a parent that this database never had."""
    upgrade(project, database_url, SECOND)
    third = file_of(project, THIRD)
    between = third.with_name("20260101_000003_between.py")
    shutil.copy(third, between)
    for path, old, new in (
        (between, f'"{THIRD}"', '"20260101_000003"'),
        (between, f'"{SECOND}"', f'"{FIRST}"'),
        (between, "'three'", "'between'"),
        (file_of(project, SECOND), f'"{FIRST}"', '"20260101_000003"'),
    ):
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
    migration_runner.downgrade(database_url, alembic_ini=project / "alembic.ini")
    assert migration_runner.current(database_url, alembic_ini=project / "alembic.ini") == (FIRST,)
    upgrade(project, database_url)
    assert tables(database_url) == {"one", "two", "three", "between"}


def test_where_the_applied_text_is_gone_the_file_is_used_and_that_is_said(
    project: Path,
    database_url: URL,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    upgrade(project, database_url)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    edit(project, THIRD, "def upgrade() -> None:\n", "def upgrade() -> None:\n    print('more')\n")
    with caplog.at_level(logging.WARNING):
        redo(project, database_url)
    assert f"{THIRD} was edited" in caplog.text
    assert "not kept on this machine" in caplog.text


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_staging_and_prod_stay_as_strict_as_they_are(
    project: Path, postgresql_url: URL, monkeypatch: pytest.MonkeyPatch, environment: str
) -> None:
    monkeypatch.setenv("ENVIRONMENT", environment)
    get_settings.cache_clear()
    upgrade(project, postgresql_url)
    with pytest.raises(RefusedError, match="a redo is for databases of dev and of tests"):
        redo(project, postgresql_url)
    edit(project, THIRD, "'three'", "'drei'")
    ini = project / "alembic.ini"
    with pytest.raises(HistoryError, match="was edited after it was applied") as caught:
        migration_runner.downgrade(postgresql_url, confirm=postgresql_url.database, alembic_ini=ini)
    assert "redo" not in caught.value.hint
    file_of(project, THIRD).unlink()
    with pytest.raises(RefusedError, match="taking back a revision whose file is gone"):
        migration_runner.plan_lost(postgresql_url, alembic_ini=ini)
    assert tables(postgresql_url) == {"one", "two", "three"}
    assert not any(
        AppliedTexts().find(entry.digest or "")
        for entry in migration_runner.journal(postgresql_url, alembic_ini=ini)
    )


def test_a_redo_that_fails_says_where_the_database_is(project: Path, database_url: URL) -> None:
    upgrade(project, database_url)
    edit(project, THIRD, "op.create_table('three'", "op.create_table('one'")
    with pytest.raises(MigrationFailedError) as caught:
        redo(project, database_url)
    assert caught.value.failed == THIRD
    assert tables(database_url) == {"one", "two"}
    assert migration_runner.current(database_url, alembic_ini=project / "alembic.ini") == (SECOND,)


def test_nothing_and_what_is_not_applied_are_not_redone(project: Path, database_url: URL) -> None:
    with pytest.raises(HistoryError, match="nothing is applied"):
        redo(project, database_url)
    upgrade(project, database_url, SECOND)
    for wanted, why in ((THIRD, "is not applied"), ("nowhere", "there is no revision")):
        with pytest.raises(HistoryError, match=why):
            redo(project, database_url, wanted)


def lose(project: Path, *revisions: str) -> None:
    for revision in revisions:
        file_of(project, revision).unlink()


def take_back_lost(project: Path, url: URL) -> list[str]:
    ini = project / "alembic.ini"
    plan = migration_runner.plan_lost(url, alembic_ini=ini)
    migration_runner.take_back_lost(plan, url, alembic_ini=ini)
    return [each.found for each in plan.revisions]


def test_revisions_whose_files_are_gone_are_taken_back_by_the_text_that_was_applied(
    project: Path, database_url: URL
) -> None:
    upgrade(project, database_url)
    lose(project, SECOND, THIRD)
    with pytest.raises(HistoryError, match=f"at revision {THIRD}, which") as caught:
        upgrade(project, database_url)
    assert "wdh db downgrade --lost" in caught.value.hint
    assert take_back_lost(project, database_url) == ["kept on this machine when it was applied"] * 2
    assert tables(database_url) == {"one"}
    upgrade(project, database_url)
    assert take_back_lost(project, database_url) == []


def test_what_a_lost_revision_depends_on_is_taken_back_with_it(
    project: Path, database_url: URL
) -> None:
    other = file_of(project, THIRD).with_name("20260101_000003_other.py")
    text = file_of(project, THIRD).read_text(encoding="utf-8").replace("'three'", "'other'")
    text = text.replace(f'"{THIRD}"', '"20260101_000003"').replace(f'"{SECOND}"', "None")
    other.write_text(text, encoding="utf-8")
    edit(project, THIRD, f'"{SECOND}"\n', f'"{SECOND}"\ndepends_on = "20260101_000003"\n')
    upgrade(project, database_url, "heads")
    lose(project, THIRD, "20260101_000003")
    take_back_lost(project, database_url)
    assert tables(database_url) == {"one", "two"}
    assert migration_runner.current(database_url, alembic_ini=project / "alembic.ini") == (SECOND,)


def git(folder: Path, *arguments: str) -> str:
    who = {
        f"GIT_{role}_{what}": "a@b.c"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    command = ["git", "-C", str(folder), "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(
        command, env={**os.environ, **who}, check=True, capture_output=True, text=True
    ).stdout


def on_another_branch(project: Path) -> None:
    """Commit the last revision on a branch of its own, and switch back."""
    third = file_of(project, THIRD)
    text = third.read_bytes()
    third.unlink()
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "main")
    git(project, "switch", "--quiet", "--create", "feature/three")
    third.write_bytes(text)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "three")


def test_the_text_is_found_in_the_branch_that_has_it(
    project: Path, database_url: URL, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on_another_branch(project)
    upgrade(project, database_url)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    git(project, "switch", "--quiet", "main")
    with pytest.raises(HistoryError) as caught:
        upgrade(project, database_url)
    assert "switch to feature/three, which has it" in caught.value.hint
    (problem,) = migration_runner.status(database_url, alembic_ini=project / "alembic.ini").problems
    assert problem.hint == caught.value.hint
    (found,) = take_back_lost(project, database_url)
    assert "_step_2.py in commit " in found
    assert tables(database_url) == {"one", "two"}


def test_another_text_of_git_is_not_taken_for_the_one_that_was_applied(
    project: Path, database_url: URL, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    upgrade(project, database_url)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    edit(project, THIRD, "op.drop_table('three')", "op.drop_table('one')")
    on_another_branch(project)
    git(project, "switch", "--quiet", "main")
    with pytest.raises(HistoryError, match="git has other texts of it alone") as caught:
        take_back_lost(project, database_url)
    assert "wdh db reset" in caught.value.hint
    assert tables(database_url) == {"one", "two", "three"}


def test_a_text_that_others_could_have_written_is_not_run(
    project: Path, database_url: URL, state_folder: Path
) -> None:
    upgrade(project, database_url)
    *_, last = migration_runner.journal(database_url, alembic_ini=project / "alembic.ini")
    (kept,) = state_folder.rglob(f"{last.digest}.py")
    assert AppliedTexts().find(str(last.digest)) == kept.read_bytes()
    kept.chmod(0o666)
    assert AppliedTexts().find(str(last.digest)) is None
    kept.chmod(0o600)
    kept.write_text("print('something else')", encoding="utf-8")
    assert AppliedTexts().find(str(last.digest)) is None


def test_what_was_adopted_is_taken_back_as_it_was_then(
    project: Path, database_url: URL, state_folder: Path
) -> None:
    upgrade(project, database_url)
    with connect(database_url) as connection, connection.begin():
        for name in framework_tables.NAMES:
            connection.exec_driver_sql(f"DROP TABLE {name}")
    shutil.rmtree(state_folder)
    upgrade(project, database_url)
    edit(project, THIRD, "'three'", "'drei'")
    migration_runner.downgrade(database_url, alembic_ini=project / "alembic.ini")
    assert tables(database_url) == {"one", "two"}


def test_what_was_accepted_is_taken_back_as_it_was_then(project: Path, database_url: URL) -> None:
    ini = project / "alembic.ini"
    upgrade(project, database_url)
    edit(project, THIRD, "op.drop_table('three')", "op.execute('DROP TABLE three')")
    migration_runner.upgrade(database_url, accept=[THIRD], alembic_ini=ini)
    edit(project, THIRD, "DROP TABLE three", "DROP TABLE one")
    migration_runner.downgrade(database_url, alembic_ini=ini)
    assert tables(database_url) == {"one", "two"}


@pytest.mark.parametrize("state", ["", "relative", "/proc/nowhere"])
def test_a_user_without_a_place_for_texts_runs_all_the_same(
    project: Path, database_url: URL, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    def nobody(_: object) -> None:
        raise KeyError

    monkeypatch.setenv("XDG_STATE_HOME", state)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", nobody)
    upgrade(project, database_url)
    assert redo(project, database_url) == [f"downgrade {THIRD}", f"upgrade {THIRD}"]


def test_a_test_database_leaves_nothing_behind(
    project: Path, database_url: URL, state_folder: Path
) -> None:
    ini = project / "alembic.ini"
    migration_runner.upgrade(database_url, ephemeral=True, alembic_ini=ini)
    assert not state_folder.exists()
    edit(project, THIRD, "op.drop_table('three')", "op.execute('DROP TABLE three')")
    assert redo(project, database_url) == [f"downgrade {THIRD}", f"upgrade {THIRD}"]
