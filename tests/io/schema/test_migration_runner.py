from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from tests.own_history import BELOW_HEAD, DESCRIPTIONS, FIRST, HEAD, IDS

from work_data_hub.errors import HistoryError, SettingsError, UsageError, WorkDataHubError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.database.row_counts import row_counts
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

    from work_data_hub.domain.run.plan import Plan, Step

ALEMBIC_INI = str(Path(__file__).parents[3] / "alembic.ini")


def test_upgrade_says_what_it_did_and_then_that_nothing_had_to_be_done(database_url: URL) -> None:
    assert [step.revision for step in migration_runner.pending(database_url)] == [*IDS]
    first = migration_runner.upgrade(database_url)
    assert (first.before, first.after) == ((), (HEAD,))
    assert [(step.revision, step.direction) for step in first.steps] == [
        (revision, "upgrade") for revision in IDS
    ]
    assert tuple(step.description for step in first.steps) == DESCRIPTIONS
    assert migration_runner.pending(database_url) == ()
    second = migration_runner.upgrade(database_url)
    assert (second.before, second.after, second.steps) == ((HEAD,), (HEAD,), ())


def test_downgrade_takes_back_one_step_and_stamp_runs_nothing(database_url: URL) -> None:
    migration_runner.upgrade(database_url)
    down = migration_runner.downgrade(database_url)
    assert [step.direction for step in down.steps] == ["downgrade"]
    assert migration_runner.current(database_url) == BELOW_HEAD
    migration_runner.downgrade(database_url, "base")
    stamped = migration_runner.stamp(database_url, confirm_drift=True)
    assert [str(step) for step in stamped.steps] == [f"stamp {HEAD}"]
    assert migration_runner.current(database_url) == (HEAD,)
    with connect(database_url) as connection:
        assert row_counts(connection) == {}


def test_a_preview_changes_nothing(database_url: URL) -> None:
    migration_runner.pending(database_url)
    assert migration_runner.current(database_url) == ()
    with connect(database_url) as connection:
        assert sa.inspect(connection).get_table_names() == []


def test_a_result_shows_no_password(postgresql_url: URL) -> None:
    result = migration_runner.upgrade(postgresql_url)
    assert postgresql_url.password is not None
    assert postgresql_url.password not in repr(result)


