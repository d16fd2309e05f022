"""The first look says "nothing to do" only where the whole run does nothing and refuses nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.config import get_settings
from work_data_hub.domain.record.record import NAMES
from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.first_look import verdict
from work_data_hub.io.schema.first_look.verdict import look
from work_data_hub.io.schema.revisions import project_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

HEAD = "20260101_0001"
LAST_FILE = "io/schema/migrations/versions/20260101_0001_step_1.py"


def text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def execute(url: URL, *statements: str) -> None:
    with connect(url) as connection, connection.begin():
        for statement in statements:
            connection.exec_driver_sql(statement)


def upgrade(project: Path, url: URL) -> tuple[Any, ...]:
    return migration_runner.upgrade(url, alembic_ini=project / "alembic.ini").steps


def rows(url: URL) -> dict[str, list[str]]:
    """Everything that the database records."""
    with connect(url) as connection:
        present = {"alembic_version", *NAMES} & {*sa.inspect(connection).get_table_names()}
        return {
            name: sorted(map(repr, connection.exec_driver_sql(f"SELECT * FROM {name}")))
            for name in present
        }


@pytest.fixture
def project(make_history: Callable[..., Path], revision_body: Any) -> Path:
    return make_history([revision_body("pass"), revision_body("pass")])


@pytest.fixture
def settled(project: Path, database_url: URL) -> URL:
    """A database at head."""
    upgrade(project, database_url)
    return database_url


def test_a_database_at_head_is_seen_to_be_so(project: Path, settled: URL) -> None:
    standing = look(project / "alembic.ini", text(settled))
    assert standing is not None
    assert standing.versions == (HEAD,)
    assert standing.environment == "dev"
    assert look(project / "alembic.ini", text(settled), "heads") == standing


def test_a_database_that_alembic_ini_names_is_left_to_the_whole_run(
    project: Path, settled: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", text(settled))
    ini = project / "alembic.ini"
    original = ini.read_text(encoding="utf-8")
    option = "sqlalchemy.url = sqlite:///another.db"
    ini.write_text(original.replace("[alembic]\n", f"[alembic]\n# {option}\n"), encoding="utf-8")
    assert look(ini) is not None
    ini.write_text(original.replace("[alembic]\n", f"[alembic]\n{option}\n"), encoding="utf-8")
    assert look(ini) is None
    assert look(ini, text(settled)) is not None


@pytest.mark.parametrize(
    ("query", "is_answered"),
    [
        ("uri=true", True),
        ("mode=rw&uri=true", True),
        ("mode=rwc&uri=true", True),
        ("mode=ro&uri=true", False),  # which a run cannot write to
        ("mode=rw", False),  # without uri=true, SQLite takes all of it for the name of a file
        ("mode=rw&uri=true&immutable=1", False),
    ],
)
def test_a_uri_that_means_the_file_and_no_more_is_answered(
    project: Path, sqlite_url: URL, query: str, *, is_answered: bool
) -> None:
    upgrade(project, sqlite_url)
    standing = look(project / "alembic.ini", f"sqlite:///file:{sqlite_url.database}?{query}")
    assert (standing is not None) == is_answered


def test_nothing_changes_by_a_look(project: Path, settled: URL) -> None:
    before = rows(settled)
    assert look(project / "alembic.ini", text(settled)) is not None
    assert rows(settled) == before


def test_a_file_whose_comments_changed_is_the_same_revision(project: Path, settled: URL) -> None:
    file = project / LAST_FILE
    file.write_text(file.read_text() + "# a comment\n")
    assert look(project / "alembic.ini", text(settled)) is not None
    assert upgrade(project, settled) == ()


def test_an_accepted_edit_and_a_stamp_are_no_reason_to_look_again(
    project: Path, settled: URL
) -> None:
    file = project / LAST_FILE
    file.write_text(file.read_text().replace("    pass", "    return None"))
    ini = project / "alembic.ini"
    assert look(ini, text(settled)) is None
    migration_runner.upgrade(settled, accept=[HEAD], alembic_ini=ini)
    assert look(ini, text(settled)) is not None
    migration_runner.stamp(settled, "20260101_0000", alembic_ini=ini)
    assert look(ini, text(settled)) is None
    migration_runner.stamp(settled, HEAD, alembic_ini=ini)
    assert look(ini, text(settled)) is not None


def test_a_file_that_was_applied_before_a_stamp_may_go(
    project: Path, settled: URL, run_alembic: Any
) -> None:
    ini = project / "alembic.ini"
    run_alembic(project, settled, "stamp", "20260101_0000")
    (project / LAST_FILE).unlink()
    assert look(ini, text(settled)) is not None
    assert upgrade(project, settled) == ()
    assert migration_runner.status(settled, alembic_ini=ini).is_clear


def edit(project: Path) -> None:
    file = project / LAST_FILE
    file.write_text(file.read_text().replace("    pass", "    return None"))


def new_revision(project: Path) -> None:
    source = (project / LAST_FILE).read_text().replace(HEAD, "20260101_0002")
    source = source.replace("20260101_0000", HEAD)
    (project / LAST_FILE).with_name("20260101_0002_new.py").write_text(source)


def second_head(project: Path) -> None:
    source = (project / LAST_FILE).read_text().replace(HEAD, "20260101_0002")
    (project / LAST_FILE).with_name("20260101_0002_new.py").write_text(source)


def other_version_table(project: Path) -> None:
    env = project / "io/schema/migrations/env.py"
    env.write_text(env.read_text().replace("run(context)", "run(context, version_table='mine')"))


MARK = (
    "INSERT INTO work_data_hub_in_progress VALUES ('alembic_version', 'r', 'upgrade',"
    " '2026-01-01 00:00:00', 'u', 'h', '[\"x\"]', NULL)"
)
SITUATIONS: dict[str, Callable[[Path], object] | tuple[str, ...]] = {
    "pending": new_revision,
    "two heads": second_head,
    "edited": edit,
    "vanished": lambda project: (project / LAST_FILE).unlink(),
    "unreadable": lambda project: (project / LAST_FILE).write_text("def"),
    "an unreadable file beside": lambda project: (
        (project / LAST_FILE).with_name("20260101_0009_beside.py").write_text("def")
    ),
    "other version table": other_version_table,
    "no env.py": lambda project: (project / "io/schema/migrations/env.py").unlink(),
    "ahead of the code": ("UPDATE alembic_version SET version_num = 'unknown'",),
    "several rows": ("INSERT INTO alembic_version VALUES ('20260101_0000')",),
    "no rows": ("DELETE FROM alembic_version",),
    "no version table": ("DROP TABLE alembic_version",),
    "no framework tables": tuple(f"DROP TABLE {name}" for name in sorted(NAMES)),
    "one table missing": ("DROP TABLE work_data_hub_in_progress",),
    "no identity": ("DELETE FROM work_data_hub_identity",),
    "another class": ("UPDATE work_data_hub_identity SET environment = 'prod'",),
    "no class": ("UPDATE work_data_hub_identity SET environment = 'what'",),
    "a copy": ("UPDATE work_data_hub_identity SET pin = 'another'",),
    "interrupted": (MARK,),
    "not journalled": (f"DELETE FROM work_data_hub_journal WHERE revision = '{HEAD}'",),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_look_is_never_satisfied_where_the_run_would_do_or_refuse_something(
    project: Path, settled: URL, situation: str
) -> None:
    change = SITUATIONS[situation]
    if isinstance(change, tuple):
        execute(settled, *change)
    else:
        change(project)
    assert look(project / "alembic.ini", text(settled)) is None
    before = rows(settled)
    try:
        did = bool(upgrade(project, settled))
    except (WorkDataHubError, ImportError):  # Alembic's own words for an env.py that is not there
        did = True
    assert did or rows(settled) != before


def test_an_empty_database_and_one_that_is_not_there_are_left_to_the_run(
    project: Path, database_url: URL
) -> None:
    assert look(project / "alembic.ini", text(database_url)) is None
    missing = database_url.set(database=f"{database_url.database}_missing")
    assert look(project / "alembic.ini", text(missing)) is None


def test_a_session_of_another_class_is_left_to_the_run(
    project: Path, settled: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "staging")
    get_settings.cache_clear()
    assert look(project / "alembic.ini", text(settled)) is None
    with pytest.raises(WorkDataHubError):
        upgrade(project, settled)


def test_production_in_another_place_and_on_sqlite_is_left_to_the_run(
    project: Path, settled: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of prod gets an id of its own; SQLite is refused to a session of prod."""
    execute(settled, "UPDATE work_data_hub_identity SET environment = 'prod'")
    monkeypatch.setenv("ENVIRONMENT", "prod")
    get_settings.cache_clear()
    is_postgresql = settled.get_backend_name() == "postgresql"
    assert (look(project / "alembic.ini", text(settled)) is not None) == is_postgresql
    execute(settled, "UPDATE work_data_hub_identity SET pin = 'another'")
    assert look(project / "alembic.ini", text(settled)) is None
    if not is_postgresql:
        with pytest.raises(WorkDataHubError):
            upgrade(project, settled)


