"""A script for a DBA, run by the real `psql` and `sqlite3`: it stops, checks and journals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from tests.dba import run_script

from work_data_hub.errors import HistoryError, UsageError
from work_data_hub.io.schema import engine, migration_runner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

IDS = [f"20260101_{number:04}" for number in range(3)]


@pytest.fixture
def project(make_history: Callable[..., Path], revision_body: Callable[..., Any]) -> Path:
    """Three revisions, each with a table."""
    return make_history(
        [
            revision_body(
                f"op.execute('CREATE TABLE t{number} (id INTEGER)')", f"op.drop_table('t{number}')"
            )
            for number in range(3)
        ]
    )


def script_of(url: URL, project: Path, revision: str = "head", **options: Any) -> str:
    return migration_runner.sql(url, revision, alembic_ini=project / "alembic.ini", **options)


def tables(url: URL) -> set[str]:
    with engine.connect(url, read_only=True) as connection:
        return {name for name in sa.inspect(connection).get_table_names() if len(name) < 3}


def test_a_new_database_is_built_by_a_script(database_url: URL, project: Path) -> None:
    ini = project / "alembic.ini"
    assert run_script(database_url, script_of(database_url, project)) == 0
    assert tables(database_url) == {"t0", "t1", "t2"}
    assert migration_runner.current(database_url, alembic_ini=ini) == (IDS[2],)
    assert migration_runner.upgrade(database_url, alembic_ini=ini).steps == ()
    journal = migration_runner.journal(database_url, alembic_ini=ini)
    assert sorted((each.direction, each.revision) for each in journal) == [
        ("adopt", revision) for revision in IDS
    ]


def test_what_is_pending_is_run_by_a_script_and_the_journal_has_it(
    database_url: URL, project: Path
) -> None:
    ini = project / "alembic.ini"
    migration_runner.upgrade(database_url, IDS[0], alembic_ini=ini)
    script = script_of(database_url, project, pending=True)
    assert "CREATE TABLE t0" not in script
    assert tables(database_url) == {"t0"}
    assert run_script(database_url, script) == 0
    found = migration_runner.status(database_url, alembic_ini=ini)
    assert (found.versions, found.pending, found.problems) == ((IDS[2],), (), ())
    rows = migration_runner.journal(database_url, alembic_ini=ini)[1:]
    assert [(each.direction, each.revision, each.outcome) for each in rows] == [
        ("upgrade", IDS[1], "done"),
        ("upgrade", IDS[2], "done"),
    ]
    assert all(each.digest and each.os_user == "(script)" for each in rows)
    assert all(each.started_at <= each.finished_at and each.duration_ms >= 0 for each in rows)
    assert migration_runner.upgrade(database_url, alembic_ini=ini).steps == ()
    assert script_of(database_url, project, pending=True) == "-- nothing is pending\n"


def test_a_database_at_base_again_has_its_version_table(database_url: URL, project: Path) -> None:
    ini = project / "alembic.ini"
    migration_runner.upgrade(database_url, alembic_ini=ini)
    migration_runner.downgrade(database_url, "base", alembic_ini=ini)
    assert run_script(database_url, script_of(database_url, project, pending=True)) == 0
    assert migration_runner.status(database_url, alembic_ini=ini).is_clear


def test_a_downgrade_is_journalled_too(postgresql_url: URL, project: Path) -> None:
    ini = project / "alembic.ini"
    migration_runner.upgrade(postgresql_url, alembic_ini=ini)
    script = script_of(postgresql_url, project, f"{IDS[2]}:{IDS[0]}", downgrade=True)
    assert run_script(postgresql_url, script) == 0
    assert tables(postgresql_url) == {"t0"}
    found = migration_runner.status(postgresql_url, alembic_ini=ini)
    assert ([step.revision for step in found.pending], found.problems) == (IDS[1:], ())


def test_a_script_stops_at_the_first_error_with_an_exit_code(
    database_url: URL, project: Path
) -> None:
    ini = project / "alembic.ini"
    migration_runner.upgrade(database_url, IDS[0], alembic_ini=ini)
    script = script_of(database_url, project, pending=True)
    broken = script.replace("CREATE TABLE t1", "CREATE TABLE t1 nonsense (")
    assert broken != script
    assert run_script(database_url, broken) != 0
    assert tables(database_url) == {"t0"}
    found = migration_runner.status(database_url, alembic_ini=ini)
    assert (found.versions, found.problems) == ((IDS[0],), ())


def test_a_program_that_goes_on_after_an_error_changes_nothing_more(
    postgresql_url: URL, project: Path
) -> None:
    ini = project / "alembic.ini"
    migration_runner.upgrade(postgresql_url, IDS[0], alembic_ini=ini)
    script = script_of(postgresql_url, project, pending=True)
    broken = script.replace("CREATE TABLE t1", "CREATE TABLE t1 nonsense (")
    run_script(postgresql_url, broken.replace("ON_ERROR_STOP on", "ON_ERROR_STOP off"))
    assert tables(postgresql_url) == {"t0"}
    assert migration_runner.current(postgresql_url, alembic_ini=ini) == (IDS[0],)


@pytest.mark.parametrize("at", ["base", IDS[1]])
def test_a_script_runs_nowhere_else_than_where_it_starts(
    database_url: URL, project: Path, at: str
) -> None:
    ini = project / "alembic.ini"
    script = script_of(database_url, project, f"{IDS[0]}:head")
    migration_runner.upgrade(database_url, IDS[1], alembic_ini=ini)
    migration_runner.downgrade(database_url, at, alembic_ini=ini)
    before = tables(database_url)
    assert run_script(database_url, script) != 0
    assert tables(database_url) == before
    assert migration_runner.current(database_url, alembic_ini=ini) == tuple({at} - {"base"})


def test_a_script_waits_for_a_lock_no_longer_than_a_run(
    postgresql_url: URL,
    make_history: Callable[..., Path],
    revision_body: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", "0.2")
    bodies = ["CREATE TABLE t0 (id INTEGER)", "ALTER TABLE t0 ADD COLUMN more INTEGER"]
    project = make_history([revision_body(f"op.execute('{body}')") for body in bodies])
    migration_runner.upgrade(postgresql_url, IDS[0], alembic_ini=project / "alembic.ini")
    script = script_of(postgresql_url, project, pending=True)
    with engine.connect(postgresql_url) as connection:
        connection.exec_driver_sql("LOCK TABLE t0")
        assert run_script(postgresql_url, script) != 0


def test_what_no_script_can_do_is_refused(database_url: URL, project: Path) -> None:
    ini = project / "alembic.ini"
    migration_runner.upgrade(database_url, alembic_ini=ini)
    with pytest.raises(UsageError, match="starts where the database is"):
        script_of(database_url, project, f"{IDS[0]}:head", pending=True)
    with engine.connect(database_url) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'unknown'")
        connection.commit()
    with pytest.raises(HistoryError, match="unknown"):
        script_of(database_url, project, pending=True)
