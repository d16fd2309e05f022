"""reset drops everything and builds again, where that is allowed and somebody agreed."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from tests.own_history import HEAD, IDS

from work_data_hub.config import get_settings
from work_data_hub.errors import RefusedError
from work_data_hub.io.schema import engine, migration_runner
from work_data_hub.io.schema.database import reset
from work_data_hub.io.schema.database.content import drop_content

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL


def run(url: URL, *statements: str) -> None:
    with engine.connect(url) as connection, connection.begin():
        for statement in statements:
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def tables(url: URL) -> set[str]:
    with engine.connect(url, read_only=True) as connection:
        return set(sa.inspect(connection).get_table_names())


def test_reset_drops_everything_and_builds_it_again(
    wdh: Callable[..., Any], database_url: URL
) -> None:
    migration_runner.upgrade(database_url)
    run(
        database_url,
        "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE child (parent INTEGER REFERENCES parent (id) ON DELETE CASCADE)",
        "INSERT INTO parent VALUES (1)",
        "INSERT INTO child VALUES (1)",
        "CREATE VIEW seen AS SELECT * FROM child",
        "CREATE INDEX some_index ON child (parent)",
    )
    said = wdh("reset", "--yes", "--json", url=database_url)
    assert said.exit_code == 0
    assert "drops everything" in said.err
    assert {"table", "view"} <= {one.split()[0] for one in said.data["dropped"]}
    assert tables(database_url) == {
        "alembic_version",
        "data_quality_metrics",
        "pipeline_executions",
        "work_data_hub_identity",
        "work_data_hub_in_progress",
        "work_data_hub_journal",
    }
    rows = migration_runner.journal(database_url)
    assert [(row.revision, row.direction) for row in rows] == [(each, "upgrade") for each in IDS]
    assert wdh("status", "--check", url=database_url).exit_code == 0


def test_everything_of_a_postgresql_schema_goes_but_what_is_not_ours(
    wdh: Callable[..., Any], postgresql_url: URL
) -> None:
    run(
        postgresql_url,
        "CREATE TYPE mood AS ENUM ('good')",
        "CREATE DOMAIN short AS text CHECK (length(value) < 9)",
        "CREATE TYPE pair AS (a int, b int)",
        "CREATE SEQUENCE counter",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE PROCEDURE two() LANGUAGE sql AS 'SELECT 2'",
        "CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int)",
        "CREATE TABLE parts (id int GENERATED ALWAYS AS IDENTITY, m mood) PARTITION BY LIST (m)",
        "CREATE TABLE parts_good PARTITION OF parts FOR VALUES IN ('good')",
        'CREATE TABLE "a % b:c" (id serial)',
        "CREATE STATISTICS wise ON id, m FROM parts",
        "CREATE MATERIALIZED VIEW kept AS SELECT one() AS n",
        'CREATE COLLATION mine FROM "C"',
        "CREATE SCHEMA beside",
        "CREATE TABLE beside.safe (id int)",
        "COMMENT ON SCHEMA public IS 'ours'",
    )
    said = wdh("reset", "--yes", "--json", url=postgresql_url)
    assert said.exit_code == 0, said.err
    with engine.connect(postgresql_url) as connection:
        left = connection.exec_driver_sql(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p', 'S', 'v', 'm') AND relname NOT LIKE 'work_data_hub%%'"
        ).scalars()
        assert set(left) == {"alembic_version", "data_quality_metrics", "pipeline_executions"} | {
            name for name in left if name.endswith("_seq")
        }
        procedures = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        assert connection.exec_driver_sql(procedures).scalar() == 0
        comment = "SELECT obj_description('public'::regnamespace, 'pg_namespace')"
        assert connection.exec_driver_sql(comment).scalar() == "ours"
        assert connection.exec_driver_sql("SELECT count(*) FROM beside.safe").scalar() == 0
    wdh("reset", "--yes", "--schema", "beside", url=postgresql_url)
    with engine.connect(postgresql_url) as connection:
        assert sa.inspect(connection).get_table_names(schema="beside") == []
    wrong = wdh("reset", "--yes", "--schema", "pg_catalog", url=postgresql_url)
    assert (wrong.exit_code, "no schema" in wrong.err) == (2, True)


def test_virtual_tables_and_triggers_of_sqlite_go_too(
    wdh: Callable[..., Any], sqlite_url: URL
) -> None:
    run(
        sqlite_url,
        "CREATE VIRTUAL TABLE words USING fts5(text)",
        "CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        "INSERT INTO counted DEFAULT VALUES",
        'CREATE TABLE "a % b:c" (id INTEGER)',
    )
    assert wdh("reset", "--yes", url=sqlite_url).exit_code == 0
    assert not tables(sqlite_url) & {"words", "counted", "a % b:c", "words_data"}


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_a_database_that_matters_is_never_reset(
    wdh: Callable[..., Any],
    postgresql_url: URL,
    monkeypatch: pytest.MonkeyPatch,
    environment: str,
) -> None:
    monkeypatch.setenv("ENVIRONMENT", environment)
    wdh("upgrade", url=postgresql_url)
    said = wdh("reset", "--yes", url=postgresql_url)
    assert (said.exit_code, said.out) == (4, "")
    assert f"is {environment}" in said.err
    assert migration_runner.current(postgresql_url) == (HEAD,)
    assert "pipeline_executions" in tables(postgresql_url)


@pytest.mark.parametrize("changed", ["session", "database"])
def test_what_was_agreed_to_is_decided_on_again_under_the_lock(
    database_url: URL, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    migration_runner.upgrade(database_url)
    agreed = reset.plan_reset(database_url)
    if changed == "database":
        migration_runner.record_environment("staging", database_url)
    monkeypatch.setenv("ENVIRONMENT", "staging")
    get_settings.cache_clear()
    with pytest.raises(RefusedError, match="staging"):
        reset.reset(database_url, agreed=agreed)
    assert "pipeline_executions" in tables(database_url)


def test_a_throw_away_database_stays_one(wdh: Callable[..., Any], database_url: URL) -> None:
    migration_runner.upgrade(database_url, ephemeral=True)
    assert wdh("reset", "--yes", url=database_url).exit_code == 0
    found = migration_runner.identity(database_url)
    assert found is not None
    assert found.environment == "ephemeral"


def test_a_pipe_cannot_agree(wdh_process: Callable[..., Any], database_url: URL) -> None:
    migration_runner.upgrade(database_url)
    said = wdh_process("db", "reset", url=database_url)
    assert (said.exit_code, said.out) == (4, "")
    assert said.err.endswith("hint: add --yes\n")
    assert len(migration_runner.journal(database_url)) == len(IDS)


@pytest.mark.parametrize(("typed", "exit_code"), [("database.db", 0), ("yes", 4), ("", 4)])
def test_a_person_types_the_name_of_the_database(
    wdh_environment: Callable[..., dict[str, str]], sqlite_url: URL, typed: str, exit_code: int
) -> None:
    run(sqlite_url, "CREATE TABLE mine (id INTEGER)")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [Path(sys.executable).with_name("wdh"), "db", "reset"],
        env=wdh_environment(sqlite_url),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.write(ours, f"{typed}\n".encode())
    _, err = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == exit_code
    assert "Type the name of the database (database.db)" in err
    assert ("mine" in tables(sqlite_url)) is (exit_code != 0)


def test_what_may_not_be_dropped_stays_with_all_the_rest(
    wdh: Callable[..., Any], postgresql_url: URL
) -> None:
    name = f"{postgresql_url.database}_tenant"
    run(
        postgresql_url,
        f"CREATE ROLE {name} LOGIN PASSWORD 'x'",
        f"GRANT CREATE, USAGE ON SCHEMA public TO {name}",
        "CREATE TABLE of_another (id int)",
    )
    tenant = postgresql_url.set(username=name, password="x")
    assert wdh("upgrade", url=tenant).exit_code == 0
    said = wdh("reset", "--yes", url=tenant)
    assert said.exit_code == 6
    assert "must be owner" in said.err
    assert {"of_another", "pipeline_executions"} <= tables(postgresql_url)


def test_a_table_that_somebody_uses_ends_the_reset_with_everything_there(
    wdh: Callable[..., Any], postgresql_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", "0.1")
    migration_runner.upgrade(postgresql_url)
    with engine.connect(postgresql_url) as connection:
        connection.exec_driver_sql("SELECT * FROM pipeline_executions")
        said = wdh("reset", "--yes", url=postgresql_url)
    assert (said.exit_code, "lock timeout" in said.err) == (6, True)
    assert migration_runner.current(postgresql_url) == (HEAD,)


def test_only_what_was_shown_is_dropped(database_url: URL) -> None:
    migration_runner.upgrade(database_url)
    shown = migration_runner.plan_reset(database_url)
    run(database_url, "CREATE TABLE came_later (id INTEGER)")
    before = migration_runner.journal(database_url)
    with pytest.raises(RefusedError, match=r"has changed since it was listed: table .*came_later"):
        migration_runner.reset(database_url, agreed=shown)
    assert "came_later" in tables(database_url)
    assert migration_runner.journal(database_url) == before
    migration_runner.reset(database_url, agreed=migration_runner.plan_reset(database_url))
    assert "came_later" not in tables(database_url)


def test_nobody_gets_in_between_emptying_and_building(
    database_url: URL, wdh_environment: Callable[..., dict[str, str]], monkeypatch: Any
) -> None:
    migration_runner.upgrade(database_url)
    others: list[subprocess.Popen[str]] = []

    def empty(*arguments: Any) -> None:
        drop_content(*arguments)
        other = subprocess.Popen(
            [Path(sys.executable).with_name("wdh"), "db", "upgrade"],
            env=wdh_environment(database_url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert other.stderr is not None
        assert any("waiting" in line for line in iter(other.stderr.readline, ""))
        others.append(other)

    monkeypatch.setattr(reset, "drop_content", empty)
    migration_runner.reset(database_url)
    (other,) = others
    _, said = other.communicate(timeout=60)
    assert other.returncode == 0, said
    rows = migration_runner.journal(database_url)
    assert [(row.revision, row.outcome) for row in rows] == [(each, "done") for each in IDS]
