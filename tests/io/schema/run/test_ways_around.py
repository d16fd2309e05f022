"""Ways around the guards that somebody has found; each is closed."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from tests.own_history import HEAD

from work_data_hub.config import get_settings
from work_data_hub.errors import HistoryError, MigrationFailedError, RefusedError, UsageError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect, create_engine

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

    Alembic = Callable[..., subprocess.CompletedProcess[str]]


def session_is(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("ENVIRONMENT", name)
    get_settings.cache_clear()


def scalar(url: URL, query: str) -> Any:
    with connect(url) as connection:
        return connection.exec_driver_sql(query).scalar()


def execute(url: URL, statement: str) -> None:
    with connect(url) as connection, connection.begin():
        connection.exec_driver_sql(statement)


def test_a_history_in_another_schema_is_the_same_database(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, monkeypatch: Any
) -> None:
    session_is(monkeypatch, "prod")
    migration_runner.upgrade(postgresql_url)
    execute(postgresql_url, "CREATE SCHEMA other")
    project = make_history([revision_body("pass")])
    env = project / "io/schema/migrations/env.py"
    options = "run(context, version_table_schema='other', version_table='v2')"
    env.write_text(env.read_text().replace("run(context)", options))
    session_is(monkeypatch, "dev")
    with pytest.raises(RefusedError, match="recorded as prod"):
        run_alembic(project, postgresql_url, "upgrade", "head")
    session_is(monkeypatch, "prod")
    run_alembic(project, postgresql_url, "upgrade", "head")
    recorded = "SELECT environment FROM other.work_data_hub_identity"
    assert scalar(postgresql_url, recorded) == "prod"
    migration_runner.record_environment("dev", postgresql_url, confirm=postgresql_url.database)
    assert scalar(postgresql_url, recorded) == "dev"
    session_is(monkeypatch, "dev")
    run_alembic(project, postgresql_url, "upgrade", "head")


def test_a_file_uri_is_the_file(sqlite_url: URL, monkeypatch: Any, tmp_path: Path) -> None:
    session_is(monkeypatch, "staging")
    migration_runner.upgrade(sqlite_url)
    session_is(monkeypatch, "dev")
    uri = f"sqlite:///file:{sqlite_url.database}?uri=true"
    with pytest.raises(RefusedError, match="recorded as staging"):
        migration_runner.downgrade(uri)
    missing = f"sqlite:///file:{tmp_path}/missing.db?uri=true"
    assert migration_runner.current(missing) == ()
    assert not (tmp_path / "missing.db").exists()


def test_a_purge_that_cannot_be_stamped_leaves_the_version(
    database_url: URL, alembic: Alembic
) -> None:
    migration_runner.upgrade(database_url)
    process = alembic("stamp", "--purge", "nosuch", url=database_url)
    assert process.returncode == 3
    assert migration_runner.current(database_url) == (HEAD,)


@pytest.mark.parametrize(
    "ending",
    [
        "op.execute('-- done\\nCOMMIT')",
        "op.execute('/* done */ commit')",
        "op.execute('END')",
    ],
)
def test_a_commit_behind_a_comment_is_refused(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, ending: str
) -> None:
    code = f"op.execute('CREATE TABLE half (id integer)')\n{ending}"
    with pytest.raises(MigrationFailedError, match="its own transaction"):
        run_alembic(make_history([revision_body(code)]), database_url, "upgrade", "head")
    with connect(database_url) as connection:
        assert not sa.inspect(connection).has_table("half")


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE a (x int); COMMIT; CREATE TABLE b (x int)",
        "CREATE TABLE a (x int); ROLLBACK",
        "BEGIN; CREATE TABLE a (x int); COMMIT;",
        "CREATE TABLE a (x int); COMMIT; BEGIN;",
        "CREATE TABLE a (x int); /* ; */ end; SELECT 1/0",
        "CREATE TABLE a (x int); COMMIT AND CHAIN",
    ],
)
def test_a_script_that_ends_the_transaction_is_refused_before_any_of_it_runs(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, script: str
) -> None:
    code = f"op.execute('CREATE TABLE before (x int)')\nop.execute('{script}')"
    project = make_history([revision_body(code)])
    with pytest.raises(MigrationFailedError, match="its own transaction") as failed:
        run_alembic(project, postgresql_url, "upgrade", "head")
    assert "it was rolled back" in failed.value.hint
    with connect(postgresql_url) as connection:
        found = set(sa.inspect(connection).get_table_names())
    assert not found & {"a", "b", "before"}


@pytest.mark.parametrize(
    "past_sqlalchemy",
    [
        "raw.executescript('CREATE TABLE a (x int)')",
        "raw.executescript('CREATE TABLE a (x int); BEGIN')",
        "raw.cursor().executescript('CREATE TABLE a (x int)')",
        "raw.commit()",
        "raw.execute('COMMIT')",
        "raw.cursor().execute('  /* x */ commit')",
    ],
)
def test_a_commit_on_the_drivers_connection_is_refused_before_it_happens(
    database_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    past_sqlalchemy: str,
) -> None:
    if "executescript" in past_sqlalchemy and database_url.get_backend_name() != "sqlite":
        past_sqlalchemy = "raw.execute('CREATE TABLE a (x int); COMMIT')"
    code = (
        "op.execute('CREATE TABLE before (x int)')\n"
        f"raw = op.get_bind().connection.driver_connection\n{past_sqlalchemy}\nSELECT"
    ).replace("SELECT", "op.execute('SELECT 1')")
    with pytest.raises(MigrationFailedError, match="its own transaction") as failed:
        run_alembic(make_history([revision_body(code)]), database_url, "upgrade", "head")
    assert "it was rolled back" in failed.value.hint
    with connect(database_url) as connection:
        assert not set(sa.inspect(connection).get_table_names()) & {"a", "before"}


def test_a_connection_in_autocommit_mode_is_refused(
    postgresql_url: URL, make_history: Any, revision_body: Any
) -> None:
    config = Config(str(make_history([revision_body("pass")]) / "alembic.ini"))
    engine = sa.create_engine(postgresql_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        with pytest.raises(UsageError, match="autocommit"):
            command.upgrade(config, "head")


def test_a_prod_session_takes_nothing_back_from_a_database_that_is_not_recorded_yet(
    postgresql_url: URL, monkeypatch: Any
) -> None:
    migration_runner.upgrade(postgresql_url)
    for name in ("identity", "journal", "in_progress"):
        execute(postgresql_url, f"DROP TABLE work_data_hub_{name}")
    session_is(monkeypatch, "prod")
    with pytest.raises(RefusedError, match="is destructive"):
        migration_runner.downgrade(postgresql_url)


def test_an_env_py_that_swaps_the_connection_is_found_under_the_command_too(
    alembic: Alembic, make_history: Any, sqlite_url: URL, tmp_path: Path
) -> None:
    project = make_history([])
    (project / "io/schema/migrations/env.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import context\n"
        "from work_data_hub.io.schema.environment import run\n"
        f"other = sa.create_engine('sqlite:///{tmp_path}/other.db', poolclass=sa.NullPool)\n"
        "with other.connect() as connection:\n"
        "    context.config.attributes['connection'] = connection\n    run(context)\n"
    )
    process = alembic("upgrade", "head", url=sqlite_url, cwd=project)
    assert process.returncode == 4
    assert "in its place" in process.stderr


def test_an_index_is_built_concurrently_where_transactions_are_repeatable_read(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("WDH_LOCK_DEADLINE", "5")
    get_settings.cache_clear()
    name = postgresql_url.database
    execute(
        postgresql_url,
        f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'",
    )
    code = (
        "op.execute('CREATE TABLE a (x int)')\nwith op.get_context().autocommit_block():\n"
        "    op.execute('CREATE INDEX CONCURRENTLY ia ON a (x)')"
    )
    run_alembic(make_history([revision_body(code)]), postgresql_url, "upgrade", "head")
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ia'::regclass"
    assert scalar(postgresql_url, valid)


def test_what_an_interrupted_revision_inserted_is_not_inserted_again(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    code = (
        "with op.get_context().autocommit_block():\n"
        "    op.execute('CREATE TABLE IF NOT EXISTS a (x int)')\n"
        "    op.execute('INSERT INTO a VALUES (1)')\n    raise RuntimeError('half way')"
    )
    project = make_history([revision_body(code)])
    for _ in range(2):
        with pytest.raises(MigrationFailedError):
            run_alembic(project, database_url, "upgrade", "head")
    assert scalar(database_url, "SELECT count(*) FROM a") == 1


def test_a_refused_run_clears_nothing_up(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, monkeypatch: Any
) -> None:
    session_is(monkeypatch, "prod")
    code = (
        "with op.get_context().autocommit_block():\n"
        "    op.execute('CREATE INDEX CONCURRENTLY ia ON a (x)')\n    raise RuntimeError('half')"
    )
    table = revision_body("op.execute('CREATE TABLE a (x int)')")
    project = make_history([table, revision_body(code)])
    with pytest.raises(MigrationFailedError):
        run_alembic(project, postgresql_url, "upgrade", "head")
    with pytest.raises(RefusedError):
        run_alembic(project, postgresql_url, "downgrade", "base")
    assert scalar(postgresql_url, "SELECT count(*) FROM pg_indexes WHERE indexname = 'ia'") == 1


def test_a_version_table_that_is_locked_is_waited_for(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", "0.3")
    get_settings.cache_clear()
    project = make_history([revision_body("pass"), revision_body("pass")])
    run_alembic(project, postgresql_url, "upgrade", "+1")
    with create_engine(postgresql_url).connect() as holder:
        holder.exec_driver_sql("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        release = threading.Timer(1.2, holder.rollback)
        release.start()
        run_alembic(project, postgresql_url, "upgrade", "head")
        release.join(10)
    assert migration_runner.current(postgresql_url) == ("20260101_0001",)


def test_a_stamp_does_not_launder_an_edited_revision(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    bodies = [
        revision_body(f"op.create_table('t{n}', sa.Column('id', sa.Integer))") for n in (0, 1)
    ]
    project = make_history(bodies)
    run_alembic(project, database_url, "upgrade", "20260101_0000")
    run_alembic(project, database_url, "stamp", "head", confirm_drift=True)
    edited = project / "io/schema/migrations/versions/20260101_0000_step_0.py"
    edited.write_text(edited.read_text().replace("sa.Integer", "sa.BigInteger"))
    with pytest.raises(HistoryError, match="edited after it was applied"):
        run_alembic(project, database_url, "upgrade", "head")


def test_ctrl_c_outside_of_the_transaction_says_that_a_part_is_committed(
    database_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    start_alembic: Any,
) -> None:
    slow = (
        "op.execute('SELECT pg_sleep(30)')"
        if database_url.get_backend_name() == "postgresql"
        else "import time; time.sleep(30)"
    )
    code = (
        "op.execute('CREATE TABLE a (x int)')\nwith op.get_context().autocommit_block():\n"
        f"    print('running', flush=True)\n    {slow}"
    )
    project = make_history([revision_body(code)])
    process = start_alembic(project, database_url)
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert "interrupted: a part of the upgrade of 20260101_0000 is committed" in said
    assert "Traceback" not in said
    with pytest.raises(MigrationFailedError, match="committed: CREATE TABLE a"):
        run_alembic(project, database_url, "upgrade", "head")


@pytest.mark.parametrize(
    "removal",
    [
        "DROP TABLE work_data_hub_identity",
        "DROP TABLE work_data_hub_journal",
        "DELETE FROM work_data_hub_identity",
    ],
)
def test_a_record_that_was_removed_is_noticed(database_url: URL, removal: str) -> None:
    migration_runner.upgrade(database_url)
    execute(database_url, removal)
    with pytest.raises(RefusedError, match="removed from the database"):
        migration_runner.downgrade(database_url)
    assert migration_runner.current(database_url) == (HEAD,)
