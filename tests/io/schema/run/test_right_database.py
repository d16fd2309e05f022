"""The right database, whoever asks and through whichever door."""

from __future__ import annotations

import shutil
from argparse import Namespace
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from tests.own_history import HEAD

from work_data_hub.config import get_settings
from work_data_hub.domain.record.record import VERSION_TABLE
from work_data_hub.errors import MigrationFailedError, RefusedError, UsageError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.record import facts, framework_tables
from work_data_hub.io.schema.record.framework_tables import IDENTITY

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL


def set_environment(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("ENVIRONMENT", name)
    get_settings.cache_clear()


def tables(url: URL) -> set[str]:
    with connect(url) as connection:
        return set(sa.inspect(connection).get_table_names())


def test_the_first_run_records_what_the_database_is(database_url: URL) -> None:
    assert migration_runner.identity(database_url) is None
    migration_runner.upgrade(database_url)
    first = migration_runner.identity(database_url)
    assert first is not None
    assert first.environment == "dev"
    migration_runner.downgrade(database_url)
    migration_runner.upgrade(database_url)
    assert migration_runner.identity(database_url) == first


def test_a_session_of_another_environment_changes_nothing(
    postgresql_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, "prod")
    migration_runner.upgrade(postgresql_url)
    entries = migration_runner.journal(postgresql_url)
    set_environment(monkeypatch, "dev")
    for verb in (migration_runner.upgrade, migration_runner.downgrade, migration_runner.stamp):
        with pytest.raises(RefusedError, match="recorded as prod, but ENVIRONMENT is dev"):
            verb(postgresql_url)
    assert migration_runner.current(postgresql_url) == (HEAD,)
    assert migration_runner.journal(postgresql_url) == entries


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_staging_and_prod_are_only_taken_back_by_name(
    postgresql_url: URL, monkeypatch: pytest.MonkeyPatch, environment: str
) -> None:
    set_environment(monkeypatch, environment)
    migration_runner.upgrade(postgresql_url)
    for confirm in (None, "other"):
        with pytest.raises(RefusedError, match="is destructive"):
            migration_runner.downgrade(postgresql_url, confirm=confirm)
        with pytest.raises(RefusedError, match="is destructive"):
            migration_runner.stamp(postgresql_url, "base", confirm=confirm)
    assert migration_runner.current(postgresql_url) == (HEAD,)
    migration_runner.downgrade(postgresql_url, "base", confirm=postgresql_url.database)
    assert migration_runner.current(postgresql_url) == ()


def test_a_database_in_memory_is_confirmed_by_the_name_that_sqlite_has_for_it(
    make_history: Callable[..., Path], revision_body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, "staging")
    config = Config(str(make_history([revision_body("pass")]) / "alembic.ini"))
    with sa.create_engine("sqlite://", poolclass=sa.NullPool).connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        with pytest.raises(RefusedError, match="the database ':memory:' is staging") as refused:
            command.downgrade(config, "base")
        assert "-x confirm=:memory: " in refused.value.hint
        config.cmd_opts = Namespace(x=["confirm=:memory:"])
        command.downgrade(config, "base")
        assert not connection.exec_driver_sql("SELECT 1 FROM alembic_version").all()


def test_the_plain_command_refuses_and_is_confirmed_too(
    postgresql_url: URL,
    alembic: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prod = {"ENVIRONMENT": "prod"}
    assert alembic("upgrade", "head", url=postgresql_url, env=prod).returncode == 0
    for arguments in (["downgrade", "base"], ["stamp", "base"], ["stamp", "--purge", "base"]):
        refused = alembic(*arguments, url=postgresql_url, env=prod)
        assert refused.returncode == 4
        assert f"-x confirm={postgresql_url.database}" in refused.stderr
        assert len(refused.stderr.splitlines()) == 2
    assert alembic("downgrade", "base", url=postgresql_url).returncode == 4
    confirm = f"confirm={postgresql_url.database}"
    done = alembic("-x", confirm, "downgrade", "base", url=postgresql_url, env=prod)
    assert done.returncode == 0, done.stderr


def test_a_stranger_on_another_machine_is_not_taken_back_nor_recorded(
    database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration_runner.upgrade(database_url)
    with connect(database_url) as connection, connection.begin():
        for table in framework_tables.NAMES:
            connection.exec_driver_sql(f"DROP TABLE {table}")
    monkeypatch.setattr(
        "work_data_hub.io.schema.record.identity.is_local", lambda _connection: False
    )
    with pytest.raises(RefusedError, match="counts as prod"):
        migration_runner.downgrade(database_url)
    assert IDENTITY not in tables(database_url)
    assert migration_runner.current(database_url) == (HEAD,)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("sqlite:///x.db", True),
        ("postgresql://h/x", False),
        ("postgresql:///x", True),
        ("postgresql://localhost/x", True),
        ("postgresql://127.0.0.1:5/x", True),
        ("postgresql://[::1]/x", True),
        ("postgresql:///x?host=/var/run", True),
        ("postgresql:///x?host=db.example", False),
        ("postgresql:///x?host=localhost:1&host=db.example:2", False),
        ("postgresql://10.0.0.1/x", False),
        ("postgresql://localhost.evil.example/x", False),
        ("postgresql://127.prod.example.com/x", False),
        ("postgresql://127.9.9.9/x", True),
        ("postgresql:///x?host=[::1]:5432", True),
        ("postgresql:///x?host=[2001:db8::1]:5432", False),
        ("postgresql:///x?host=::ffff:127.0.0.1", True),
        ("postgresql:///x?host=localhost:5432", True),
        ("postgresql:///x?host=a:1&host=b:2", False),
        ("postgresql:///x?host=/var/run,db.example", False),
        ("postgresql:///x?host=/var/run,localhost", True),
        ("postgresql:///x?host=@abstract", True),
        ("postgresql://localhost/x?hostaddr=10.0.0.1", False),
        ("postgresql://db.example/x?hostaddr=127.0.0.1", True),
    ],
)
def test_what_is_on_this_machine_is_known_by_its_address(url: str, local: bool) -> None:
    assert facts.is_local_url(sa.make_url(url)) is local


@pytest.mark.parametrize(("query", "local"), [({"hostaddr": "127.0.0.1"}, True), ({}, True)])
def test_a_connection_is_where_it_leads_to_whatever_its_host_is_called(
    postgresql_url: URL, query: dict[str, str], local: bool
) -> None:
    host = "db.example" if query else "127.0.0.1"
    with connect(postgresql_url.set(host=host, query=query)) as connection:
        assert facts.is_local(connection) is local


def test_a_copied_file_gets_an_identity_of_its_own(sqlite_url: URL, tmp_path: Path) -> None:
    migration_runner.upgrade(sqlite_url)
    copy = sqlite_url.set(database=str(tmp_path / "copy.db"))
    shutil.copy(str(sqlite_url.database), str(copy.database))
    migration_runner.upgrade(copy)
    ids = {migration_runner.identity(url) for url in (sqlite_url, copy)}
    assert len(ids) == 2


def test_what_is_recorded_is_changed_in_one_way_and_journalled(
    postgresql_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration_runner.upgrade(postgresql_url)
    migration_runner.record_environment("prod", postgresql_url)
    with pytest.raises(RefusedError):
        migration_runner.upgrade(postgresql_url)
    with pytest.raises(RefusedError, match="recording it as dev is destructive"):
        migration_runner.record_environment("dev", postgresql_url)
    migration_runner.record_environment("dev", postgresql_url, confirm=postgresql_url.database)
    migration_runner.upgrade(postgresql_url)
    records = [e for e in migration_runner.journal(postgresql_url) if e.direction == "record"]
    assert [entry.detail for entry in records] == ["dev -> prod", "prod -> dev"]


def test_the_plain_command_changes_what_is_recorded(
    database_url: URL, alembic: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    record = ("-x", "record_environment=staging", "ensure_version")
    assert alembic(*record, url=database_url).returncode == 0
    identity = migration_runner.identity(database_url)
    assert identity is not None
    assert identity.environment == "staging"
    wrong = alembic("-x", "record_environment=production", "ensure_version", url=database_url)
    assert wrong.returncode == 2
    mixed = alembic("-x", "record_environment=dev", "upgrade", "head", url=database_url)
    assert mixed.returncode == 2
    assert "record_environment does not go together with a migration" in mixed.stderr
    assert "ensure_version" in mixed.stderr
    stayed = migration_runner.identity(database_url)
    assert stayed is not None
    assert stayed.environment == "staging"


def test_the_teardown_accident_leaves_the_other_database_as_it_is(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "production.db"
    migration_runner.upgrade(f"sqlite:///{other}")
    content = other.read_bytes()
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{other}")
    get_settings.cache_clear()
    migration_runner.upgrade(database_url)
    migration_runner.downgrade(database_url, "base")
    assert migration_runner.current(database_url) == ()
    assert other.read_bytes() == content


def test_an_env_py_that_swaps_the_connection_is_found_before_the_first_statement(
    sqlite_url: URL,
    tmp_path: Path,
    make_history: Callable[..., Path],
    run_alembic: Callable[..., None],
) -> None:
    project = make_history([])
    other = tmp_path / "production.db"
    (project / "io/schema/migrations/env.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import context\n"
        "from work_data_hub.io.schema.environment import run\n"
        f"engine = sa.create_engine('sqlite:///{other}', poolclass=sa.NullPool)\n"
        "with engine.connect() as connection:\n"
        "    context.config.attributes['connection'] = connection\n"
        "    run(context)\n",
        encoding="utf-8",
    )
    with pytest.raises(RefusedError, match="in its place"):
        run_alembic(project, sqlite_url, "downgrade", "base")
    assert not other.exists() or other.stat().st_size == 0


@pytest.mark.parametrize("option", ["connection", "url", "fn", "on_version_apply"])
def test_an_env_py_may_not_replace_what_guards_the_run(
    sqlite_url: URL,
    make_history: Callable[..., Path],
    run_alembic: Callable[..., None],
    option: str,
) -> None:
    project = make_history([])
    env = project / "io/schema/migrations/env.py"
    env.write_text(env.read_text().replace("run(context)", f"run(context, {option}=None)"))
    with pytest.raises(UsageError, match=option):
        run_alembic(project, sqlite_url, "upgrade", "head")
    assert VERSION_TABLE not in tables(sqlite_url)


def asks_the_config(project: Path, *, declared: str | None) -> Config:
    """Return a project's Config; its alembic.ini may declare a database."""
    ini = project / "alembic.ini"
    if declared is not None:
        text = ini.read_text(encoding="utf-8")
        declaring = text.replace("[alembic]\n", f"[alembic]\nsqlalchemy.url = {declared}\n", 1)
        ini.write_text(declaring, encoding="utf-8")
    return Config(str(ini))


ASKED = (
    "from alembic import context\nfrom sqlalchemy.engine import make_url\n"
    "told = make_url(context.config.get_main_option('sqlalchemy.url'))\n"
)


@pytest.mark.parametrize("declared", [None, "sqlite:///%(here)s/declared.db"])
def test_a_revision_that_asks_the_config_is_told_the_database_of_the_run(
    database_url: URL,
    make_history: Callable[..., Path],
    revision_body: Any,
    monkeypatch: pytest.MonkeyPatch,
    declared: str | None,
) -> None:
    body = f"{ASKED}assert told == op.get_bind().engine.url"
    project = make_history([revision_body(body, body)])
    config = asks_the_config(project, declared=declared)
    before = config.get_main_option("sqlalchemy.url")
    monkeypatch.setenv("DATABASE_URL", database_url.render_as_string(hide_password=False))
    get_settings.cache_clear()
    command.upgrade(config, "head")
    command.downgrade(config, "base")
    assert config.get_main_option("sqlalchemy.url") == before
    assert not (project / "declared.db").exists()


def test_the_config_says_what_it_said_before_when_a_revision_failed(
    tmp_path: Path,
    make_history: Callable[..., Path],
    revision_body: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = make_history([revision_body(f"{ASKED}raise ValueError(told.database)")])
    config = asks_the_config(project, declared="sqlite:///%(here)s/declared.db")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/100%25.db")
    get_settings.cache_clear()
    with pytest.raises(MigrationFailedError, match=f"ValueError: {tmp_path}/100%"):
        command.upgrade(config, "head")
    declared = f"sqlite:///{project}/declared.db"
    assert config.get_main_option("sqlalchemy.url") == declared


def test_a_revision_that_asks_the_config_is_told_which_database_the_sql_is_for(
    sqlite_url: URL, make_history: Callable[..., Path], revision_body: Any
) -> None:
    project = make_history([revision_body(f"{ASKED}op.execute(f'-- for {{told.database}}')")])
    asks_the_config(project, declared="sqlite:///%(here)s/declared.db")
    printed = migration_runner.sql(sqlite_url, alembic_ini=project / "alembic.ini")
    assert f"-- for {sqlite_url.database}" in printed
