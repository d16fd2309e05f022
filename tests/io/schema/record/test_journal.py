"""The journal, and revisions that are not what they were."""

from __future__ import annotations

import getpass
import logging
import socket
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.own_history import HEAD, IDS

from work_data_hub.config import get_settings
from work_data_hub.errors import HistoryError, MigrationFailedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.record import framework_tables
from work_data_hub.io.schema.record.journal import Journal

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from sqlalchemy.engine import URL


@pytest.fixture
def project(make_history: Callable[..., Path], revision_body: Any) -> Path:
    """A history of two revisions."""
    return make_history(
        [
            revision_body(
                f"op.create_table('t{n}', sa.Column('id', sa.Integer))", f"op.drop_table('t{n}')"
            )
            for n in range(2)
        ]
    )


def revision_file(project: Path, number: int) -> Path:
    (path,) = (project / "io/schema/migrations/versions").glob(f"*_step_{number}.py")
    return path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_what_is_told_to_the_journal_is_stored_without_its_secrets(database_url: URL) -> None:
    migration_runner.upgrade(database_url)
    with connect(database_url) as connection, connection.begin():
        journal = Journal(connection, None, "alembic_version", None)
        journal.add(HEAD, "accept", detail="by password=hunter2")
        (stored,) = connection.exec_driver_sql(
            "SELECT detail FROM work_data_hub_journal WHERE direction = 'accept'"
        ).scalars()
    assert stored == "by password=***"


def test_every_step_is_a_row_with_who_where_and_with_what(database_url: URL) -> None:
    migration_runner.upgrade(database_url)
    migration_runner.downgrade(database_url)
    migration_runner.stamp(database_url, confirm_drift=True)
    entries = migration_runner.journal(database_url)
    assert [(e.revision, e.direction, e.outcome) for e in entries] == [
        *((revision, "upgrade", "done") for revision in IDS),
        (HEAD, "downgrade", "done"),
        (HEAD, "stamp", "done"),
    ]
    first = entries[0]
    assert datetime.now(UTC) - timedelta(minutes=5) < first.started_at <= first.finished_at
    elapsed = first.finished_at - first.started_at
    assert first.duration_ms == round(elapsed.total_seconds() * 1000)
    assert entries[-3].checksum == entries[-2].checksum is not None
    assert (first.os_user, first.host) == (getpass.getuser(), socket.gethostname())
    assert first.alembic_version == metadata.version("alembic")
    assert first.tool_version == metadata.version("work-data-hub")
    is_postgresql = database_url.get_backend_name() == "postgresql"
    assert first.database_user == ("postgres" if is_postgresql else None)


def test_a_failed_attempt_is_recorded_and_its_version_row_is_not(
    database_url: URL, make_history: Callable[..., Path], revision_body: Any, run_alembic: Any
) -> None:
    failing = "op.execute('CREATE TABLE half (id INTEGER)')\nop.execute('SELECT * FROM missing')"
    project = make_history([revision_body("pass"), revision_body(failing)])
    for _ in range(2):
        with pytest.raises(MigrationFailedError) as failed:
            run_alembic(project, database_url, "upgrade", "head")
    assert (failed.value.applied, failed.value.failed, failed.value.pending) == (
        (),
        "20260101_0001",
        (),
    )
    entries = migration_runner.journal(database_url)
    assert [(e.revision, e.outcome) for e in entries] == [
        ("20260101_0000", "done"),
        ("20260101_0001", "failed"),
        ("20260101_0001", "failed"),
    ]
    assert "missing" in str(entries[-1].detail)
    assert migration_runner.current(database_url) == ("20260101_0000",)


def test_how_a_revision_is_written_may_change(
    database_url: URL, project: Path, run_alembic: Any
) -> None:
    run_alembic(project, database_url, "upgrade", "head")
    edit(revision_file(project, 0), "def upgrade", "# a comment\n\n\ndef upgrade")
    run_alembic(project, database_url, "upgrade", "head")
    assert len(migration_runner.journal(database_url)) == 2