def test_the_host_keeps_its_logging(
    database_url: URL, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    mine = logging.getLogger("an.application")
    before = (mine.disabled, logging.getLogger().level, list(logging.getLogger().handlers))
    with caplog.at_level(logging.INFO, "work_data_hub"):
        migration_runner.upgrade(database_url)
    assert (mine.disabled, logging.getLogger().level, list(logging.getLogger().handlers)) == before
    assert any(record.message.startswith(f"upgrade {HEAD}") for record in caplog.records)
    assert capfd.readouterr() == ("", "")


def test_it_works_inside_a_running_event_loop(database_url: URL) -> None:
    async def application() -> tuple[str, ...]:
        url = database_url
        if url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+asyncpg")
        return migration_runner.upgrade(url).after

    assert asyncio.run(application()) == (HEAD,)


def test_several_threads_may_call_it_at_once(tmp_path: Path) -> None:
    found: list[tuple[str, ...]] = []

    def work(number: int) -> None:
        found.append(migration_runner.upgrade(f"sqlite:///{tmp_path}/{number}.db").after)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [(HEAD,)] * 4


def test_an_explicit_database_is_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bystander = tmp_path / "bystander.db"
    migration_runner.upgrade(f"sqlite:///{bystander}")
    content = bystander.read_bytes()
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{bystander}")
    mine = f"sqlite:///{tmp_path}/mine.db"
    migration_runner.upgrade(mine)
    migration_runner.downgrade(mine, "base")
    assert bystander.read_bytes() == content


@pytest.mark.parametrize("how", ["option", "connection"])
def test_what_the_caller_put_on_the_config_beats_the_settings(
    database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/other.db")
    config = Config(ALEMBIC_INI)
    if how == "option":
        url = database_url.render_as_string(hide_password=False)
        config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
        command.upgrade(config, "head")
    else:
        with sa.create_engine(database_url, poolclass=sa.NullPool).connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.exec_driver_sql("SELECT count(*) FROM pipeline_executions")
    assert migration_runner.current(database_url) == (HEAD,)
    assert not (tmp_path / "other.db").exists()


def test_a_connection_in_memory_is_migrated_and_left_as_it_was() -> None:
    config = Config(ALEMBIC_INI)
    with sa.create_engine("sqlite://", poolclass=sa.NullPool).connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        before = raw.isolation_level
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        assert "pipeline_executions" in row_counts(connection)
        assert raw.isolation_level == before


def test_a_connection_in_a_transaction_is_refused(database_url: URL) -> None:
    config = Config(ALEMBIC_INI)
    with sa.create_engine(database_url, poolclass=sa.NullPool).begin() as connection:
        config.attributes["connection"] = connection
        with pytest.raises(UsageError, match="in a transaction"):
            command.upgrade(config, "head")
    with connect(database_url) as connection:
        assert sa.inspect(connection).get_table_names() == []


def test_a_lone_percent_in_the_option_is_a_settings_error_without_the_url() -> None:
    config = Config(ALEMBIC_INI)
    sections = config.file_config._sections  # type: ignore[attr-defined]  # as a file has it
    sections["alembic"]["sqlalchemy.url"] = "postgresql://u:hunter2%@h/x"
    with pytest.raises(SettingsError, match="stands alone") as refused:
        command.current(config)
    assert "hunter2" not in refused.value.for_people()
    assert "hunter2" not in "".join(traceback.format_exception(refused.value))


def test_an_unknown_revision_is_a_history_error_that_names_the_nearest(sqlite_url: URL) -> None:
    with pytest.raises(HistoryError) as unknown:
        migration_runner.upgrade(sqlite_url, f"{FIRST[:-1]}9")
    assert FIRST in unknown.value.hint


@pytest.mark.parametrize("revision", ["", None, "base:head", 5])
def test_what_is_no_revision_is_an_error_for_people(sqlite_url: URL, revision: Any) -> None:
    for verb in (migration_runner.upgrade, migration_runner.downgrade, migration_runner.stamp):
        with pytest.raises(WorkDataHubError):
            verb(sqlite_url, revision)


def test_a_path_is_no_url(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not text"):
        migration_runner.upgrade(tmp_path / "x.db")  # type: ignore[arg-type]


def test_history_is_listed_from_the_oldest() -> None:
    history = migration_runner.history()
    assert history[0].revision == FIRST
    assert history[0].down_revisions == ()
    assert history[-1].is_head
    assert (history[-1].revision,) == migration_runner.heads()
    assert all(Path(info.path).is_file() for info in history)


def test_every_verb_takes_another_project(
    make_history: Callable[..., Path], revision_body: Callable[..., Any], database_url: URL
) -> None:
    body = revision_body("op.execute('CREATE TABLE mine (id INTEGER)')", "op.drop_table('mine')")
    ini = make_history([body]) / "alembic.ini"
    assert migration_runner.heads(ini) == ("20260101_0000",)
    assert [info.revision for info in migration_runner.history(ini)] == ["20260101_0000"]
    assert len(migration_runner.pending(database_url, alembic_ini=ini)) == 1
    assert migration_runner.upgrade(database_url, alembic_ini=ini).after == ("20260101_0000",)
    assert migration_runner.current(database_url, alembic_ini=ini) == ("20260101_0000",)
    assert migration_runner.downgrade(database_url, alembic_ini=ini).after == ()
    stamped = migration_runner.stamp(database_url, confirm_drift=True, alembic_ini=ini)
    assert stamped.after == ("20260101_0000",)


def test_a_project_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no Alembic configuration"):
        migration_runner.heads(tmp_path / "alembic.ini")
    (tmp_path / "alembic.ini").write_text("[alembic]\n", encoding="utf-8")
    with pytest.raises(UsageError, match="script_location"):
        migration_runner.heads(tmp_path / "alembic.ini")


class Watcher:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def planned(self, plan: Plan) -> None:
        self.told.append(f"planned {len(plan.steps)}")

    def started(self, step: Step) -> None:
        self.told.append(f"started {step.revision}")

    def finished(self, step: Step, seconds: float) -> None:
        assert seconds >= 0
        self.told.append(f"finished {step.revision}")

    def waiting(self, reason: str) -> None:
        self.told.append(reason)


def test_an_observer_is_told_of_every_step_and_the_log_is_not(
    database_url: URL, caplog: pytest.LogCaptureFixture
) -> None:
    watcher = Watcher()
    with caplog.at_level(logging.INFO, "work_data_hub.io.schema.alembic_bridge.observer"):
        migration_runner.upgrade(database_url, observer=watcher)
    assert watcher.told == [
        f"planned {len(IDS)}",
        *(f"{word} {each}" for each in IDS for word in ("started", "finished")),
    ]
    assert not [one for one in caplog.records if one.name.endswith("run_observer")]


def test_status_is_a_value_that_says_what_is_wrong(database_url: URL) -> None:
    before = migration_runner.status(database_url)
    assert ([step.revision for step in before.pending], before.is_clear) == ([*IDS], False)
    migration_runner.upgrade(database_url)
    after = migration_runner.status(database_url)
    assert (after.versions, after.pending, after.problems, after.is_clear) == (
        (HEAD,),
        (),
        (),
        True,
    )
    assert [entry.revision for entry in after.last_runs] == [*IDS[-5:]]


def test_what_has_a_base_of_its_own_is_pending_too(
    database_url: URL, make_history: Callable[..., Path], revision_body: Any
) -> None:
    project = make_history([revision_body("pass")] * 3)
    (own,) = project.rglob("20260101_0001_*.py")
    own.write_text(
        own.read_text().replace('down_revision = "20260101_0000"', "down_revision = None")
    )
    ini = project / "alembic.ini"
    migration_runner.upgrade(database_url, "20260101_0000", alembic_ini=ini)
    pending = migration_runner.status(database_url, alembic_ini=ini).pending
    assert [step.revision for step in pending] == ["20260101_0001", "20260101_0002"]
    assert migration_runner.upgrade(database_url, "heads", alembic_ini=ini).steps == pending
