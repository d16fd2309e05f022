"""A repair is done under the run lock, as it was agreed to, and changes nothing that is applied."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.checkups import execute, findings
from tests.own_history import HEAD

from work_data_hub.config import get_settings
from work_data_hub.errors import LockTimeoutError, RefusedError, UsageError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import create_engine
from work_data_hub.io.schema.first_look.verdict import look
from work_data_hub.io.schema.locks.run_lock import run_lock

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

INI = Path(__file__).parents[4] / "alembic.ini"
LEFT = ("CREATE TABLE orders (id INT)", "CREATE TABLE _alembic_tmp_orders (id INT)")


def tables(url: URL) -> set[str]:
    catalogue = "sqlite_master" if url.get_backend_name() == "sqlite" else "pg_class"
    column = "name" if url.get_backend_name() == "sqlite" else "relname"
    query = f"SELECT {column} FROM {catalogue} WHERE {column} LIKE '%orders'"
    return {name for (name,) in execute(url, query)}


@pytest.fixture
def url(database_url: URL) -> URL:
    """A database in which a batch has left an empty table."""
    migration_runner.upgrade(database_url)
    execute(database_url, *LEFT)
    return database_url


def test_what_is_applied_is_what_it_was(url: URL) -> None:
    before = migration_runner.status(url)
    (done,) = migration_runner.repair(migration_runner.doctor(url), url)
    assert done.fault == ""
    assert tables(url) == {"orders"}
    after = migration_runner.status(url)
    assert (after.versions, after.pending, after.problems) == (before.versions, (), ())
    assert look(INI, url.render_as_string(hide_password=False)) is not None
    assert migration_runner.upgrade(url).steps == ()
    migration_runner.downgrade(url, "base")
    migration_runner.upgrade(url)
    assert migration_runner.current(url) == (HEAD,)
    assert findings(url) == ()


def test_what_was_not_agreed_to_is_not_done(url: URL) -> None:
    agreed = migration_runner.doctor(url)
    execute(url, *(each.replace("orders", "further_orders") for each in LEFT))
    migration_runner.repair(agreed, url)
    assert tables(url) == {"orders", "further_orders", "_alembic_tmp_further_orders"}


def test_a_table_that_has_got_rows_since_is_kept(url: URL) -> None:
    agreed = migration_runner.doctor(url)
    execute(url, "INSERT INTO _alembic_tmp_orders VALUES (1)")
    (done,) = migration_runner.repair(agreed, url)
    assert done.fault.startswith("it is not so any more")
    assert tables(url) == {"orders", "_alembic_tmp_orders"}
    assert migration_runner.journal(url)[-1].direction == "upgrade"


def test_nothing_is_done_while_another_run_is_at_work(
    url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WDH_RUN_LOCK_WAIT", "0.1")
    get_settings.cache_clear()
    agreed = migration_runner.doctor(url)
    schema = "" if url.get_backend_name() == "sqlite" else "public"
    with (
        run_lock(create_engine(url), f"{schema}.alembic_version", 1, print),
        pytest.raises(LockTimeoutError),
    ):
        migration_runner.repair(agreed, url)
    assert tables(url) == {"orders", "_alembic_tmp_orders"}


def test_staging_must_be_named(database_url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "staging")
    migration_runner.upgrade(database_url)
    execute(database_url, *LEFT)
    agreed = migration_runner.doctor(database_url)
    with pytest.raises(RefusedError, match="a repair changes the database, and the") as refused:
        migration_runner.repair(agreed, database_url)
    name = Path(str(database_url.database)).name
    assert f"--confirm {name}" in refused.value.hint
    assert tables(database_url) == {"orders", "_alembic_tmp_orders"}
    migration_runner.repair(agreed, database_url, confirm=name)
    assert tables(database_url) == {"orders"}


def test_another_environment_is_refused(url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    agreed = migration_runner.doctor(url)
    monkeypatch.setenv("ENVIRONMENT", "staging")
    with pytest.raises(RefusedError, match="is recorded as dev"):
        migration_runner.repair(agreed, url, confirm=Path(str(url.database)).name)


def test_without_a_journal_nothing_is_done(database_url: URL) -> None:
    execute(database_url, *LEFT)
    agreed = migration_runner.doctor(database_url)
    with pytest.raises(RefusedError, match="nothing would tell of it"):
        migration_runner.repair(agreed, database_url)
    assert tables(database_url) == {"orders", "_alembic_tmp_orders"}


def test_no_database_is_made(sqlite_url: URL, url: URL) -> None:
    with pytest.raises(UsageError, match="there is no database"):
        migration_runner.repair(migration_runner.doctor(url), sqlite_url)
    assert not Path(str(sqlite_url.database)).exists()


def problems(url: URL) -> list[str]:
    return [each.code for each in migration_runner.status(url).problems]


def test_what_a_repair_changes_was_not_changed_by_hand(database_url: URL) -> None:
    execute(database_url, *LEFT, "CREATE TABLE customers (id INT)")
    migration_runner.upgrade(database_url)
    migration_runner.repair(migration_runner.doctor(database_url), database_url)
    assert tables(database_url) == {"orders"}
    assert problems(database_url) == []


def test_what_was_changed_by_hand_before_is_still_said(database_url: URL) -> None:
    execute(database_url, *LEFT, "CREATE TABLE customers (id INT)")
    migration_runner.upgrade(database_url)
    execute(database_url, "DROP TABLE customers")
    migration_runner.repair(migration_runner.doctor(database_url), database_url)
    assert problems(database_url) == ["schema-changed"]
