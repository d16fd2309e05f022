"""What is wrong is said in one line, with a hint and a stable exit code; nothing is changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.errors import HistoryError
from work_data_hub.io.schema import engine, migration_runner

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

VERSIONS = Path("io/schema/migrations/versions")
CHANGING = [["upgrade"], ["downgrade", "base"], ["stamp", "head"]]


@pytest.fixture
def project(make_history: Callable[..., Path], revision_body: Callable[..., Any]) -> Path:
    """Three revisions: 20260101_0000 to _0002."""
    return make_history(
        [
            revision_body(
                f"op.create_table('t{number}', sa.Column('id', sa.Integer))",
                f"op.drop_table('t{number}')",
            )
            for number in range(3)
        ]
    )


def add(project: Path, name: str, revision: str, parent: str | None) -> Path:
    file = project / VERSIONS / name
    file.write_text(
        f'"""Added."""\nrevision = {revision!r}\ndown_revision = {parent!r}\n\n\n'
        "def upgrade() -> None:\n    pass\n\n\ndef downgrade() -> None:\n    pass\n",
        encoding="utf-8",
    )
    return file


def tables(url: URL) -> list[str]:
    if not engine.exists(url):
        return []
    with engine.connect(url, read_only=True) as connection:
        return sorted(sa.inspect(connection).get_table_names())


def assert_refused(said: Any, exit_code: int, message: str, hint: str) -> None:
    assert said.out == ""
    error, advice = said.err.splitlines()
    assert error.startswith("error: ")
    assert advice.startswith("hint: ")
    assert message in error
    assert hint in advice
    assert said.exit_code == exit_code


@pytest.mark.parametrize("verb", ["upgrade", "downgrade", "stamp"])
def test_an_unknown_revision_names_the_nearest(
    wdh: Callable[..., Any], project: Path, database_url: URL, verb: str
) -> None:
    said = wdh(verb, "20260101_0003", url=database_url, project=project)
    assert_refused(said, 3, "there is no revision '20260101_0003'", "did you mean 20260101_000")
    assert tables(database_url) == []


def test_an_ambiguous_beginning_names_all_that_it_may_mean(
    wdh: Callable[..., Any], project: Path, database_url: URL
) -> None:
    said = wdh("upgrade", "20260101", url=database_url, project=project)
    assert_refused(said, 3, "20260101_0000, 20260101_0001, 20260101_0002", "write more of it")
    assert tables(database_url) == []


def test_several_heads_are_named(wdh: Callable[..., Any], project: Path, database_url: URL) -> None:
    add(project, "other.py", "other", "20260101_0001")
    said = wdh("upgrade", url=database_url, project=project)
    assert_refused(said, 3, "several heads: 20260101_0002, other", "merge")
    assert tables(database_url) == []
    checked = wdh("status", "--check", url=database_url, project=project)
    assert checked.exit_code == 1
    assert "several heads" in checked.out
    assert wdh("upgrade", "heads", url=database_url, project=project).exit_code == 0


@pytest.mark.parametrize("arguments", [*CHANGING, ["status"], ["history"], ["heads"]])
def test_a_file_that_is_not_python_is_named_with_its_line(
    wdh: Callable[..., Any], project: Path, database_url: URL, arguments: list[str]
) -> None:
    file = add(project, "broken.py", "broken", "20260101_0002")
    file.write_text("revision = 'x'\ndef upgrade(:\n", encoding="utf-8")
    said = wdh(*arguments, url=database_url, project=project)
    assert_refused(said, 3, f"{file}:2", "correct the file")
    assert tables(database_url) == []


@pytest.mark.parametrize("arguments", [*CHANGING, ["status"], ["history"], ["heads"]])
def test_two_files_with_one_id_are_both_named(
    wdh: Callable[..., Any], project: Path, database_url: URL, arguments: list[str]
) -> None:
    file = add(project, "copy.py", "20260101_0002", "20260101_0001")
    said = wdh(*arguments, url=database_url, project=project)
    assert_refused(said, 3, str(file), "another id")
    assert str(project / VERSIONS / "20260101_0002_step_2.py") in said.err
    assert tables(database_url) == []


@pytest.mark.parametrize("arguments", [*CHANGING, ["status"], ["history"], ["heads"]])
def test_a_cycle_is_named(
    wdh: Callable[..., Any], project: Path, database_url: URL, arguments: list[str]
) -> None:
    add(project, "20260101_0000_step_0.py", "20260101_0000", "20260101_0001")
    said = wdh(*arguments, url=database_url, project=project)
    assert_refused(said, 3, "cycle", "down_revision")
    assert "20260101_0000" in said.err
    assert tables(database_url) == []


def test_a_parent_that_is_not_there_is_named(
    wdh: Callable[..., Any], project: Path, database_url: URL
) -> None:
    add(project, "orphan.py", "orphan", "nobody")
    for arguments in [["upgrade"], ["heads"], ["history"]]:
        said = wdh(*arguments, url=database_url, project=project)
        assert_refused(said, 3, "'nobody'", "restore that file")
    assert tables(database_url) == []


def test_a_database_that_is_ahead_of_the_code_says_so(
    wdh: Callable[..., Any], project: Path, database_url: URL
) -> None:
    newer = add(project, "newer.py", "newer", "20260101_0002")
    assert wdh("upgrade", url=database_url, project=project).exit_code == 0
    newer.unlink()
    before = tables(database_url)
    for arguments in [
        *(["upgrade"], ["upgrade", "--dry-run"], ["downgrade", "base"]),
        *(["sql", "--pending"], ["wait", "--timeout", "60"]),
    ]:
        said = wdh(*arguments, url=database_url, project=project)
        assert_refused(said, 3, "at revision newer, which this code does not know", "--lost")
    with pytest.raises(HistoryError) as asked:
        migration_runner.pending(database_url, alembic_ini=project / "alembic.ini")
    assert asked.value.hint in said.err
    checked = wdh("status", "--check", "--json", url=database_url, project=project)
    assert checked.exit_code == 1
    assert checked.data["problems"][0]["kind"] == "ahead-of-the-code"
    assert tables(database_url) == before


def test_a_comparison_with_a_database_ahead_of_the_code_names_what_works_there(
    wdh: Callable[..., Any], database_url: URL
) -> None:
    migration_runner.upgrade(database_url)
    with engine.connect(database_url) as connection, connection.begin():
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'newer'")
    assert_refused(wdh("check", url=database_url), 3, "at revision newer", "--lost")


def test_a_name_of_300_characters_is_no_revision(
    wdh: Callable[..., Any], project: Path, database_url: URL
) -> None:
    said = wdh("upgrade", "x" * 300, url=database_url, project=project)
    assert_refused(said, 3, "there is no revision 'xxx", "shows the revisions")
    assert tables(database_url) == []


def test_a_read_only_sqlite_database_is_not_written_to(
    wdh: Callable[..., Any], project: Path, sqlite_url: URL
) -> None:
    wdh("upgrade", "20260101_0000", url=sqlite_url, project=project)
    before = tables(sqlite_url)
    read_only = f"sqlite:///file:{sqlite_url.database}?mode=ro&uri=true"
    said = wdh("upgrade", url=read_only, project=project)
    assert_refused(said, 6, "readonly", "rights")
    assert tables(sqlite_url) == before


def test_a_read_only_postgresql_database_is_not_written_to(
    wdh: Callable[..., Any], project: Path, postgresql_url: URL
) -> None:
    with engine.connect(postgresql_url) as connection:
        connection.exec_driver_sql(
            f'ALTER DATABASE "{postgresql_url.database}" SET default_transaction_read_only = on'
        )
        connection.commit()
    said = wdh("upgrade", url=postgresql_url, project=project)
    assert_refused(said, 6, "read-only transaction", "rights")
    assert tables(postgresql_url) == []


def test_a_role_without_rights_changes_nothing(
    wdh: Callable[..., Any], project: Path, postgresql_url: URL
) -> None:
    name = f"{postgresql_url.database}_stranger"
    with engine.connect(postgresql_url) as connection, connection.begin():
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN PASSWORD 'hunter2'")
        connection.exec_driver_sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    stranger = postgresql_url.set(username=name, password="hunter2")
    said = wdh("upgrade", url=stranger, project=project)
    assert_refused(said, 6, "permission denied", "rights")
    assert "hunter2" not in said.err
    assert tables(postgresql_url) == []


def test_a_database_that_does_not_answer_is_missing(wdh: Callable[..., Any], project: Path) -> None:
    nowhere = "postgresql://user:hunter2@127.0.0.1:1/nowhere"
    for arguments in [["upgrade"], ["status"], ["current"], ["journal"], ["reset", "--yes"]]:
        said = wdh(*arguments, url=nowhere, project=project)
        assert_refused(said, 7, "cannot open postgresql+psycopg://user:***@127.0.0.1", "server")


@pytest.mark.parametrize(
    ("url", "hint"),
    [("nonsense", "sqlite:///"), ("oracle://x", "postgresql://"), ("sqlite://host/x", "slashes")],
)
def test_what_is_no_url_is_a_settings_fault(
    wdh: Callable[..., Any], project: Path, url: str, hint: str
) -> None:
    for arguments in [["upgrade"], ["status", "--check"], ["wait"], ["seed", "x.sql"]]:
        (project / "x.sql").write_text("SELECT 1;", encoding="utf-8")
        said = wdh(*arguments, "--database-url", url, project=project)
        assert_refused(said, 2, "the database_url argument", hint)