HIDDEN = (
    "CREATE SCHEMA other",
    "CREATE TABLE other.work_data_hub_identity (LIKE public.work_data_hub_identity)",
)
OF_PROD = (
    *HIDDEN,
    "INSERT INTO other.work_data_hub_identity VALUES ('1', 'prod', 'p', now())",
    "GRANT USAGE ON SCHEMA other TO PUBLIC",
    "GRANT SELECT ON other.work_data_hub_identity TO PUBLIC",
)


@pytest.mark.parametrize("statements", [HIDDEN, OF_PROD], ids=["hidden", "of prod"])
def test_an_identity_in_another_schema_is_left_to_the_run(
    project: Path, postgresql_url: URL, statements: tuple[str, ...]
) -> None:
    upgrade(project, postgresql_url)
    role = f"wdh_second_{os.getpid()}"
    rights = f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"
    execute(postgresql_url, f"CREATE ROLE {role} LOGIN PASSWORD 'x'", rights)
    app = postgresql_url.set(username=role, password="x")
    try:
        assert look(project / "alembic.ini", text(app)) is not None
        execute(postgresql_url, *statements)
        assert look(project / "alembic.ini", text(app)) is None
        with pytest.raises(WorkDataHubError):
            upgrade(project, app)
    finally:
        execute(postgresql_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.parametrize(
    "names", [("DATABASE_URL",), ("WDH_DATABASE__URI",), ("DATABASE_URL", "WDH_DATABASE__URI")]
)
def test_either_variable_names_the_database(
    project: Path, sqlite_url: URL, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    upgrade(project, sqlite_url)
    for name in ("DATABASE_URL", "WDH_DATABASE__URI"):
        monkeypatch.delenv(name, raising=False)
    for name in names:
        monkeypatch.setenv(name, text(sqlite_url))
    assert look(project / "alembic.ini") is not None
    monkeypatch.setenv("DATABASE_URL", text(sqlite_url))
    monkeypatch.setenv("WDH_DATABASE__URI", "sqlite:///another.db")
    assert look(project / "alembic.ini") is None


def test_foreign_code_of_env_py_may_decide_on_the_database_where_nothing_has(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only WorkDataHub's own project has a default.
    monkeypatch.setattr(project_files, "is_own", lambda _ini: True)
    monkeypatch.setattr(verdict, "project_root", lambda: project)
    env = project / "io/schema/migrations/env.py"
    env.write_text("import json\n" + env.read_text())
    ini = project / "alembic.ini"
    default = f"sqlite:///{project / 'workdatahub_dev.db'}"
    upgrade(project, sa.make_url(default))
    assert look(ini) is None
    assert look(ini, default) is not None
    env.write_text(env.read_text().replace("import json\n", ""))
    assert look(ini) is not None


def test_a_copied_file_is_left_to_the_run(project: Path, sqlite_url: URL, tmp_path: Path) -> None:
    upgrade(project, sqlite_url)
    shutil.copy(str(sqlite_url.database), tmp_path / "copy.db")
    assert look(project / "alembic.ini", f"sqlite:///{tmp_path / 'copy.db'}") is None
    uri = f"sqlite:///file:{sqlite_url.database}?uri=true"
    assert look(project / "alembic.ini", uri) is not None
    assert look(project / "alembic.ini", f"{uri}&mode=ro") is None


def test_a_server_that_is_down_and_a_role_without_rights_are_left_to_the_run(
    project: Path, postgresql_url: URL
) -> None:
    upgrade(project, postgresql_url)
    assert look(project / "alembic.ini", text(postgresql_url.set(port=1))) is None
    role = f"wdh_reader_{os.getpid()}"
    execute(postgresql_url, f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    try:
        reader = postgresql_url.set(username=role, password="x")
        assert look(project / "alembic.ini", text(reader)) is None
    finally:
        execute(postgresql_url, f"DROP ROLE {role}")


def test_nothing_heavy_is_imported_and_psycopg_works_afterwards(
    project: Path, settled: URL, clean_environment: dict[str, str]
) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from work_data_hub.io.schema.first_look.verdict import look\n"
        "assert look(Path(sys.argv[1])) is not None\n"
        "heavy = {'sqlalchemy', 'alembic', 'pydantic', 'pydantic_settings', 'psycopg'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
        "from work_data_hub.io.schema import migration_runner\n"
        "assert migration_runner.upgrade(alembic_ini=Path(sys.argv[1])).steps == ()\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, str(project / "alembic.ini")],
        env={**clean_environment, "DATABASE_URL": text(settled)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
