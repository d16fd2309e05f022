"""Loading a seed file is a run: admitted, locked, journalled."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.config import get_settings
from work_data_hub.domain.revisions.digest import digest
from work_data_hub.errors import (
    LockTimeoutError,
    RefusedError,
    RunInterrupted,
    SeedFailedError,
    UsageError,
)
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.database import seed as seeding
from work_data_hub.io.schema.engine import connect, create_engine
from work_data_hub.io.schema.locks.run_lock import run_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import URL

SCRIPT = "CREATE TABLE mine (id INTEGER);\nINSERT INTO mine VALUES (1), (2);\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.sql"
    path.write_text(SCRIPT)
    return path


def has_mine(url: URL) -> bool:
    with connect(url) as connection:
        return bool(connection.dialect.has_table(connection, "mine"))


def seeds(url: URL) -> list[Any]:
    return [entry for entry in migration_runner.journal(url) if entry.direction == "seed"]


def as_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", name)
    get_settings.cache_clear()


def test_staging_is_named_before_rows_are_loaded(
    database_url: URL, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_it_must_be_named(database_url, file, "staging", monkeypatch)


def test_prod_is_named_before_rows_are_loaded(
    postgresql_url: URL, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_it_must_be_named(postgresql_url, file, "prod", monkeypatch)


def assert_it_must_be_named(
    database_url: URL, file: Path, environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_environment(environment, monkeypatch)
    migration_runner.upgrade(database_url)
    for confirm in (None, "another"):
        with pytest.raises(RefusedError, match=f"mine.sql changes rows.* is {environment}") as no:
            migration_runner.seed(database_url, file, confirm=confirm)
        assert not has_mine(database_url)
        assert seeds(database_url) == []
    # The hint names the way out, and it is one.
    name = no.value.hint.partition("--confirm ")[2].partition(",")[0]
    assert migration_runner.seed(database_url, file, confirm=name).rows == 2
    assert has_mine(database_url)


def test_a_dev_database_needs_no_confirmation_and_keeps_a_row_of_what_was_loaded(
    database_url: URL, file: Path
) -> None:
    migration_runner.upgrade(database_url)
    assert migration_runner.seed(database_url, file).rows == 2
    (row,) = seeds(database_url)
    assert (row.revision, row.outcome, row.checksum) == ("mine.sql", "done", None)
    assert row.digest == digest(SCRIPT.encode())
    assert row.detail == "2 rows, 2 statements"
    assert migration_runner.status(database_url).is_clear
    assert migration_runner.upgrade(database_url).steps == ()


def test_a_file_that_fails_is_journalled_and_nothing_of_it_is_there(
    database_url: URL, file: Path
) -> None:
    migration_runner.upgrade(database_url)
    file.write_text(f"{SCRIPT}INSERT INTO nowhere VALUES (1);\n")
    with pytest.raises(SeedFailedError, match=r"mine\.sql:3"):
        migration_runner.seed(database_url, file)
    assert not has_mine(database_url)
    (row,) = seeds(database_url)
    assert row.outcome == "failed"
    assert "nowhere" in row.detail


@contextmanager
def held(url: URL) -> Iterator[None]:
    schema = "public" if url.get_backend_name() == "postgresql" else ""
    with run_lock(create_engine(url), f"{schema}.alembic_version", 1.0, lambda _: None):
        yield


def test_seeds_wait_for_the_run_that_is_under_way(
    database_url: URL, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration_runner.upgrade(database_url)
    monkeypatch.setenv("WDH_RUN_LOCK_WAIT", "0.2")
    get_settings.cache_clear()
    with held(database_url), pytest.raises(LockTimeoutError):
        migration_runner.seed(database_url, file)
    assert not has_mine(database_url)
    assert migration_runner.seed(database_url, file).rows == 2


def test_ctrl_c_says_that_nothing_was_loaded(
    database_url: URL, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration_runner.upgrade(database_url)

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(seeding, "load_seeds", interrupt)
    with pytest.raises(RunInterrupted) as interrupted:
        migration_runner.seed(database_url, file)
    assert "nothing of mine.sql was loaded" in interrupted.value.fault.message


def test_a_database_without_a_record_is_seeded_and_gets_none(database_url: URL, file: Path) -> None:
    with connect(database_url) as connection, connection.begin():
        connection.exec_driver_sql("CREATE TABLE theirs (id INTEGER)")
    assert migration_runner.seed(database_url, file).rows == 2
    assert migration_runner.journal(database_url) == ()
    assert migration_runner.identity(database_url) is None


def test_one_of_staging_is_upgraded_before_it_is_seeded(
    database_url: URL, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_environment("staging", monkeypatch)
    with connect(database_url) as connection, connection.begin():
        connection.exec_driver_sql("CREATE TABLE theirs (id INTEGER)")
    with pytest.raises(RefusedError, match="no run has been on") as no:
        migration_runner.seed(database_url, file, confirm=database_url.database)
    assert no.value.hint == "run `wdh db upgrade` first"
    assert not has_mine(database_url)
    migration_runner.upgrade(database_url)
    with pytest.raises(RefusedError) as no:
        migration_runner.seed(database_url, file)
    name = no.value.hint.partition("--confirm ")[2].partition(",")[0]
    migration_runner.seed(database_url, file, confirm=name)
    assert len(seeds(database_url)) == 1


def test_foreign_keys_hold_while_rows_are_loaded(database_url: URL, file: Path) -> None:
    migration_runner.upgrade(database_url)
    file.write_text(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);\n"
        "CREATE TABLE child (parent INTEGER REFERENCES parent (id));\n"
        "INSERT INTO child VALUES (7);\n"
    )
    with pytest.raises(SeedFailedError, match=r"mine.sql:3|commit"):
        migration_runner.seed(database_url, file)


def test_no_file_of_a_database_is_made_for_seeds(sqlite_url: URL, file: Path) -> None:
    with pytest.raises(UsageError, match="there is no database"):
        migration_runner.seed(sqlite_url, file)
    assert not (file.parent / "database.db").exists()


def test_seeds_have_the_time_outs_of_the_role_until_the_file_says_otherwise(
    give_settings: Callable[..., URL], tmp_path: Path
) -> None:
    url = give_settings(statement_timeout="'200ms'")
    path = tmp_path / "rows.sql"
    path.write_text("SELECT pg_sleep(0.5);", encoding="utf-8")
    migration_runner.upgrade(url)
    with pytest.raises(SeedFailedError, match="statement timeout"):
        migration_runner.seed(url, path)
    path.write_text("SET LOCAL statement_timeout = 0; SELECT pg_sleep(0.5);", encoding="utf-8")
    migration_runner.seed(url, path)
