"""A check-up of either engine: what a database records of itself, and a healthy one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests.checkups import codes, execute, findings

from work_data_hub.io.schema import migration_runner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

FIRST, SECOND, THIRD = "20260101_0000", "20260101_0001", "20260101_0002"


@pytest.fixture
def ini(make_history: Callable[..., Path], revision_body: Callable[..., Any]) -> Path:
    """A project of three revisions."""
    return make_history([revision_body("pass")] * 3) / "alembic.ini"


def test_a_healthy_database_has_no_findings(database_url: URL) -> None:
    assert findings(database_url) == ()
    migration_runner.upgrade(database_url)
    assert findings(database_url) == ()
    migration_runner.seed(database_url)
    assert findings(database_url) == ()
    migration_runner.downgrade(database_url, "base")
    assert findings(database_url) == ()


def test_whatever_status_finds_is_found(
    database_url: URL, ini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(database_url, "CREATE TABLE t (id INT)")
    unrecorded = migration_runner.doctor(database_url, alembic_ini=ini)
    assert [each.code for each in unrecorded.findings] == ["not-recorded"]
    migration_runner.upgrade(database_url, alembic_ini=ini)
    execute(
        database_url,
        "INSERT INTO work_data_hub_in_progress VALUES ('alembic_version', 'x', 'upgrade',"
        " '2026-01-01 00:00:00.000000', 'somebody', 'somewhere', '[\"VACUUM\"]', NULL)",
    )
    next(ini.parent.rglob(f"{THIRD}*.py")).unlink()
    monkeypatch.setenv("ENVIRONMENT", "staging")
    found = migration_runner.doctor(database_url, alembic_ini=ini).findings
    wrong = migration_runner.status(database_url, alembic_ini=ini).problems
    assert {str(each) for each in found} == {str(each) for each in wrong}
    assert {"ahead", "interrupted", "other-environment"} == {each.code for each in found}


def look(url: URL, ini: Path) -> list[str]:
    return [each.code for each in migration_runner.doctor(url, alembic_ini=ini).findings]


@pytest.mark.parametrize("by_hand", [FIRST, THIRD, None])
@pytest.mark.parametrize("right", ["alembic_version", "the journal"])
def test_a_version_that_no_run_has_written_is_found(
    by_hand: str | None, right: str, database_url: URL, ini: Path
) -> None:
    migration_runner.upgrade(database_url, SECOND, alembic_ini=ini)
    execute(database_url, "DELETE FROM alembic_version")
    if by_hand is not None:
        execute(database_url, f"INSERT INTO alembic_version VALUES ('{by_hand}')")
    (found,) = migration_runner.doctor(database_url, alembic_ini=ini).findings
    assert codes([found]) == [("warning", "journal-disagrees")]
    says = by_hand or "base"
    assert f"alembic_version says {says}, the journal says {SECOND}: the last that it knows" in (
        found.message
    )
    assert f" is upgrade {SECOND} by " in found.message
    assert f"`wdh db stamp --purge {says}`, or `wdh db stamp --purge {SECOND}`" in found.hint
    meant = says if right == "alembic_version" else SECOND
    # The tables are at neither by themselves: it is the record that is put right.
    migration_runner.stamp(database_url, meant, purge=True, confirm_drift=True, alembic_ini=ini)
    assert look(database_url, ini) == []
    assert migration_runner.current(database_url, alembic_ini=ini) == tuple(
        each for each in [meant] if each != "base"
    )


def test_a_version_that_no_file_and_no_run_knows_is_found_as_both(
    database_url: URL, ini: Path
) -> None:
    migration_runner.upgrade(database_url, alembic_ini=ini)
    next(ini.parent.rglob(f"{THIRD}*.py")).unlink()
    assert look(database_url, ini) == ["ahead"]
    execute(database_url, "UPDATE alembic_version SET version_num = 'nonsense'")
    assert look(database_url, ini) == ["ahead", "journal-disagrees"]


def test_what_runs_do_is_no_disagreement(database_url: URL, ini: Path) -> None:
    given: dict[str, Any] = {"database_url": database_url, "alembic_ini": ini}
    acts = (
        partial(migration_runner.stamp, revision=SECOND),
        migration_runner.upgrade,
        partial(migration_runner.downgrade, revision=FIRST),
        partial(migration_runner.stamp, revision=THIRD, confirm_drift=True),
        partial(migration_runner.stamp, revision=FIRST),
        migration_runner.redo,
        partial(migration_runner.stamp, revision="base"),
        partial(migration_runner.upgrade, revision="head"),
        partial(migration_runner.stamp, revision=SECOND, purge=True),
        partial(migration_runner.downgrade, revision="base"),
    )
    for act in acts:
        act(**given)
        assert look(database_url, ini) == []


def test_what_plain_alembic_has_done_is_found_until_a_run_adopts_it(
    database_url: URL, ini: Path
) -> None:
    migration_runner.upgrade(database_url, FIRST, alembic_ini=ini)
    execute(database_url, f"UPDATE alembic_version SET version_num = '{THIRD}'")
    assert look(database_url, ini) == ["journal-disagrees"]
    migration_runner.upgrade(database_url, alembic_ini=ini)
    assert look(database_url, ini) == []


def test_on_staging_the_hint_names_the_database(
    database_url: URL, ini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "staging")
    migration_runner.upgrade(database_url, alembic_ini=ini)
    execute(database_url, "DELETE FROM alembic_version")
    (found,) = migration_runner.doctor(database_url, alembic_ini=ini).findings
    assert found.hint.count(" --confirm ") == 2
