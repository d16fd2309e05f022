"""Who writes into the version table says what the schema is, and is held to it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.errors import RefusedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

FIRST, SECOND, HEAD = "20260101_0000", "20260101_0001", "20260101_0002"
LIE = f"UPDATE alembic_version SET version_num = '{HEAD}'"


@pytest.fixture
def ini(make_history: Any, revision_body: Any) -> Path:
    """A project of three revisions, each makes a table."""
    project: Path = make_history([revision_body(f"op.execute('{made(n)}')\n") for n in range(3)])
    return project / "alembic.ini"


@pytest.fixture
def lied(
    ini: Path, database_url: URL, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> URL:
    """A database at the first revision that says it is at head; ``param`` is its class."""
    monkeypatch.setenv("ENVIRONMENT", getattr(request, "param", "dev"))
    if database_url.get_backend_name() == "postgresql":
        server = database_url.render_as_string(hide_password=False)
        monkeypatch.setenv("WDH_TEST_DATABASE_URI", server)
    migration_runner.upgrade(database_url, FIRST, alembic_ini=ini)
    execute(database_url, LIE)
    return database_url


def made(number: int) -> str:
    return f"CREATE TABLE t{number} (id INTEGER PRIMARY KEY)"


def execute(url: URL, *statements: str) -> None:
    with connect(url) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.commit()


@pytest.mark.parametrize("lied", ["dev", "staging"], indirect=True)
def test_the_status_and_the_doctor_say_so(ini: Path, lied: URL) -> None:
    for found in (
        migration_runner.status(lied, alembic_ini=ini).problems,
        migration_runner.doctor(lied, alembic_ini=ini).findings,
    ):
        assert [each.code for each in found] == ["journal-disagrees"]
        assert f"alembic_version says {HEAD}, the journal says {FIRST}" in found[0].message


@pytest.mark.parametrize("lied", ["staging"], indirect=True)
def test_an_upgrade_refuses_to_build_on_it_and_the_way_out_works(ini: Path, lied: URL) -> None:
    with pytest.raises(RefusedError, match="was written by no run, and the schema") as refused:
        migration_runner.upgrade(lied, alembic_ini=ini)
    assert "t1 is missing" in refused.value.message
    assert "t2 is missing" in refused.value.message
    assert f"`wdh db drift {HEAD}`" in refused.value.hint
    assert [each.direction for each in migration_runner.journal(lied, alembic_ini=ini)] == [
        "upgrade"
    ]
    assert migration_runner.upgrade(lied, confirm_drift=True, alembic_ini=ini).after == (HEAD,)
    assert migration_runner.status(lied, alembic_ini=ini).is_clear


@pytest.mark.parametrize("lied", ["staging"], indirect=True)
def test_what_is_true_is_adopted_without_a_word(
    ini: Path, lied: URL, caplog: pytest.LogCaptureFixture
) -> None:
    execute(lied, made(1), made(2))
    with caplog.at_level(logging.WARNING):
        assert migration_runner.upgrade(lied, alembic_ini=ini).adopted == (SECOND, HEAD)
    assert caplog.records == []
    assert migration_runner.status(lied, alembic_ini=ini).is_clear


def test_on_ones_own_database_a_word_is_enough(
    ini: Path, lied: URL, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert migration_runner.upgrade(lied, alembic_ini=ini).adopted == (SECOND, HEAD)
    assert "t1 is missing" in caplog.text