def test_an_edited_revision_stops_the_run_and_can_be_accepted(
    database_url: URL, project: Path, run_alembic: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    run_alembic(project, database_url, "upgrade", "head")
    recorded = migration_runner.journal(database_url)[0].checksum
    path = revision_file(project, 0)
    edit(path, "sa.Integer", "sa.BigInteger")
    with pytest.raises(HistoryError, match="edited after it was applied") as stopped:
        run_alembic(project, database_url, "upgrade", "head")
    assert stopped.value.exit_code == 3
    assert str(path) in stopped.value.message
    assert str(recorded) in stopped.value.message
    assert stopped.value.message.count(" 2:") == 2
    assert "accept=20260101_0000" in stopped.value.hint
    assert migration_runner.current(database_url) == ("20260101_0001",)

    monkeypatch.setenv("WDH_EDITED_REVISIONS", "warn")
    get_settings.cache_clear()
    with caplog.at_level(logging.WARNING):
        run_alembic(project, database_url, "upgrade", "head")
    assert "edited after it was applied" in caplog.text
    monkeypatch.undo()
    get_settings.cache_clear()

    run_alembic(project, database_url, "upgrade", "head", accept=("20260101_0000",))
    run_alembic(project, database_url, "upgrade", "head")
    assert migration_runner.journal(database_url)[-1].direction == "accept"


def test_a_vanished_revision_stops_the_run_and_can_be_accepted(
    database_url: URL, project: Path, run_alembic: Any
) -> None:
    run_alembic(project, database_url, "upgrade", "head")
    revision_file(project, 0).unlink()
    edit(revision_file(project, 1), 'down_revision = "20260101_0000"', "down_revision = None")
    with pytest.raises(HistoryError) as stopped:
        run_alembic(project, database_url, "upgrade", "head")
    assert "20260101_000" in stopped.value.message
    both = ("20260101_0000", "20260101_0001")
    run_alembic(project, database_url, "upgrade", "head", accept=both)
    run_alembic(project, database_url, "upgrade", "head")


def test_a_revision_that_was_taken_back_may_be_edited(
    database_url: URL, project: Path, run_alembic: Any
) -> None:
    run_alembic(project, database_url, "upgrade", "head")
    run_alembic(project, database_url, "downgrade", "-1")
    edit(revision_file(project, 1), "sa.Integer", "sa.BigInteger")
    run_alembic(project, database_url, "upgrade", "head")
    assert migration_runner.current(database_url) == ("20260101_0001",)


def test_a_database_ahead_of_the_code_is_told_so(
    database_url: URL, project: Path, run_alembic: Any
) -> None:
    run_alembic(project, database_url, "upgrade", "head")
    revision_file(project, 1).unlink()
    with pytest.raises(HistoryError, match="20260101_0001, which this code does not know"):
        run_alembic(project, database_url, "upgrade", "head")


def test_a_database_that_alembic_alone_managed_is_taken_over_without_questions(
    database_url: URL, project: Path, run_alembic: Any
) -> None:
    run_alembic(project, database_url, "upgrade", "head")
    with connect(database_url) as connection, connection.begin():
        for table in framework_tables.NAMES:
            connection.exec_driver_sql(f"DROP TABLE {table}")
    run_alembic(project, database_url, "upgrade", "head")
    entries = migration_runner.journal(database_url)
    assert {(e.revision, e.direction, e.outcome) for e in entries} == {
        ("20260101_0000", "adopt", "done"),
        ("20260101_0001", "adopt", "done"),
    }
    assert all(entry.checksum for entry in entries)
    assert migration_runner.identity(database_url) is not None
    run_alembic(project, database_url, "downgrade", "base")
    assert migration_runner.current(database_url) == ()


def test_autogenerate_and_check_do_not_see_the_frameworks_tables(
    database_url: URL, alembic: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    migration_runner.upgrade(database_url)
    check = alembic("check", url=database_url)
    assert check.returncode == 0, check.stdout


def test_the_journal_of_a_database_that_is_not_there_is_empty(sqlite_url: URL) -> None:
    assert migration_runner.journal(sqlite_url) == ()
    assert migration_runner.identity(sqlite_url) is None
    assert not Path(str(sqlite_url.database)).exists()


def test_a_stamp_says_where_it_moved_to_and_what_was_emptied(
    database_url: URL, alembic: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    migration_runner.upgrade(database_url)
    migration_runner.stamp(database_url, "base")
    assert alembic("stamp", "--purge", "head", url=database_url).returncode == 0
    rows = [(e.revision, e.direction, e.detail) for e in migration_runner.journal(database_url)]
    assert rows == [
        *((revision, "upgrade", None) for revision in IDS),
        ("base", "stamp", None),
        ("base", "stamp", "purged"),
        (HEAD, "stamp", None),
    ]
