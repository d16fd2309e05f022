"""Production is not blocked: a revision that does not get its locks lets the readers go on."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa

from work_data_hub.config import get_settings
from work_data_hub.errors import MigrationFailedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect, connect_raw, create_engine
from work_data_hub.io.schema.locks.retries import Retries, is_lock_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import URL

LOCK_TIMEOUT = 0.5
ALTER = "op.add_column('orders', sa.Column('extra', sa.Integer))"


@pytest.fixture
def project(
    make_history: Callable[..., Path],
    revision_body: Any,
    run_alembic: Any,
    postgresql_url: URL,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A table in use, and a second revision that wants to alter it."""
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", str(LOCK_TIMEOUT))
    get_settings.cache_clear()
    create = revision_body("op.create_table('orders', sa.Column('id', sa.Integer))")
    project = make_history([create, revision_body(ALTER)])
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    return project


@pytest.fixture
def session(postgresql_url: URL) -> Iterator[Callable[[], Any]]:
    """Open sessions on the database, as an application does."""
    opened: list[Any] = []

    def open_one() -> Any:
        opened.append(connect_raw(create_engine(postgresql_url)))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


def test_readers_do_not_queue_behind_a_revision_that_waits(
    project: Path, postgresql_url: URL, session: Any, run_alembic: Any, caplog: Any
) -> None:
    idle = session()
    idle.execute("SET application_name = 'an idle report'")
    idle.execute("SELECT * FROM orders").fetchall()  # idle in transaction from here on
    others = [session() for _ in range(2)]
    waits: list[float] = []
    stop = threading.Event()

    def read(connection: psycopg.Connection) -> None:
        while not stop.is_set():
            started = time.monotonic()
            connection.execute("SELECT * FROM orders").fetchall()
            connection.rollback()
            waits.append(time.monotonic() - started)
            time.sleep(0.01)

    readers = [threading.Thread(target=read, args=(other,)) for other in others]
    release = threading.Timer(2.5, idle.rollback)
    for thread in [*readers, release]:
        thread.start()
    run_alembic(project, postgresql_url, "upgrade", "head")
    stop.set()
    for thread in [*readers, release]:
        thread.join(20)

    assert max(waits) < LOCK_TIMEOUT + 0.5
    assert migration_runner.current(postgresql_url) == ("20260101_0001",)
    said = [record.message for record in caplog.records if "waits for pid" in record.message]
    assert said
    assert f"pid {idle.info.backend_pid} (user postgres" in said[0]
    assert "'an idle report', idle in transaction, for " in said[0]
    again = [record.message for record in caplog.records if "again in" in record.message]
    assert again
    assert f"pid {idle.info.backend_pid}" in again[0]
    outcomes = [e.outcome for e in migration_runner.journal(postgresql_url)]
    assert outcomes == ["done", *["failed"] * len(again), "done"]


