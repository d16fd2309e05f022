"""What people look for because `alembic` has it: check, merge, show, edit, --check-heads."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.config.database_url import database_of, with_database
from work_data_hub.io.schema import engine, migration_runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import URL

REPOSITORY = Path(__file__).parents[3]
VERSIONS = Path("io/schema/migrations/versions")
FIRST = "20260101_0000"
TABLES = """
import sqlalchemy as sa
from alembic import context
from work_data_hub.io.schema.environment import run
metadata = sa.MetaData()
sa.Table("orders", metadata, sa.Column("id", sa.Integer, primary_key=True){more})
run(context, target_metadata=metadata)
"""


@pytest.fixture
def absent_url(database_url: URL, tmp_path: Path) -> Iterator[URL]:
    """The URL of a database that is not there."""
    if (file := engine.sqlite_file(database_url)) is not None:
        yield database_url.set(database=str(file.parent / "not" / "there.db"))
        return
    url = with_database(database_url, f"{database_of(database_url)}_absent")
    yield url
    with engine.connect(database_url) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{url.database}"')


@pytest.fixture
def project(make_history: Callable[..., Path], revision_body: Callable[..., Any]) -> Path:
    table = "op.create_table('orders', sa.Column('id', sa.Integer, primary_key=True))"
    return make_history([revision_body(table, "op.drop_table('orders')")])


def add_head(project: Path, revision: str, parent: str = FIRST) -> None:
    (project / VERSIONS / f"{revision}_more.py").write_text(
        f'"""More.\n\nAll of it."""\nrevision = "{revision}"\ndown_revision = "{parent}"\n\n\n'
        "def upgrade() -> None:\n    pass\n\n\ndef downgrade() -> None:\n    pass\n"
    )


def test_a_database_that_is_not_there_is_created_and_can_be_filled(
    wdh: Callable[..., Any], absent_url: URL
) -> None:
    refused = wdh("upgrade", url=absent_url)
    assert refused.exit_code == 7
    assert "`wdh db create`" in refused.err
    assert "server runs" not in refused.err
    made = wdh("create", "--json", url=absent_url)
    assert (made.exit_code, made.data["created"]) == (0, True)
    assert wdh("status", url=absent_url).exit_code == 0
    again = wdh("create", url=absent_url)
    assert again.out.endswith(": is there already\n")
    assert wdh("upgrade", url=absent_url).exit_code == 0


def test_a_server_that_does_not_run_is_not_said_to_lack_a_database(wdh: Callable[..., Any]) -> None:
    said = wdh("create", url="postgresql://hub:hunter2@127.0.0.1:1/hub")
    assert said.exit_code == 7
    assert "check that the server runs" in said.err
    assert "hunter2" not in said.err


def test_a_wrong_user_is_not_said_to_lack_a_database(
    wdh: Callable[..., Any], postgresql_url: URL
) -> None:
    said = wdh("status", url=postgresql_url.set(username="nobody", password="x"))
    assert said.exit_code == 7
    assert "wdh db create" not in said.err


def test_check_says_what_autogenerate_would_find(
    wdh: Callable[..., Any], project: Path, database_url: URL
) -> None:
    env = project / VERSIONS.parent / "env.py"
    env.write_text(TABLES.format(more=""))
    behind = wdh("check", url=database_url, project=project)
    assert behind.exit_code == 1
    assert "not at head" in behind.err
    assert wdh("upgrade", url=database_url, project=project).exit_code == 0
    same = wdh("check", url=database_url, project=project)
    assert (same.exit_code, same.err) == (0, "")
    env.write_text(TABLES.format(more=', sa.Column("price", sa.Integer)'))
    differs = wdh("check", url=database_url, project=project)
    assert differs.exit_code == 1
    assert differs.out.startswith("add column: orders.price\n")
    found = wdh("check", "--json", url=database_url, project=project).data
    assert (found["ok"], found["differences"]) == (False, ["add column: orders.price"])


def test_check_without_tables_says_where_they_belong(
    wdh: Callable[..., Any], project: Path, sqlite_url: URL
) -> None:
    said = wdh("check", url=sqlite_url, project=project)
    assert said.exit_code == 2
    assert "target_metadata" in said.err


def test_merge_joins_the_heads(wdh: Callable[..., Any], project: Path, database_url: URL) -> None:
    assert wdh("merge", project=project).out == "there is nothing to merge\n"
    add_head(project, "20260102_0000")
    add_head(project, "20260102_0001")
    assert wdh("upgrade", url=database_url, project=project).exit_code == 3
    made = wdh("merge", "--json", project=project).data["revisions"]
    assert [each["down_revisions"] for each in made] == [["20260102_0000", "20260102_0001"]]
    text = Path(made[0]["path"]).read_text()
    assert '"""merge 20260102_0000 and 20260102_0001.\n' in text
    assert "import op" not in text  # it does nothing
    assert wdh("heads", project=project).out == f"{made[0]['revision']}\n"
    assert wdh("verify", project=project).exit_code == 0
    assert wdh("upgrade", url=database_url, project=project).exit_code == 0
    assert wdh("merge", project=project).out == "there is nothing to merge\n"


