"""kill -9 at every moment: what is there afterwards is a whole number of revisions."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.snapshot.reader import read_schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL
    from tests.warm_python import Program

REVISIONS = 10
# Inside each revision: before its first statement, between statements, after its last one; and
# between two revisions, where the one before is committed.
MOMENTS = ("start", "ddl", "data", "end")
KILLED_AT = "import os, signal; os.environ.get('KILL_AT') == {!r} and os.kill(os.getpid(), 9)"


def revision(number: int, body: Any) -> Any:
    def kill(moment: str) -> str:
        return KILLED_AT.format(f"{number}:{moment}")

    upgrade = "\n".join(
        [
            kill("start"),
            f"op.create_table('t{number}', sa.Column('id', sa.Integer, primary_key=True),"
            " sa.Column('word', sa.String(20)))",
            kill("ddl"),
            f"op.bulk_insert(sa.table('t{number}', sa.column('id'), sa.column('word')),"
            f" [{{'id': n, 'word': 'w' * n}} for n in range({number + 3})])",
            kill("data"),
            f"op.execute(\"UPDATE t{max(number - 1, 0)} SET word = word || '{number}'\")",
            f"op.create_index('i{number}', 't{number}', ['word'])",
            kill("end"),
        ]
    )
    return body(upgrade, f"op.drop_table('t{number}')")


@pytest.fixture
def project(make_history: Callable[..., Path], revision_body: Any) -> Path:
    return make_history([revision(number, revision_body) for number in range(REVISIONS)])


def content(url: URL) -> dict[str, Any]:
    """The schema and every row."""
    with connect(url) as connection:
        schema = read_schema(connection)
        tables = [item.own_name for item in schema if item.kind == "table"]
        rows = {
            name: sorted(map(tuple, connection.exec_driver_sql(f"SELECT * FROM {name}")))
            for name in tables
        }
        return {"schema": {str(item): dict(item.properties) for item in schema}, "rows": rows}


@pytest.fixture
def clean_states(
    project: Path, run_alembic: Any, make_url: Callable[[], URL]
) -> dict[tuple[str, ...], dict[str, Any]]:
    """What a clean upgrade to each revision looks like."""
    url = make_url()
    run_alembic(project, url, "upgrade", "+1")
    states = {}
    for _ in range(REVISIONS - 1):
        states[migration_runner.current(url)] = content(url)
        run_alembic(project, url, "upgrade", "+1")
    return {**states, migration_runner.current(url): content(url)}


@pytest.fixture
def upgrade_until_killed(start_alembic: Callable[..., Program]) -> Callable[..., int | None]:
    def upgrade(project: Path, url: URL, moment: str) -> int | None:
        program = start_alembic(project, url, KILL_AT=moment)
        program.communicate(timeout=60)
        return program.returncode

    return upgrade


def test_after_every_kill_the_database_is_at_a_whole_revision_and_the_next_run_completes(
    project: Path,
    make_url: Callable[[], URL],
    upgrade_until_killed: Callable[..., int | None],
    clean_states: dict[tuple[str, ...], dict[str, Any]],
    run_alembic: Any,
) -> None:
    head = (f"20260101_{REVISIONS - 1:04}",)
    url = make_url()
    kills = 0
    for number in range(REVISIONS):
        for moment in MOMENTS:
            # Each run goes on from where the one before was killed.
            code = upgrade_until_killed(project, url, f"{number}:{moment}")
            assert code == -signal.SIGKILL, (number, moment)
            kills += 1
            at = migration_runner.current(url)
            assert at == ((f"20260101_{number - 1:04}",) if number else ()), moment
            found = content(url)
            assert found == clean_states.get(at, found)
            if not at:
                assert found["schema"] == {}
    assert kills == REVISIONS * len(MOMENTS) == 40
    run_alembic(project, url, "upgrade", "head")
    assert migration_runner.current(url) == head
    assert content(url) == clean_states[head]
    assert [e.outcome for e in migration_runner.journal(url)] == ["done"] * REVISIONS


def test_a_kill_between_two_revisions_leaves_the_first_and_nothing_of_the_second(
    project: Path,
    make_url: Callable[[], URL],
    upgrade_until_killed: Callable[..., int | None],
    clean_states: dict[tuple[str, ...], dict[str, Any]],
    run_alembic: Any,
) -> None:
    for boundary in range(0, REVISIONS - 1, 3):
        url = make_url()
        moment = f"{boundary + 1}:start"
        assert upgrade_until_killed(project, url, moment) == -signal.SIGKILL
        at = (f"20260101_{boundary:04}",)
        assert migration_runner.current(url) == at
        assert content(url) == clean_states[at]
        run_alembic(project, url, "upgrade", "head")
        assert content(url) == clean_states[(f"20260101_{REVISIONS - 1:04}",)]
