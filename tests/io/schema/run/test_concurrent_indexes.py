"""An index that is built concurrently: it outlasts older transactions, and is valid or not done."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.sessions import WAITING, wait_for_session

from work_data_hub.config import get_settings
from work_data_hub.errors import MigrationFailedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect, connect_raw, create_engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

BLOCK = "with op.get_context().autocommit_block():\n"
BUILD = "    op.execute('CREATE INDEX CONCURRENTLY ia ON t (a)')\n"
BUILD_IF_MISSING = BUILD.replace("CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS")
BUILD_IN_VAIN = (
    "    try:\n"
    "        op.execute('CREATE UNIQUE INDEX CONCURRENTLY ia ON t (b)')\n"
    "    except sa.exc.IntegrityError:\n"
    "        pass\n"
)
LOOK = "assert op.get_bind().exec_driver_sql('SHOW lock_timeout').scalar() == '300ms'\n"


@pytest.fixture
def project(
    postgresql_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], Path]:
    """Make a history whose second revision has that code; its first has made the table."""
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", "0.3")
    get_settings.cache_clear()
    table = "op.execute('CREATE TABLE t AS SELECT n AS a, 1 AS b FROM generate_series(1, 2) AS n')"

    def make(code: str) -> Path:
        made: Path = make_history([revision_body(table), revision_body(code)])
        run_alembic(made, postgresql_url, "upgrade", "20260101_0000")
        return made

    return make


def indexes(url: URL) -> dict[str, tuple[int, bool]]:
    """The indexes of the table: their oid, and whether they are valid."""
    query = (
        "SELECT indexrelid::regclass::text, indexrelid::int, indisvalid FROM pg_index"
        " WHERE indrelid = 't'::regclass"
    )
    with connect(url) as connection:
        return {name: (oid, valid) for name, oid, valid in connection.exec_driver_sql(query)}


def test_a_build_waits_for_an_older_transaction_longer_than_for_a_lock(
    project: Any, postgresql_url: URL, run_alembic: Any
) -> None:
    made = project(BLOCK + BUILD)
    with connect(postgresql_url) as writer:
        writer.exec_driver_sql("INSERT INTO t VALUES (3, 1)")
        release = threading.Timer(1.2, writer.rollback)
        release.start()
        run_alembic(made, postgresql_url, "upgrade", "head")
        release.join(10)
    assert indexes(postgresql_url)["ia"][1]
    outcomes = [entry.outcome for entry in migration_runner.journal(postgresql_url)]
    assert outcomes == ["done", "done"]


def test_a_build_that_others_wait_behind_is_not_made_to_give_way(
    project: Any, postgresql_url: URL, run_alembic: Any
) -> None:
    """What left its transaction is not repeated: to cancel it would leave half of a revision."""
    made = project(BLOCK + BUILD)
    waited: list[float] = []

    def vacuum() -> None:
        with contextlib.closing(connect_raw(create_engine(postgresql_url))) as other:
            other.autocommit = True
            wait_for_session(postgresql_url, f"{WAITING} AND query LIKE 'CREATE INDEX%'")
            started = time.monotonic()
            other.execute("VACUUM t")
            waited.append(time.monotonic() - started)

    with connect(postgresql_url) as writer:
        writer.exec_driver_sql("INSERT INTO t VALUES (3, 1)")
        waiting = threading.Thread(target=vacuum)
        waiting.start()
        release = threading.Timer(2.5, writer.rollback)
        release.start()
        run_alembic(made, postgresql_url, "upgrade", "head")
        release.join(10)
        waiting.join(10)
    assert waited[0] > 3 * 0.3  # the time-out of locks, behind which others give way
    assert indexes(postgresql_url)["ia"][1]
    outcomes = [entry.outcome for entry in migration_runner.journal(postgresql_url)]
    assert outcomes == ["done", "done"]


@pytest.mark.parametrize(
    ("there_already", "build"),
    [
        (None, BUILD),
        (None, BUILD_IF_MISSING),
        ("CREATE INDEX ia ON t (a)", BUILD_IF_MISSING),
        (None, BUILD_IN_VAIN),
        ("CREATE INDEX ia ON t (a)", BUILD_IN_VAIN.replace("Integrity", "Programming")),
    ],
)
def test_what_follows_a_build_waits_for_locks_no_longer_than_before(
    project: Any,
    postgresql_url: URL,
    run_alembic: Any,
    there_already: str | None,
    build: str,
) -> None:
    made = project(f"{BLOCK}{build}    {LOOK}{LOOK}")
    if there_already is not None:
        with connect(postgresql_url) as connection, connection.begin():
            connection.exec_driver_sql(there_already)
    run_alembic(made, postgresql_url, "upgrade", "head")
    assert migration_runner.current(postgresql_url) == ("20260101_0001",)


def test_an_index_that_is_invalid_after_its_build_is_not_done(
    project: Any, postgresql_url: URL, run_alembic: Any
) -> None:
    made = project(BLOCK + BUILD)
    spoil = (
        "CREATE FUNCTION spoil() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass('ia'); END $$",
        "CREATE EVENT TRIGGER spoil ON ddl_command_end WHEN TAG IN ('CREATE INDEX')"
        " EXECUTE FUNCTION spoil()",
    )
    with connect(postgresql_url) as connection, connection.begin():
        for statement in spoil:
            connection.exec_driver_sql(statement)
    with pytest.raises(MigrationFailedError, match="the index ia is INVALID") as failed:
        run_alembic(made, postgresql_url, "upgrade", "head")
    assert "it is dropped and built anew" in failed.value.hint
    before = indexes(postgresql_url)["ia"]
    with connect(postgresql_url) as connection, connection.begin():
        connection.exec_driver_sql("DROP EVENT TRIGGER spoil")
    run_alembic(made, postgresql_url, "upgrade", "head")
    assert not before[1]
    assert indexes(postgresql_url)["ia"][1]


def test_of_two_indexes_the_one_that_is_there_is_kept_and_the_other_built_anew(
    project: Any, postgresql_url: URL, run_alembic: Any
) -> None:
    made = project(f"{BLOCK}{BUILD}    op.execute('CREATE UNIQUE INDEX CONCURRENTLY ib ON t (b)')")
    with pytest.raises(MigrationFailedError, match="could not create unique index"):
        run_alembic(made, postgresql_url, "upgrade", "head")
    before = indexes(postgresql_url)
    assert (before["ia"][1], before["ib"][1]) == (True, False)
    with connect(postgresql_url) as connection, connection.begin():
        connection.exec_driver_sql("DELETE FROM t WHERE a = 2")
    run_alembic(made, postgresql_url, "upgrade", "head")
    after = indexes(postgresql_url)
    assert after["ia"] == before["ia"]
    assert after["ib"][1]
    assert after["ib"] != before["ib"]


@pytest.mark.parametrize("patience", ["20", "0.4"])
def test_a_build_of_somebody_else_is_waited_for_and_never_dropped(
    project: Any,
    postgresql_url: URL,
    run_alembic: Any,
    monkeypatch: pytest.MonkeyPatch,
    patience: str,
) -> None:
    monkeypatch.setenv("WDH_LOCK_DEADLINE", patience)
    get_settings.cache_clear()
    made = project(BLOCK + BUILD_IF_MISSING)
    other = connect_raw(create_engine(postgresql_url))
    other.autocommit = True
    build = threading.Thread(target=lambda: other.execute("CREATE INDEX CONCURRENTLY ia ON t (a)"))
    with connect(postgresql_url) as writer:
        writer.exec_driver_sql("INSERT INTO t VALUES (3, 1)")
        build.start()
        wait_for_session(postgresql_url, WAITING)
        oid = indexes(postgresql_url)["ia"][0]
        if patience == "20":
            release = threading.Timer(1, writer.rollback)
            release.start()
            run_alembic(made, postgresql_url, "upgrade", "head")
            release.join(10)
        else:
            started = time.monotonic()
            with pytest.raises(MigrationFailedError, match="still being built by the session"):
                run_alembic(made, postgresql_url, "upgrade", "head")
            assert time.monotonic() - started < 10
            writer.rollback()
        build.join(30)
    other.close()
    assert indexes(postgresql_url) == {"ia": (oid, True)}


@pytest.mark.parametrize(
    "build",
    [
        "CREATE UNIQUE INDEX /* no lock */ CONCURRENTLY -- of ours\n IF NOT EXISTS ib ON t (b)",
        'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "ib"ON t(b)',
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS IB ON public . t (b)",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS IB_\u00c9 ON t (b)",
    ],
)
def test_however_a_build_is_written_what_it_left_invalid_is_built_anew(
    build: str, project: Any, postgresql_url: URL, run_alembic: Any
) -> None:
    made = project(f"{BLOCK}    op.execute({build!r})")
    with pytest.raises(MigrationFailedError, match="could not create unique index") as failed:
        run_alembic(made, postgresql_url, "upgrade", "head")
    assert "a part of it is committed" in failed.value.hint
    with connect(postgresql_url) as connection, connection.begin():
        connection.exec_driver_sql("DELETE FROM t WHERE a = 2")
    run_alembic(made, postgresql_url, "upgrade", "head")
    assert [valid for _, valid in indexes(postgresql_url).values()] == [True]


@pytest.mark.parametrize(
    "build",
    [
        "CREATE UNIQUE INDEX CONCURRENTLY ON t (b)",
        'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS U&"ib" ON t (b)',
        "REINDEX INDEX CONCURRENTLY ia",
    ],
)
def test_an_invalid_index_whose_name_is_not_known_is_a_persons(
    build: str, project: Any, postgresql_url: URL, run_alembic: Any
) -> None:
    """It is never said to be rolled back, and not accepted by a repetition."""
    made = project(f"{BLOCK}    op.execute({build!r})")
    with connect(postgresql_url) as connection, connection.begin():
        connection.exec_driver_sql(
            "CREATE FUNCTION fails(int) RETURNS int IMMUTABLE LANGUAGE SQL AS 'SELECT $1'"
        )
        connection.exec_driver_sql("CREATE INDEX ia ON t (fails(a))")
        connection.exec_driver_sql(
            "CREATE OR REPLACE FUNCTION fails(int) RETURNS int IMMUTABLE"
            " LANGUAGE SQL AS 'SELECT $1 / 0'"
        )
    for said in ("a part of it is committed", "finish it by hand"):
        with pytest.raises(MigrationFailedError) as failed:
            run_alembic(made, postgresql_url, "upgrade", "head")
        assert said in failed.value.hint
    assert False in [valid for _, valid in indexes(postgresql_url).values()]
    run_alembic(made, postgresql_url, "stamp", "head", resolved="20260101_0001")


def test_an_index_is_built_anew_however_long_an_older_transaction_lasts(
    project: Any, postgresql_url: URL, run_alembic: Any
) -> None:
    made = project(f"{BLOCK}    op.execute('REINDEX INDEX CONCURRENTLY ia')")
    with connect(postgresql_url) as connection, connection.begin():
        connection.exec_driver_sql("CREATE INDEX ia ON t (a)")
    with connect(postgresql_url) as writer:
        writer.exec_driver_sql("INSERT INTO t VALUES (3, 1)")
        release = threading.Timer(1.2, writer.rollback)
        release.start()
        run_alembic(made, postgresql_url, "upgrade", "head")
        release.join()
    assert [valid for _, valid in indexes(postgresql_url).values()] == [True]