def test_merge_refuses_what_others_build_on(wdh: Callable[..., Any], project: Path) -> None:
    add_head(project, "20260102_0000")
    said = wdh("merge", FIRST, "20260102_0000", "-m", "x", project=project)
    assert said.exit_code in {2, 3}
    assert said.err.count("\n") == 2
    assert wdh("merge", "nosuch", "20260102_0000", project=project).exit_code == 3


def test_show_shows_the_whole_docstring(
    wdh: Callable[..., Any], project: Path, database_url: URL
) -> None:
    add_head(project, "20260102_0000")
    head = wdh("show", project=project)
    assert head.exit_code == 0
    assert "20260102_0000 (head)" in head.out
    assert "All of it." in head.out
    assert str(VERSIONS) in head.out
    assert wdh("show", "current", url=database_url, project=project).out == "there is no revision\n"
    migration_runner.upgrade(database_url, FIRST, alembic_ini=project / "alembic.ini")
    data = wdh("show", "current", "--json", url=database_url, project=project).data
    assert [each["revision"] for each in data["revisions"]] == [FIRST]
    assert wdh("show", "nosuch", project=project).exit_code == 3


def test_edit_opens_the_file_in_the_editor(
    wdh: Callable[..., Any], project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "# seen" >> "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    said = wdh("edit", "20260101", project=project)
    assert said.exit_code == 0
    assert Path(said.out.strip()).read_text().endswith("# seen\n")
    editor.write_text("#!/bin/sh\nexit 3\n")
    failed = wdh("edit", project=project)
    assert failed.exit_code == 7
    assert "EDITOR=nano" in failed.err


def test_current_check_heads_answers_by_its_exit_code(
    wdh: Callable[..., Any], project: Path, database_url: URL
) -> None:
    behind = wdh("current", "--check-heads", url=database_url, project=project)
    assert behind.exit_code == 1
    assert behind.out == f"base (no revision)\nnot at head: {FIRST}\n"
    migration_runner.upgrade(database_url, alembic_ini=project / "alembic.ini")
    there = wdh("current", "--check-heads", "--json", url=database_url, project=project)
    assert there.exit_code == 0
    assert (there.data["revisions"], there.data["heads"]) == ([FIRST], [FIRST])
    assert there.data["is_at_heads"] is True


def test_a_new_revision_imports_op(wdh: Callable[..., Any], project: Path) -> None:
    path = Path(wdh("new", "more of it", "--quiet", project=project).out.strip())
    assert "\nfrom alembic import op\n" in path.read_text()


def test_the_hints_of_verify_hold_where_there_is_no_main_branch(
    wdh: Callable[..., Any], project: Path
) -> None:
    git = shutil.which("git")
    assert git is not None
    heads = project / VERSIONS.parent / "heads.txt"
    heads.write_text("20200101_0000\n")
    alone = wdh("verify", project=project).out
    assert "wdh db rebase" not in alone
    assert "write the heads there" in alone
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "x"]):
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run([git, *identity, *words], cwd=project, check=True)
    assert "`wdh db rebase` mends it" in wdh("verify", project=project).out
    assert wdh("rebase", "--yes", project=project).exit_code == 0
    assert wdh("verify", project=project).exit_code == 0
