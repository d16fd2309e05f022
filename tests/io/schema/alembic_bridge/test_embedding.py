"""A program that calls the package gets words, whatever it hands over and wherever it calls."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event

from work_data_hub.config import get_settings
from work_data_hub.errors import MigrationFailedError, SettingsError, UsageError
from work_data_hub.io.schema import engine, migration_runner
from work_data_hub.io.schema.record import runner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

TABLE = "op.create_table('made', sa.Column('x', sa.Integer))"


@pytest.fixture
def project(make_history: Callable[..., Path], revision_body: Any) -> Path:
    return make_history([revision_body(TABLE, "op.drop_table('made')")])


def config(project: Path, connection: sa.Connection) -> Config:
    return Config(str(project / "alembic.ini"), attributes={"connection": connection})


@pytest.mark.parametrize("read_only", [False, True])
def test_an_engine_of_ours_on_the_config_serves_every_command(
    database_url: URL, project: Path, read_only: bool
) -> None:
    ours = engine.create_engine(database_url, read_only=read_only)
    for _ in range(2):
        with ours.connect() as connection:
            command.upgrade(config(project, connection), "head")
            command.current(config(project, connection))
            command.downgrade(config(project, connection), "base")
    if database_url.get_backend_name() == "sqlite":
        own = engine._begin if read_only else engine._begin_immediate
        assert event.contains(ours, "begin", own)
        assert event.contains(ours, "handle_error", engine._stay_open)


def test_what_was_changed_on_a_callers_engine_is_put_back(sqlite_url: URL, project: Path) -> None:
    theirs = sa.create_engine(sqlite_url, poolclass=sa.NullPool)
    with theirs.connect() as connection:
        raw = engine.driver_connection(connection)
        before = raw.isolation_level
        command.upgrade(config(project, connection), "head")
        assert raw.isolation_level == before
        assert not event.contains(connection, "begin", engine._begin_immediate)
    assert not event.contains(theirs, "handle_error", engine._stay_open)


def test_looking_through_a_callers_connection_takes_no_write_lock(
    sqlite_url: URL, project: Path
) -> None:
    migration_runner.upgrade(sqlite_url, alembic_ini=project / "alembic.ini")
    with engine.connect(sqlite_url) as writer, writer.begin():
        writer.exec_driver_sql("INSERT INTO made VALUES (1)")
        theirs = sa.create_engine(sqlite_url, connect_args={"timeout": 0})
        with theirs.connect() as connection:
            command.current(config(project, connection))
        theirs.dispose()


def test_a_closed_connection_on_the_config_is_refused(database_url: URL, project: Path) -> None:
    with engine.connect(database_url) as connection:
        pass
    with pytest.raises(UsageError, match="is closed"):
        command.upgrade(config(project, connection), "head")


@pytest.mark.parametrize("backend", ["mysql", "mssql", "oracle", "mysql+pymysql"])
def test_a_url_of_another_database_is_refused_in_words(backend: str) -> None:
    for url in (sa.engine.URL.create(backend, host="h", database="x"), f"{backend}://h/x"):
        with pytest.raises(SettingsError, match="not supported"):
            migration_runner.upgrade(url)


def test_the_project_may_be_named_by_text(database_url: URL, project: Path) -> None:
    ini: Any = str(project / "alembic.ini")
    assert migration_runner.upgrade(database_url, alembic_ini=ini).steps
    assert migration_runner.status(database_url, alembic_ini=ini).is_clear
    assert migration_runner.heads(ini) == ("20260101_0000",)


def test_a_run_inside_a_run_is_refused_in_words(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    inside = (
        "from work_data_hub.io.schema import migration_runner\n"
        "migration_runner.upgrade('sqlite://')"
    )
    project = make_history([revision_body(inside)])
    with pytest.raises(MigrationFailedError, match="a run was asked for inside a run"):
        migration_runner.upgrade(database_url, alembic_ini=project / "alembic.ini")
    assert migration_runner.current(database_url, alembic_ini=project / "alembic.ini") == ()


def test_an_observer_that_asks_for_a_run_is_refused_in_words(
    database_url: URL, project: Path
) -> None:
    class Asking:
        def planned(self, plan: object) -> None:
            migration_runner.current(database_url)

        def started(self, step: object) -> None: ...
        def finished(self, step: object, seconds: float) -> None: ...
        def waiting(self, reason: str) -> None: ...

    with pytest.raises(UsageError, match="inside a run"):
        migration_runner.upgrade(
            database_url, alembic_ini=project / "alembic.ini", observer=Asking()
        )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_child_that_was_forked_during_a_run_can_run_itself(
    sqlite_url: URL, make_history: Any, revision_body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WDH_RUN_LOCK_WAIT", "5")
    get_settings.cache_clear()
    project = make_history([revision_body("import time; time.sleep(1.5)")])
    running = threading.Thread(
        target=lambda: migration_runner.upgrade(sqlite_url, alembic_ini=project / "alembic.ini")
    )
    running.start()
    time.sleep(0.7)
    child = os.fork()
    if child == 0:
        try:
            migration_runner.current("sqlite://", alembic_ini=project / "alembic.ini")
            os._exit(0)
        except BaseException:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    running.join(30)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize(
    "name",
    [
        "WDH_RUN_LOCK_WAIT",
        "WDH_LOCK_TIMEOUT",
        "WDH_LOCK_DEADLINE",
        "WDH_STATEMENT_TIMEOUT",
        "WDH_CONNECT_WAIT",
    ],
)
@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e10", "1000001", "-1"])
def test_seconds_that_cannot_be_counted_are_refused(
    sqlite_url: URL, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    with pytest.raises(SettingsError, match=name):
        migration_runner.upgrade(sqlite_url)


@pytest.mark.parametrize("name", ["M\udcfcller", "", "a" * 300, "\N{SNOWMAN}"])
def test_any_name_of_a_user_can_be_written_down(
    database_url: URL, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(runner, "_os_user", lambda: name)
    runner.this_runner.cache_clear()
    try:
        migration_runner.upgrade(database_url)
        entry, *_ = migration_runner.journal(database_url)
        assert entry.os_user == name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    finally:
        runner.this_runner.cache_clear()


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert runner._os_user() == str(os.getuid())