def test_after_the_deadline_the_revision_has_failed_and_names_who_blocked_it(
    project: Path,
    postgresql_url: URL,
    session: Any,
    run_alembic: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WDH_LOCK_DEADLINE", "1")
    get_settings.cache_clear()
    idle = session()
    idle.execute("SELECT * FROM orders").fetchall()
    with pytest.raises(MigrationFailedError) as failed:
        run_alembic(project, postgresql_url, "upgrade", "head")
    assert "lock timeout" in failed.value.message
    assert f"pid {idle.info.backend_pid}" in failed.value.message
    assert failed.value.failed == "20260101_0001"
    assert migration_runner.current(postgresql_url) == ("20260101_0000",)


def test_a_relative_downgrade_that_is_tried_again_takes_back_no_more_than_was_asked(
    make_history: Callable[..., Path],
    revision_body: Any,
    project: Path,
    postgresql_url: URL,
    session: Any,
    run_alembic: Any,
) -> None:
    bodies = [
        revision_body(
            f"op.create_table('d{n}', sa.Column('id', sa.Integer))", f"op.drop_table('d{n}')"
        )
        for n in range(4)
    ]
    run_alembic(project, postgresql_url, "stamp", "base")
    make_history(bodies)
    for stale in (project / "io/schema/migrations/versions").glob("*.py"):
        assert "step_" in stale.name
    with connect(postgresql_url) as connection, connection.begin():
        connection.exec_driver_sql("DROP TABLE orders")
    run_alembic(project, postgresql_url, "upgrade", "head")
    idle = session()
    idle.execute("SELECT * FROM d2").fetchall()
    release = threading.Timer(1.5, idle.rollback)
    release.start()
    run_alembic(project, postgresql_url, "downgrade", "-2")
    release.join(10)
    assert migration_runner.current(postgresql_url) == ("20260101_0001",)


def test_a_revision_that_replays_a_dump_leaves_the_session_as_it_was(
    make_history: Callable[..., Path], revision_body: Any, postgresql_url: URL, run_alembic: Any
) -> None:
    dump = (
        "op.execute(\"SELECT pg_catalog.set_config('search_path', '', false)\")\n"
        "op.execute('SET lock_timeout = 0')\n"
        "op.execute('CREATE TABLE public.dumped (id integer)')"
    )
    check = (
        "shown = op.get_bind().exec_driver_sql('SHOW lock_timeout').scalar()\n"
        "assert shown == '2s', shown\n"
        "op.create_table('after', sa.Column('id', sa.Integer))"
    )
    project = make_history([revision_body(dump), revision_body(check)])
    run_alembic(project, postgresql_url, "upgrade", "head")
    with connect(postgresql_url) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM public.after").scalar() == 0


def test_a_statement_timeout_can_be_set(
    make_history: Callable[..., Path],
    revision_body: Any,
    postgresql_url: URL,
    run_alembic: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WDH_STATEMENT_TIMEOUT", "0.2")
    get_settings.cache_clear()
    project = make_history([revision_body("op.execute('SELECT pg_sleep(5)')")])
    with pytest.raises(MigrationFailedError, match="statement timeout"):
        run_alembic(project, postgresql_url, "upgrade", "head")


def test_pauses_grow_with_jitter_until_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("work_data_hub.io.schema.locks.retries.time.monotonic", lambda: now[0])
    retries = Retries(100)
    pauses = []
    while (pause := retries.pause()) is not None:
        pauses.append(pause)
        now[0] += pause
    assert sum(pauses) == pytest.approx(100)
    assert 0.25 <= pauses[0] <= 0.75
    assert max(pauses) <= 45
    assert pauses[3] > pauses[0]
    retries.reset()
    again = retries.pause()
    assert again is not None
    assert 0.25 <= again <= 0.75


def test_each_revision_has_a_deadline_of_its_own(
    make_history: Callable[..., Path],
    revision_body: Any,
    postgresql_url: URL,
    session: Any,
    run_alembic: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", "0.2")
    monkeypatch.setenv("WDH_LOCK_DEADLINE", "2")
    get_settings.cache_clear()
    tables = "\n".join(f"op.create_table('t{n}', sa.Column('id', sa.Integer))" for n in (0, 1))
    alter = [
        revision_body(f"op.add_column('t{n}', sa.Column('extra', sa.Integer))") for n in (0, 1)
    ]
    project = make_history([revision_body(tables), *alter])
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    releases = []
    for number, seconds in ((0, 1.2), (1, 2.6)):
        idle = session()
        idle.execute(f"SELECT * FROM t{number}").fetchall()
        releases.append(threading.Timer(seconds, idle.rollback))
    for release in releases:
        release.start()
    run_alembic(project, postgresql_url, "upgrade", "head")
    for release in releases:
        release.join(10)
    assert migration_runner.current(postgresql_url) == ("20260101_0002",)


def test_only_a_lock_that_was_not_given_is_tried_again() -> None:
    faults = {
        code: one
        for one in vars(psycopg.errors).values()
        if isinstance(one, type) and (code := getattr(one, "sqlstate", None))
    }
    assert len(faults) > 200
    raw = {code for code, fault in faults.items() if is_lock_failure(fault("x"))}
    wrapped = {
        code
        for code, fault in faults.items()
        if is_lock_failure(sa.exc.DBAPIError("SELECT 1", (), fault("x")))
    }
    assert raw == wrapped == {"55P03", "40P01"}
    assert not is_lock_failure(RuntimeError("lock timeout"))


def test_without_a_deadline_nothing_is_tried_again() -> None:
    retries = Retries(0)
    assert retries.pause() is None


class Busy:
    """Holds tables one after the other, each for a while, as a busy application does."""

    def __init__(self, session: Callable[[], Any], tables: list[str], seconds: float) -> None:
        self._sessions = [session() for _ in tables]
        self._threads = [
            threading.Thread(target=self._hold, args=(number, table, seconds))
            for number, table in enumerate(tables)
        ]

    def _hold(self, number: int, table: str, seconds: float) -> None:
        time.sleep(max(0, number - 0.2) * seconds)
        connection = self._sessions[number]
        connection.execute(f"LOCK TABLE ONLY {table} IN ACCESS SHARE MODE")
        time.sleep(seconds * 1.2)
        connection.rollback()

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()
        time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(30)


PARTITIONS = 6
PARTITIONED = "\n".join(
    [
        "op.execute('CREATE TABLE busy (n int) PARTITION BY LIST (n)')",
        f"for n in range({PARTITIONS}):",
        "    op.execute(f'CREATE TABLE busy_{n} PARTITION OF busy FOR VALUES IN ({n})')",
    ]
)
SEVERAL = "\n".join(f"op.execute('CREATE TABLE busy_{n} (n int)')" for n in range(PARTITIONS))


@pytest.mark.parametrize(
    ("made", "altered", "read"),
    [
        (PARTITIONED, "op.add_column('busy', sa.Column('extra', sa.Integer))", "busy"),
        (
            SEVERAL,
            f"for n in range({PARTITIONS}):\n"
            "    op.add_column(f'busy_{n}', sa.Column('extra', sa.Integer))",
            "busy_0",
        ),
    ],
    ids=["one statement takes many locks", "a revision takes one after the other"],
)
def test_a_reader_is_stalled_for_the_time_out_and_not_for_each_lock_anew(
    postgresql_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    session: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: Any,
    made: str,
    altered: str,
    read: str,
) -> None:
    time_out = 1.0
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", str(time_out))
    get_settings.cache_clear()
    project = make_history([revision_body(made), revision_body(altered)])
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    tables = [f"busy_{n}" for n in range(PARTITIONS)]
    waits: list[float] = []
    stop = threading.Event()
    reader = session()

    def go_on_reading() -> None:
        while not stop.is_set():
            started = time.monotonic()
            reader.execute(f"SELECT * FROM {read} LIMIT 1").fetchall()
            reader.rollback()
            waits.append(time.monotonic() - started)
            time.sleep(0.01)

    reading = threading.Thread(target=go_on_reading)
    # Each is held for less than the time-out, all of them for much longer.
    with Busy(session, tables, time_out * 0.7):
        reading.start()
        run_alembic(project, postgresql_url, "upgrade", "head")
        stop.set()
        reading.join(30)
    assert max(waits) < time_out * 2
    assert [r for r in caplog.records if "did not get its locks (held by pid" in r.message]
    assert migration_runner.current(postgresql_url) == ("20260101_0001",)


def test_a_revision_that_works_and_does_not_wait_is_left_to_work(
    project: Path,
    postgresql_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    session: Any,
    caplog: Any,
) -> None:
    create = revision_body("op.create_table('orders', sa.Column('id', sa.Integer))")
    long = revision_body(f"{ALTER}\nop.execute('SELECT pg_sleep({LOCK_TIMEOUT * 4})')")
    make_history([create, long])
    waiting = threading.Thread(target=lambda: session().execute("SELECT * FROM orders").fetchall())
    begin = threading.Timer(LOCK_TIMEOUT, waiting.start)
    begin.start()
    run_alembic(project, postgresql_url, "upgrade", "head")
    waiting.join(20)
    assert not [record for record in caplog.records if "its locks" in record.message]
    outcomes = [entry.outcome for entry in migration_runner.journal(postgresql_url)]
    assert outcomes == ["done", "done"]


def test_a_deadlock_is_tried_again(
    postgresql_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    session: Any,
    caplog: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", "20")
    get_settings.cache_clear()
    made = "\n".join(f"op.execute('CREATE TABLE {name} (n int)')" for name in "ab")
    taken = (
        "op.execute('SET LOCAL deadlock_timeout = 100')\n"
        "op.execute('LOCK TABLE a IN ACCESS EXCLUSIVE MODE')\n"
        "import time; time.sleep(0.7)\n"
        "op.execute('LOCK TABLE b IN ACCESS EXCLUSIVE MODE')"
    )
    project = make_history([revision_body(made), revision_body(taken)])
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    other = session()
    other.execute("SET deadlock_timeout = '60s'")
    other.execute("LOCK TABLE b IN ACCESS EXCLUSIVE MODE")

    def take_the_other() -> None:
        other.execute("LOCK TABLE a IN ACCESS SHARE MODE")
        other.rollback()

    taking = threading.Timer(0.6, take_the_other)
    taking.start()
    run_alembic(project, postgresql_url, "upgrade", "head")
    taking.join(30)
    outcomes = [entry.outcome for entry in migration_runner.journal(postgresql_url)]
    assert outcomes == ["done", "failed", "done"]
    assert "deadlock" in (migration_runner.journal(postgresql_url)[1].detail or "")


def test_behind_a_pooler_only_the_revisions_own_session_is_made_to_give_way(
    postgresql_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    transaction_pooler: Any,
    session: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: Any,
) -> None:
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", "1")
    get_settings.cache_clear()
    several = [
        revision_body(SEVERAL),
        revision_body("pass"),
        revision_body(
            f"for n in range({PARTITIONS}):\n"
            "    op.add_column(f'busy_{n}', sa.Column('extra', sa.Integer))"
        ),
    ]
    project = make_history(several)
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    reader, stop = session(), threading.Event()

    def go_on_reading() -> None:
        while not stop.is_set():
            reader.execute("SELECT * FROM busy_0").fetchall()
            reader.rollback()
            time.sleep(0.01)

    reading = threading.Thread(target=go_on_reading)
    with (
        transaction_pooler(postgresql_url, 5) as url,
        Busy(session, [f"busy_{n}" for n in range(PARTITIONS)], 0.7),
    ):
        reading.start()
        run_alembic(project, url, "upgrade", "head")
        stop.set()
        reading.join(30)
    assert migration_runner.current(postgresql_url) == ("20260101_0002",)
    assert [r for r in caplog.records if "did not get its locks (held by pid" in r.message]


def test_a_watch_that_loses_its_connection_leaves_the_run_alone(
    project: Path,
    postgresql_url: URL,
    session: Any,
    run_alembic: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watches: list[Any] = []

    def cut_off(engine: Any) -> Any:
        watches.append(connect_raw(engine))
        watches[-1].close()
        return watches[-1]

    monkeypatch.setattr("work_data_hub.io.schema.locks.blocker_watch.connect_raw", cut_off)
    idle = session()
    idle.execute("SELECT * FROM orders").fetchall()
    release = threading.Timer(1.5, idle.rollback)
    release.start()
    run_alembic(project, postgresql_url, "upgrade", "head")
    release.join(20)
    assert watches
    assert migration_runner.current(postgresql_url) == ("20260101_0001",)
