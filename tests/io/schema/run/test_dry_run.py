"""A dry run tries every revision that it can, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.errors import MigrationFailedError, RefusedError, RunInterrupted
from work_data_hub.io.schema import engine, migration_runner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

IDS = [f"20260101_{number:04}" for number in range(4)]
OUTSIDE = """
with op.get_context().autocommit_block():
    op.execute('CREATE TABLE outside (id INTEGER)')
"""


@pytest.fixture
def make(
    make_history: Callable[..., Path], revision_body: Callable[..., Any]
) -> Callable[..., Path]:
    """Make a project; a table's name stands for its creation."""

    def project(*bodies: str) -> Path:
        made = [
            revision_body(
                body if " " in body else f"op.execute('CREATE TABLE {body} (id INTEGER)')"
            )
            for body in bodies
        ]
        return make_history(made) / "alembic.ini"

    return project


def state(url: URL, ini: Path) -> tuple[Any, ...]:
    """All that a dry run might change."""
    with engine.connect(url, read_only=True) as connection:
        tables = tuple(sorted(sa.inspect(connection).get_table_names()))
    found = migration_runner.status(url, alembic_ini=ini)
    journal = migration_runner.journal(url, alembic_ini=ini)
    return tables, found.versions, found.environment, journal


@pytest.mark.parametrize("start", ["", IDS[0]])
def test_all_steps_are_tried_and_nothing_is_changed(
    database_url: URL, make: Callable[..., Path], start: str
) -> None:
    ini = make("a", "b", "op.execute('INSERT INTO b SELECT id FROM a')")
    if start:
        migration_runner.upgrade(database_url, start, alembic_ini=ini)
    before = state(database_url, ini)
    trial = migration_runner.dry_run(database_url, alembic_ini=ini)
    assert [step.revision for step in trial.tried] == IDS[bool(start) : 3]
    assert trial.untried == ()
    assert state(database_url, ini) == before
    assert migration_runner.upgrade(database_url, alembic_ini=ini).after == (IDS[2],)
    assert migration_runner.dry_run(database_url, alembic_ini=ini).tried == ()


def test_a_file_that_is_not_there_is_not_made(sqlite_url: URL, make: Callable[..., Path]) -> None:
    assert len(migration_runner.dry_run(sqlite_url, alembic_ini=make("a")).tried) == 1
    assert not engine.exists(sqlite_url)


def test_a_step_that_fails_is_named_and_leaves_no_trace(
    database_url: URL, make: Callable[..., Path]
) -> None:
    ini = make("a", "b", "op.execute('SELECT nonsense')", "c")
    migration_runner.upgrade(database_url, IDS[0], alembic_ini=ini)
    before = state(database_url, ini)
    with pytest.raises(MigrationFailedError) as failed:
        migration_runner.dry_run(database_url, alembic_ini=ini)
    assert failed.value.failed == IDS[2]
    is_sqlite = database_url.get_backend_name() == "sqlite"
    told = "tried on a copy" if is_sqlite else "rolled back (done before it: nothing)"
    assert told in failed.value.hint
    assert failed.value.applied == ()
    assert state(database_url, ini) == before


def test_what_leaves_its_transaction_is_not_tried_on_postgresql(
    postgresql_url: URL, make: Callable[..., Path]
) -> None:
    ini = make("a", OUTSIDE, "b")
    before = state(postgresql_url, ini)
    trial = migration_runner.dry_run(postgresql_url, alembic_ini=ini)
    assert [step.revision for step in trial.tried] == IDS[:1]
    assert [step.revision for step in trial.untried] == IDS[1:3]
    assert state(postgresql_url, ini) == before


def test_every_revision_can_be_tried_on_a_copy_of_sqlite(
    sqlite_url: URL, make: Callable[..., Path]
) -> None:
    ini = make("a", OUTSIDE, "b")
    migration_runner.upgrade(sqlite_url, IDS[0], alembic_ini=ini)
    before = state(sqlite_url, ini)
    trial = migration_runner.dry_run(sqlite_url, alembic_ini=ini)
    assert ([step.revision for step in trial.tried], trial.untried) == (IDS[1:3], ())
    assert trial.on_a_copy
    assert state(sqlite_url, ini) == before


@pytest.mark.parametrize("commit", ["op.get_bind().commit()", "op.execute('COMMIT')"])
def test_a_revision_that_commits_is_refused_and_commits_nothing(
    postgresql_url: URL, make: Callable[..., Path], commit: str
) -> None:
    ini = make("a", f"op.execute('CREATE TABLE b (id INTEGER)')\n{commit}")
    before = state(postgresql_url, ini)
    with pytest.raises((MigrationFailedError, RefusedError)):
        migration_runner.dry_run(postgresql_url, alembic_ini=ini)
    assert state(postgresql_url, ini) == before


def test_the_verb_says_what_was_tried(
    make: Callable[..., Path], database_url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    from work_data_hub.cli.command import main

    ini = make("a", OUTSIDE, "b")
    url = database_url.render_as_string(hide_password=False)
    words = ["db", "upgrade", "--dry-run", "--config", str(ini), "--database-url", url]
    assert main(words) == 0
    said = capsys.readouterr().out
    if database_url.get_backend_name() == "sqlite":
        assert ": 3 steps tried on a copy, which is gone; nothing was changed\n" in said
    else:
        assert ": 1 step tried and rolled back; nothing was changed\nnot tried: upgrade " in said
        assert f"{IDS[1]} Step 1., which leaves its transaction, and 1" in said
    assert main([*words, "--json"]) == 0
    assert '"dry_run": true' in capsys.readouterr().out
    assert main([*words, "--accept", IDS[0]]) == 2


def test_a_dry_run_that_is_interrupted_says_that_nothing_was_done(
    database_url: URL, make: Callable[..., Path]
) -> None:
    ini = make("a", "raise KeyboardInterrupt")
    before = state(database_url, ini)
    with pytest.raises(RunInterrupted) as interrupted:
        migration_runner.dry_run(database_url, alembic_ini=ini)
    said = str(interrupted.value)
    assert "on a copy, nothing was changed" in said or "(done before it: nothing)" in said
    assert state(database_url, ini) == before
