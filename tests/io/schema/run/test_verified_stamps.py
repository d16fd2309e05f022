"""A stamp is a person's word that the schema is what a revision makes: it is held to it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.cli.command import main
from work_data_hub.config import get_settings
from work_data_hub.errors import RefusedError, UsageError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

ORDERS = "CREATE TABLE orders (id INTEGER PRIMARY KEY, note VARCHAR(20) NOT NULL)"
MORE = "CREATE TABLE more (id INTEGER PRIMARY KEY)"
FIRST, HEAD = "20260101_0000", "20260101_0001"


@pytest.fixture
def ini(make_history: Any, revision_body: Any) -> Path:
    """A project of two revisions, each makes a table."""
    bodies = [revision_body(f"op.execute('{each}')\n") for each in (ORDERS, MORE)]
    project: Path = make_history(bodies)
    return project / "alembic.ini"


@pytest.fixture
def url(database_url: URL, monkeypatch: pytest.MonkeyPatch) -> URL:
    """An empty database; throw-away ones are made on its server."""
    if database_url.get_backend_name() == "postgresql":
        server = database_url.render_as_string(hide_password=False)
        monkeypatch.setenv("WDH_TEST_DATABASE_URI", server)
    return database_url


def execute(url: URL, *statements: str) -> None:
    with connect(url) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.commit()


def last_detail(url: URL, ini: Path) -> str | None:
    return migration_runner.journal(url, alembic_ini=ini)[-1].detail


def test_a_database_that_looks_like_the_revision_is_stamped(
    ini: Path, url: URL, caplog: pytest.LogCaptureFixture
) -> None:
    execute(url, ORDERS, MORE)
    with caplog.at_level(logging.WARNING):
        assert migration_runner.stamp(url, alembic_ini=ini).after == (HEAD,)
    assert last_detail(url, ini) is None
    assert caplog.records == []


def test_one_that_does_not_is_refused_with_what_differs_and_nothing_is_changed(
    ini: Path, url: URL
) -> None:
    execute(url, ORDERS.replace("20", "30"))
    with pytest.raises(RefusedError, match=f"does not look like {HEAD}") as refused:
        migration_runner.stamp(url, alembic_ini=ini)
    assert "more is missing (with 1 column, 1 primary key)" in refused.value.message
    assert "orders.note: type should be" in refused.value.message
    assert f"`wdh db drift {HEAD}`" in refused.value.hint
    assert migration_runner.current(url, alembic_ini=ini) == ()


def test_what_is_confirmed_is_recorded_as_not_verified(
    ini: Path, url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(url, ORDERS)
    place = ["--config", f"{ini}", "--database-url", url.render_as_string(hide_password=False)]
    assert main(["db", "stamp", "head", *place]) == 4
    assert f" --confirm-drift {HEAD}`" in capsys.readouterr().err
    assert main(["db", "stamp", "--confirm-drift", HEAD, *place]) == 0
    assert last_detail(url, ini) == "not verified"
    assert migration_runner.current(url, alembic_ini=ini) == (HEAD,)


def test_a_refused_stamp_leaves_the_version_that_it_would_have_purged(ini: Path, url: URL) -> None:
    migration_runner.upgrade(url, FIRST, alembic_ini=ini)
    before = migration_runner.journal(url, alembic_ini=ini)
    with pytest.raises(RefusedError, match=f"does not look like {HEAD}"):
        migration_runner.stamp(url, HEAD, purge=True, alembic_ini=ini)
    assert migration_runner.current(url, alembic_ini=ini) == (FIRST,)
    assert migration_runner.journal(url, alembic_ini=ini) == before
    with pytest.raises(UsageError, match="was not interrupted"):
        migration_runner.stamp(url, FIRST, purge=True, resolved=FIRST, alembic_ini=ini)
    assert migration_runner.current(url, alembic_ini=ini) == (FIRST,)
    stamped = migration_runner.stamp(url, HEAD, purge=True, confirm_drift=True, alembic_ini=ini)
    assert stamped.after == (HEAD,)


@pytest.mark.parametrize("environment", ["dev", "staging"])
def test_what_is_confirmed_is_built_on_without_another_word(
    ini: Path,
    url: URL,
    environment: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("ENVIRONMENT", environment)
    migration_runner.upgrade(url, FIRST, alembic_ini=ini)
    migration_runner.stamp(url, HEAD, confirm_drift=True, alembic_ini=ini)
    with caplog.at_level(logging.WARNING):
        assert migration_runner.upgrade(url, alembic_ini=ini).after == (HEAD,)
    assert caplog.records == []


def test_plain_alembic_is_held_to_it_too_and_has_the_same_way_out(
    ini: Path, url: URL, alembic: Any
) -> None:
    server = {"WDH_TEST_DATABASE_URI": url.render_as_string(hide_password=False)}
    env = server if url.get_backend_name() == "postgresql" else {}
    execute(url, ORDERS)
    refused = alembic("stamp", "head", url=url, cwd=ini.parent, env=env)
    assert refused.returncode == 4, refused.stderr
    assert "more is missing" in refused.stderr
    confirmed = ["-x", "confirm-drift=yes", "stamp", "head"]
    done = alembic(*confirmed, url=url, cwd=ini.parent, env=env)
    assert done.returncode == 0, done.stderr
    assert alembic("stamp", FIRST, url=url, cwd=ini.parent, env=env).returncode == 0


def test_what_there_is_beside_it_does_not_count(ini: Path, url: URL) -> None:
    execute(url, ORDERS, MORE, "CREATE TABLE made_by_a_pipeline (id INTEGER)")
    assert migration_runner.stamp(url, FIRST, alembic_ini=ini).after == (FIRST,)
    assert migration_runner.stamp(url, HEAD, alembic_ini=ini).after == (HEAD,)
    assert migration_runner.stamp(url, "base", alembic_ini=ini).after == ()


def test_where_it_cannot_be_told_ones_own_is_stamped_with_a_word(
    ini: Path, url: URL, caplog: pytest.LogCaptureFixture
) -> None:
    execute(url, ORDERS, MORE)
    revision = next(ini.parent.rglob(f"{FIRST}_*.py"))
    needs_rows = "op.get_bind().exec_driver_sql('SELECT 1 FROM rows_of_production').one()"
    text = revision.read_text(encoding="utf-8").replace(
        "    op.execute", f"    {needs_rows}\n    op.execute"
    )
    revision.write_text(text, encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert migration_runner.stamp(url, alembic_ini=ini).after == (HEAD,)
    assert "it cannot be told whether the schema looks like" in caplog.text
    assert "rows_of_production" in caplog.text
    assert last_detail(url, ini) == "not verified"


@pytest.mark.parametrize("session", ["staging", "prod"])
def test_where_it_cannot_be_told_staging_and_prod_want_a_word(
    ini: Path, postgresql_url: URL, monkeypatch: pytest.MonkeyPatch, session: str
) -> None:
    monkeypatch.setenv("ENVIRONMENT", session)
    # Nobody listens there.
    monkeypatch.setenv("WDH_TEST_DATABASE_URI", "postgresql://me:hunter2@127.0.0.1:1/postgres")
    execute(postgresql_url, ORDERS, MORE)
    with pytest.raises(RefusedError, match="cannot be told whether") as refused:
        migration_runner.stamp(postgresql_url, alembic_ini=ini)
    assert "hunter2" not in refused.value.for_people()
    assert migration_runner.current(postgresql_url, alembic_ini=ini) == ()
    done = migration_runner.stamp(postgresql_url, confirm_drift=True, alembic_ini=ini)
    assert done.after == (HEAD,)


def test_nobody_is_held_to_a_throw_away_database_or_where_it_is_switched_off(
    ini: Path, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration_runner.upgrade(url, FIRST, ephemeral=True, alembic_ini=ini)
    assert migration_runner.stamp(url, alembic_ini=ini).after == (HEAD,)
    migration_runner.stamp(url, FIRST, alembic_ini=ini)
    migration_runner.record_environment("dev", url, alembic_ini=ini)
    with pytest.raises(RefusedError, match="does not look like"):
        migration_runner.stamp(url, alembic_ini=ini)
    monkeypatch.setenv("WDH_DRIFT", "off")
    get_settings.cache_clear()
    assert migration_runner.stamp(url, alembic_ini=ini).after == (HEAD,)


def test_of_two_branches_the_other_is_left_as_it_is(ini: Path, url: URL) -> None:
    branch = next(ini.parent.rglob(f"{HEAD}_*.py"))
    text = branch.read_text(encoding="utf-8")
    other = text.replace(HEAD, "20260101_0002").replace("more", "other")
    branch.with_name("20260101_0002_other.py").write_text(other, encoding="utf-8")
    execute(url, ORDERS, MORE)
    migration_runner.stamp(url, HEAD, alembic_ini=ini)
    with pytest.raises(RefusedError, match="other is missing"):
        migration_runner.stamp(url, "20260101_0002", alembic_ini=ini)
    execute(url, MORE.replace("more", "other"), "DROP TABLE more")
    with pytest.raises(RefusedError, match="more is missing"):
        migration_runner.stamp(url, "20260101_0002", alembic_ini=ini)
    execute(url, MORE)
    assert migration_runner.stamp(url, "20260101_0002", alembic_ini=ini).after == (
        HEAD,
        "20260101_0002",
    )
