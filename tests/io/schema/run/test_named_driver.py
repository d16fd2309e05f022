"""The run's own connection has the driver that the URL names, and every guard stands around it."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine
from tests.sessions import SLEEPING, wait_for_session

from work_data_hub.config import get_settings, run_driver
from work_data_hub.errors import MigrationFailedError, SettingsError, UsageError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.database.reset import reset
from work_data_hub.io.schema.database.seed import seed
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.record.facts import is_local

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL, Connection
    from tests.warm_python import Program

TABLE = "op.execute('CREATE TABLE t (x int)')"
RAW = "raw = op.get_bind().connection.driver_connection\n"
COUNT = "SELECT count(*) FROM t"


@pytest.fixture
def named(postgresql_url: URL) -> URL:
    """The URL of an empty database, which names psycopg2."""
    return postgresql_url.set(drivername="postgresql+psycopg2")


@pytest.fixture
def migrate(
    make_history: Any, revision_body: Any, run_alembic: Any, named: URL
) -> Callable[..., None]:
    """Bring the database to the head of a history, each revision of which is code."""

    def run(*code: str) -> None:
        run_alembic(make_history([revision_body(each) for each in code]), named, "upgrade", "head")

    return run


def scalar(url: URL, query: str) -> Any:
    with connect(url) as connection:
        return connection.exec_driver_sql(query).scalar()


def failure(migrate: Callable[..., None], *code: str) -> MigrationFailedError:
    with pytest.raises(MigrationFailedError) as failed:
        migrate(*code)
    return failed.value


def test_a_revision_that_only_the_named_driver_runs_is_run_by_it(
    migrate: Callable[..., None], postgresql_url: URL
) -> None:
    text_for_a_number = "op.get_bind().execute(sa.text('INSERT INTO t VALUES (:x)'), {'x': '1'})"
    migrate(f"{TABLE}\n{text_for_a_number}\nassert op.get_bind().dialect.driver == 'psycopg2'")
    assert scalar(postgresql_url, COUNT) == 1


@pytest.mark.parametrize(
    "commit",
    [
        "raw.commit()",
        "raw.cursor().execute('COMMIT')",
        "raw.cursor().execute(b'COMMIT')",
        "with raw:\n    pass",
        "op.get_bind().commit()",
        "op.execute('COMMIT')",
    ],
)
def test_its_commit_is_refused_before_it_happens(
    migrate: Callable[..., None], postgresql_url: URL, commit: str
) -> None:
    failed = failure(migrate, f"{TABLE}\n{RAW}{commit}\nraw.cursor().execute('SELECT 1')")
    assert "its own transaction" in failed.message
    assert scalar(postgresql_url, "SELECT to_regclass('t')") is None


@pytest.mark.parametrize(
    "insert",
    [
        "cursor.execute('INSERT INTO t VALUES (1)')",
        "cursor.executemany('INSERT INTO t VALUES (%s)', [(1,)])",
        "cursor.copy_expert('COPY t FROM STDIN', io.StringIO('1\\n'))",
        "cursor.copy_from(io.StringIO('1\\n'), 't')",
        "cursor.callproc('insert_it')",
        "raw.cursor(cursor_factory=extras.DictCursor).execute('INSERT INTO t VALUES (1)')",
    ],
)
def test_whatever_way_it_writes_in_an_autocommit_block_is_known_when_it_is_interrupted(
    migrate: Callable[..., None], postgresql_url: URL, insert: str, tmp_path: Path
) -> None:
    function = "CREATE FUNCTION insert_it() RETURNS void LANGUAGE sql AS 'INSERT INTO t VALUES (1)'"
    before = f"{TABLE}\nop.execute({function!r})"
    code = (
        "import io\nfrom psycopg2 import extras\n"
        f"with op.get_context().autocommit_block():\n    {RAW}"
        f"    cursor = raw.cursor()\n    {insert}\n    op.execute('SELECT 1 / 0')"
    )
    failed = failure(migrate, before, code)
    assert "a part of it is committed" in failed.hint
    assert scalar(postgresql_url, COUNT) == 1
    ini = tmp_path / "history" / "alembic.ini"
    (problem,) = migration_runner.status(postgresql_url, alembic_ini=ini).problems
    assert problem.code == "interrupted"
    assert "INSERT" in problem.message or "COPY" in problem.message or "CALL" in problem.message


def test_copying_out_of_a_table_is_no_write(
    migrate: Callable[..., None], postgresql_url: URL
) -> None:
    migrate(TABLE, f"import io\n{RAW}raw.cursor().copy_to(io.StringIO(), 't')")
    assert scalar(postgresql_url, COUNT) == 0


def test_it_gives_way_to_readers_and_is_tried_again(
    migrate: Callable[..., None],
    postgresql_url: URL,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", "0.3")
    monkeypatch.setenv("WDH_LOCK_DEADLINE", "1")
    get_settings.cache_clear()
    migrate(TABLE)
    alter = "op.add_column('t', sa.Column('y', sa.Integer))"
    with connect(postgresql_url) as reader:
        reader.exec_driver_sql(COUNT)
        assert "lock timeout" in failure(migrate, TABLE, alter).message
    assert "again in" in caplog.text
    assert "waits for pid" in caplog.text
    migrate(TABLE, alter)


def test_a_server_that_ends_its_session_has_rolled_it_back(
    migrate: Callable[..., None], postgresql_url: URL
) -> None:
    ending = "op.execute('SELECT pg_terminate_backend(pg_backend_pid())')"
    assert "it was rolled back" in failure(migrate, f"{TABLE}\n{ending}").hint
    assert scalar(postgresql_url, "SELECT to_regclass('t')") is None


def test_ctrl_c_ends_its_statement_at_once(
    named: URL,
    make_history: Any,
    revision_body: Any,
    start_alembic: Callable[..., Program],
    postgresql_url: URL,
) -> None:
    run = start_alembic(
        make_history([revision_body(f"{TABLE}\nop.execute('SELECT pg_sleep(60)')")]), named
    )
    wait_for_session(postgresql_url, SLEEPING)
    began = time.monotonic()
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert run.returncode == 130
    assert "was rolled back" in said
    assert scalar(postgresql_url, "SELECT to_regclass('t')") is None


def test_an_index_is_built_concurrently_by_it(
    migrate: Callable[..., None], postgresql_url: URL
) -> None:
    build = "CREATE INDEX CONCURRENTLY i ON t (x)"
    migrate(TABLE, f"with op.get_context().autocommit_block():\n    op.execute({build!r})")
    is_valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass"
    assert scalar(postgresql_url, is_valid) is True


def test_seeds_are_loaded_and_a_reset_drops_by_it(named: URL, tmp_path: Path) -> None:
    migration_runner.upgrade(named)
    (seeds := tmp_path / "seeds.sql").write_text(
        "CREATE TABLE t (x int);\nINSERT INTO t SELECT 100 % 7;\nINSERT INTO t VALUES (2), (3);"
    )
    loaded = seed(named, seeds)
    assert (loaded.statements, loaded.rows) == (3, 3)
    reset(named)
    assert scalar(named, "SELECT to_regclass('t')") is None


def test_whether_its_database_is_here_is_told_by_the_address_and_not_by_the_name(
    named: URL,
) -> None:
    url = named.update_query_dict({"hostaddr": "127.0.0.1"}).set(host="db.example.com")
    with connect(url) as connection:
        assert is_local(connection)


def test_a_connection_of_the_caller_s_keeps_its_driver(
    named: URL, make_history: Any, revision_body: Any
) -> None:
    body = f"{TABLE}\n{RAW}raw.commit()"
    config = Config(str(make_history([revision_body(body)]) / "alembic.ini"))
    engine = sa.create_engine(named, poolclass=sa.NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        # A class in C cannot be listened to, but what it did is found.
        with pytest.raises(MigrationFailedError, match="ended its transaction") as failed:
            command.upgrade(config, "head")
        assert "a part of it is committed" in failed.value.hint


@pytest.mark.parametrize("driver", ["psycopg_async", "aiosqlite"])
def test_a_connection_that_cannot_be_watched_is_refused(
    driver: str, postgresql_url: URL, sqlite_url: URL, make_history: Any, revision_body: Any
) -> None:
    url = sqlite_url if driver == "aiosqlite" else postgresql_url
    url = url.set(drivername=f"{url.get_backend_name()}+{driver}")
    config = Config(str(make_history([revision_body(TABLE)]) / "alembic.ini"))

    def upgrade(connection: Connection) -> None:
        config.attributes["connection"] = connection
        with pytest.raises(UsageError, match="cannot be watched") as refused:
            command.upgrade(config, "head")
        assert "or a URL" in refused.value.hint

    async def use() -> None:
        engine = create_async_engine(url, poolclass=sa.NullPool)
        async with engine.connect() as connection:
            await connection.run_sync(upgrade)
        await engine.dispose()

    asyncio.run(use())
    migration_runner.upgrade(url)  # the way out


def test_a_driver_that_is_installed_and_broken_is_said_to_be(
    named: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    monkeypatch.setattr(run_driver, "find_spec", lambda name: find_spec("sqlite3"))
    with pytest.raises(SettingsError, match="the driver psycopg2, which cannot be loaded") as said:
        migration_runner.upgrade(named)
    assert "postgresql+psycopg://" in said.value.hint
    assert migration_runner.status(named).driver.name == "psycopg2"
    migration_runner.upgrade(named.set(drivername="postgresql+psycopg"))


@pytest.mark.parametrize(
    ("driver", "why"),
    [
        ("asyncpg", "is asynchronous"),
        ("pg8000", "does not say how its transaction stands"),
        ("psycopg2", "is not installed"),
    ],
)
def test_a_driver_that_is_replaced_is_named_by_status_and_where_sql_fails(
    driver: str,
    why: str,
    postgresql_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(run_driver, "find_spec", lambda name: None)
    url = postgresql_url.set(drivername=f"postgresql+{driver}")
    told = f"psycopg, in the place of {driver}, which {why}"
    assert str(migration_runner.status(url).driver) == told
    project = make_history([revision_body("op.get_bind().exec_driver_sql(\"SELECT '%I'\", ())")])
    with pytest.raises(MigrationFailedError) as failed:
        run_alembic(project, url, "upgrade", "head")
    assert f"psycopg runs migrations, not {driver}, which the URL names" in failed.value.hint
    assert f"the driver is {told}" in caplog.messages
    other = make_history([revision_body("raise ValueError('%I')")])
    with pytest.raises(MigrationFailedError) as failed:
        run_alembic(other, url, "upgrade", "head")
    assert "psycopg" not in failed.value.hint


@pytest.mark.parametrize(
    "driver",
    [
        "postgresql",
        "postgresql+psycopg",
        "postgresql+psycopg_async",
        "postgresql+psycopg2",
        "sqlite",
        "sqlite+pysqlite",
        "sqlite+aiosqlite",
    ],
)
def test_nothing_is_said_of_the_driver_where_it_runs_as_named(
    driver: str,
    postgresql_url: URL,
    sqlite_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
) -> None:
    url = (sqlite_url if driver.startswith("sqlite") else postgresql_url).set(drivername=driver)
    with pytest.raises(MigrationFailedError) as failed:
        run_alembic(make_history([revision_body("op.execute('nonsense')")]), url, "upgrade", "head")
    assert failed.value.hint.endswith("; correct it and run again")
