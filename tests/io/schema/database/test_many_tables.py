"""A reset of more tables than the server has room for the locks of."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import errors, sql

from work_data_hub.config import get_settings
from work_data_hub.errors import MigrationFailedError, RefusedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.database import content
from work_data_hub.io.schema.database.content import DatabaseObject, read_content
from work_data_hub.io.schema.database.provisioning import create
from work_data_hub.io.schema.database.reset import plan_reset, reset
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.ephemeral.postgres_server import running_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL

    from work_data_hub.io.schema.ephemeral.postgres_server import PostgresServer

COUNT = 250
FREE = 200


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of its own: what takes its room for locks takes it from every session."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def url(server: PostgresServer) -> Iterator[URL]:
    """The URL of a database with many tables, up to head."""
    url = server.url("many")
    create(url)
    migration_runner.upgrade(url)
    execute(url, *(f"CREATE TABLE t{n} (id serial PRIMARY KEY, x text)" for n in range(COUNT)))
    yield url
    execute(server.url(), "DROP DATABASE IF EXISTS many WITH (FORCE)")


def execute(url: URL, *statements: str) -> None:
    with connect(url) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in statements:
            connection.exec_driver_sql(statement)


@contextmanager
def little_room(server: PostgresServer, free: int = FREE) -> Iterator[None]:
    """Leave room for few locks, as other sessions do that hold many."""
    text = server.url().set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(text, autocommit=True) as other:
        taken = 0
        with suppress(errors.OutOfMemory):
            while True:
                other.execute(
                    sql.SQL("SELECT pg_advisory_lock(n) FROM generate_series({}, {}) AS n").format(
                        taken, taken + 9
                    )
                )
                taken += 10
        other.execute("SELECT pg_advisory_unlock(n) FROM generate_series(0, %s) AS n", [free - 1])
        yield


def left(url: URL) -> set[str]:
    with connect(url) as connection:
        return {each.name for each in read_content(connection, ["public"])}


def test_it_takes_several_transactions_where_one_would_run_out_of_locks(
    server: PostgresServer, url: URL, caplog: pytest.LogCaptureFixture
) -> None:
    with little_room(server):
        reset(url)
    assert "no room for so many locks" in caplog.text
    assert not [name for name in left(url) if name.startswith("public.t")]
    assert migration_runner.status(url).is_clear


def test_it_takes_one_where_there_is_room(url: URL, caplog: pytest.LogCaptureFixture) -> None:
    reset(url)
    assert "no room" not in caplog.text
    assert migration_runner.status(url).is_clear


def test_more_than_half_of_all_locks_are_never_asked_for(
    url: URL, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    portions: list[int] = []
    drop = content._drop

    def noted(connection: Any, objects: Any) -> None:
        portions.append(len(objects))
        drop(connection, objects)

    monkeypatch.setattr(content, "_drop", noted)
    # As if each table had ten times as many indexes.
    locks = content._LOCKS.text.replace("sum(", "10 * sum(")
    monkeypatch.setattr(content, "_LOCKS", sa.text(locks))
    reset(url)
    assert "no room for so many locks" in caplog.text
    assert max(portions) < COUNT / 2
    assert migration_runner.status(url).is_clear


def test_whoever_is_stopped_in_the_middle_finds_no_revision_and_can_do_it_again(
    server: PostgresServer, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", "0.2")
    get_settings.cache_clear()
    execute(url, f"CREATE VIEW v AS SELECT * FROM t{COUNT - 1}")
    with connect(url) as reader, little_room(server):
        reader.exec_driver_sql(f"SELECT * FROM t{COUNT - 1}")
        with pytest.raises(MigrationFailedError, match="lock timeout"):
            reset(url)
    assert 0 < len(left(url)) < COUNT
    status = migration_runner.status(url)
    assert status.versions == ()
    assert status.environment == "dev"
    reset(url)
    assert migration_runner.status(url).is_clear


def test_one_thing_that_needs_too_many_comes_when_what_it_takes_along_is_gone(
    server: PostgresServer, url: URL
) -> None:
    parts = [f"CREATE TABLE z{n} PARTITION OF a FOR VALUES IN ({n})" for n in range(COUNT)]
    execute(url, "CREATE TABLE a (n int PRIMARY KEY) PARTITION BY LIST (n)", *parts)
    with little_room(server):
        reset(url)
    assert migration_runner.status(url).is_clear


def test_one_thing_that_needs_more_than_there_is_is_refused_with_a_way_out(
    server: PostgresServer, url: URL
) -> None:
    indexes = [f"CREATE INDEX ON wide (abs(n + {n}))" for n in range(COUNT)]
    execute(url, "CREATE TABLE wide (n int)", *indexes)
    with little_room(server), pytest.raises(RefusedError, match=r"table public\.wide") as refused:
        reset(url)
    assert "max_locks_per_transaction" in refused.value.hint
    assert left(url) >= {"public.wide", "public.work_data_hub_identity"}
    assert DatabaseObject("table", "public.wide") in plan_reset(url).objects
    execute(server.url(), "DROP DATABASE many")
    assert "DROP DATABASE many" in refused.value.hint
    create(url)
    migration_runner.upgrade(url)
    assert migration_runner.status(url).is_clear
