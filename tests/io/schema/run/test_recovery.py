"""An interrupted revision is repeated where that is proved to do no harm; else a person decides."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.errors import LockTimeoutError, MigrationFailedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

LOG = "op.execute('CREATE TABLE log (n int)')"
BLOCK = "with op.get_context().autocommit_block():\n"
KILL = "import os, signal; os.environ.get('KILL') and os.kill(os.getpid(), 9)"
KILL_IN_BLOCK = f"    {KILL}\n"
RAW = "raw = op.get_bind().connection.driver_connection\n"


def execute(url: URL, *statements: str) -> None:
    with connect(url) as connection, connection.begin():
        for statement in statements:
            connection.exec_driver_sql(statement)


def scalar(url: URL, query: str) -> Any:
    with connect(url) as connection:
        return connection.exec_driver_sql(query).scalar()


def tables(url: URL) -> set[str]:
    with connect(url) as connection:
        return set(sa.inspect(connection).get_table_names())


def mark(url: URL) -> Any:
    row = scalar(url, "SELECT committed FROM work_data_hub_in_progress")
    return None if row is None else json.loads(row)


@pytest.fixture
def killed(alembic: Any) -> Callable[..., None]:
    """Run `alembic` until it kills itself."""

    def run(project: Path, url: URL, *arguments: str) -> None:
        process = alembic(*arguments, url=url, cwd=project, env={"KILL": "1"})
        assert process.returncode == -9, process.stderr

    return run


ORDERS = [
    "op.execute('DROP TABLE IF EXISTS orders_old')",
    "op.execute('ALTER TABLE IF EXISTS orders RENAME TO orders_old')",
    "op.execute('CREATE TABLE IF NOT EXISTS orders (id int primary key, v text)')",
]


def test_statements_that_are_harmless_one_by_one_are_not_repeated_in_sequence(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    code = "\n".join(
        [*ORDERS, BLOCK + "    op.execute('CREATE UNIQUE INDEX CONCURRENTLY ux ON orders_old (v)')"]
    )
    project = make_history([revision_body("pass"), revision_body(code)])
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    execute(
        postgresql_url,
        "CREATE TABLE orders (id int primary key, v text)",
        "INSERT INTO orders SELECT n, 'x' FROM generate_series(1, 100) AS n",
    )
    for _ in range(2):
        with pytest.raises(MigrationFailedError):
            run_alembic(project, postgresql_url, "upgrade", "head")
        assert scalar(postgresql_url, "SELECT count(*) FROM orders_old") == 100


def test_the_only_copy_of_a_table_is_never_dropped_by_a_repetition(
    sqlite_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, killed: Any
) -> None:
    code = (
        BLOCK
        + (
            "    op.execute('DROP TABLE IF EXISTS b')\n"
            "    op.execute('CREATE TABLE IF NOT EXISTS b AS SELECT * FROM a')\n"
            "    op.execute('DROP TABLE IF EXISTS a')\n"
            "    op.execute('VACUUM')\n"
        )
        + KILL_IN_BLOCK
    )
    project = make_history(
        [revision_body("op.execute('CREATE TABLE a (x int)')"), revision_body(code)]
    )
    run_alembic(project, sqlite_url, "upgrade", "20260101_0000")
    execute(sqlite_url, "INSERT INTO a VALUES (1)")
    killed(project, sqlite_url, "upgrade", "head")
    with pytest.raises(MigrationFailedError, match="was interrupted") as asked:
        run_alembic(project, sqlite_url, "upgrade", "head")
    assert asked.value.hint.startswith("finish it by hand")
    assert scalar(sqlite_url, "SELECT count(*) FROM b") == 1


INDEX = BLOCK + "    op.execute('CREATE INDEX CONCURRENTLY ix ON t (id)')\n" + KILL_IN_BLOCK


@pytest.fixture
def indexed(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, killed: Any
) -> Path:
    """A history whose second revision was killed when its index was valid."""
    table = revision_body("op.execute('CREATE TABLE t (id int)')")
    project: Path = make_history([table, revision_body(INDEX), revision_body("pass")])
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    killed(project, postgresql_url, "upgrade", "head")
    assert index_oid(postgresql_url) is not None
    return project


def index_oid(url: URL) -> Any:
    return scalar(url, "SELECT to_regclass('ix')::oid")


@pytest.mark.parametrize(
    ("verb", "target"),
    [
        ("stamp", "head"),
        ("stamp", "20260101_0001"),
        ("upgrade", "20260101_0000"),
        ("downgrade", "base"),
    ],
)
def test_only_a_plan_that_begins_with_the_revision_repeats_it(
    indexed: Path, postgresql_url: URL, run_alembic: Any, verb: str, target: str
) -> None:
    before = index_oid(postgresql_url)
    with pytest.raises(MigrationFailedError, match="was interrupted") as asked:
        run_alembic(indexed, postgresql_url, verb, target)
    assert "run the upgrade of 20260101_0001 again, which repeats it" in asked.value.hint
    assert index_oid(postgresql_url) == before
    assert mark(postgresql_url) is not None
    assert migration_runner.current(postgresql_url) == ("20260101_0000",)


def test_a_valid_index_is_kept_when_its_revision_is_repeated(
    indexed: Path, postgresql_url: URL, run_alembic: Any
) -> None:
    before = index_oid(postgresql_url)
    run_alembic(indexed, postgresql_url, "upgrade", "head")
    assert index_oid(postgresql_url) == before
    assert mark(postgresql_url) is None
    assert migration_runner.current(postgresql_url) == ("20260101_0002",)


def test_a_repetition_that_is_killed_too_is_repeated(
    indexed: Path, postgresql_url: URL, run_alembic: Any, killed: Any
) -> None:
    before = index_oid(postgresql_url)
    killed(indexed, postgresql_url, "upgrade", "head")
    killed(indexed, postgresql_url, "upgrade", "head")
    run_alembic(indexed, postgresql_url, "upgrade", "head")
    assert index_oid(postgresql_url) == before


def test_a_refused_repetition_keeps_the_mark(
    indexed: Path, postgresql_url: URL, run_alembic: Any
) -> None:
    edited = indexed / "io/schema/migrations/versions/20260101_0000_step_0.py"
    as_it_was = edited.read_text()
    edited.write_text(as_it_was.replace("(id int)", "(id bigint)"))
    with pytest.raises(Exception, match="edited"):
        run_alembic(indexed, postgresql_url, "upgrade", "head")
    assert mark(postgresql_url) is not None
    edited.write_text(as_it_was)
    run_alembic(indexed, postgresql_url, "upgrade", "head")


def test_what_a_person_resolved_is_stamped_and_nothing_is_dropped(
    indexed: Path, postgresql_url: URL, run_alembic: Any
) -> None:
    before = index_oid(postgresql_url)
    run_alembic(indexed, postgresql_url, "stamp", "20260101_0001", resolved="20260101_0001")
    assert index_oid(postgresql_url) == before
    assert mark(postgresql_url) is None


def test_an_interrupted_downgrade_is_not_taken_for_done_by_an_upgrade(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, killed: Any
) -> None:
    down = (
        BLOCK
        + (
            "    op.execute('ANALYZE audit')\n"
            "    op.execute('CREATE TABLE IF NOT EXISTS tombstone (x int)')\n"
        )
        + KILL_IN_BLOCK
    )
    project = make_history(
        [revision_body("pass"), revision_body("op.execute('CREATE TABLE audit (x int)')", down)]
    )
    run_alembic(project, postgresql_url, "upgrade", "head")
    killed(project, postgresql_url, "downgrade", "-1")
    for target in ("head", "20260101_0001"):
        with pytest.raises(MigrationFailedError, match="downgrade 20260101_0001 was interrupted"):
            run_alembic(project, postgresql_url, "upgrade", target)
    assert mark(postgresql_url) is not None
    run_alembic(project, postgresql_url, "downgrade", "-1")
    assert migration_runner.current(postgresql_url) == ("20260101_0000",)
    assert mark(postgresql_url) is None


PAST_SQLALCHEMY = {
    "postgresql": [
        "with raw.cursor() as c, c.copy('COPY log FROM STDIN') as copy:\n    copy.write('1\\n')",
        "raw.execute('INSERT INTO log VALUES (1)')",
        "raw.cursor().executemany('INSERT INTO log VALUES (%s)', [(1,)])",
        "list(raw.cursor().stream('INSERT INTO log VALUES (1) RETURNING n'))",
        "op.execute('SELECT write_log()')",
        "op.execute('SELECT 1')\nraw.pgconn.exec_(b'INSERT INTO log VALUES (1)')",
    ],
    "sqlite": [
        "raw.execute('INSERT INTO log VALUES (1)')",
        "raw.cursor().executemany('INSERT INTO log VALUES (?)', [(1,)])",
        "import sqlite3\nsqlite3.Cursor(raw).execute('INSERT INTO log VALUES (1)')",
    ],
}


@pytest.mark.parametrize("beside", ["", "op.execute('CREATE TABLE IF NOT EXISTS other (x int)')\n"])
@pytest.mark.parametrize(
    ("engine_name", "number"),
    [(name, n) for name, codes in PAST_SQLALCHEMY.items() for n in range(len(codes))],
)
def test_what_goes_past_sqlalchemy_before_a_block_is_not_done_twice(
    request: pytest.FixtureRequest,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    killed: Any,
    engine_name: str,
    number: int,
    beside: str,
) -> None:
    url = request.getfixturevalue(f"{engine_name}_url")
    insert = PAST_SQLALCHEMY[engine_name][number]
    if "write_log" in insert or "pgconn" in insert:
        beside = ""  # what nobody hears counts as what the statement beside it explains
    code = f"{RAW}{beside}{insert}\n{BLOCK}    op.execute('VACUUM')\n{KILL_IN_BLOCK}"
    project = make_history([revision_body(LOG), revision_body(code)])
    run_alembic(project, url, "upgrade", "20260101_0000")
    if engine_name == "postgresql":
        execute(
            url,
            "CREATE FUNCTION write_log() RETURNS void LANGUAGE sql AS 'INSERT INTO log VALUES (1)'",
        )
    killed(project, url, "upgrade", "head")
    with pytest.raises(MigrationFailedError, match="was interrupted"):
        run_alembic(project, url, "upgrade", "head")
    assert scalar(url, "SELECT count(*) FROM log") == 1


def test_what_goes_past_sqlalchemy_inside_a_block_is_not_done_twice(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, killed: Any
) -> None:
    code = (
        f"{RAW}{BLOCK}    op.execute('VACUUM')\n"
        f"    raw.execute('INSERT INTO log VALUES (1)')\n{KILL_IN_BLOCK}"
    )
    project = make_history([revision_body(LOG), revision_body(code)])
    run_alembic(project, database_url, "upgrade", "20260101_0000")
    killed(project, database_url, "upgrade", "head")
    with pytest.raises(MigrationFailedError, match=r"committed: .*INSERT INTO log"):
        run_alembic(project, database_url, "upgrade", "head")
    assert scalar(database_url, "SELECT count(*) FROM log") == 1


def test_only_reading_before_a_block_does_not_stand_in_the_way(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, killed: Any
) -> None:
    look = "sa.inspect(op.get_bind()).get_table_names()\n"
    code = f"{look}{BLOCK}    op.execute('VACUUM')\n{KILL_IN_BLOCK}"
    project = make_history([revision_body("pass"), revision_body(code)])
    run_alembic(project, database_url, "upgrade", "20260101_0000")
    killed(project, database_url, "upgrade", "head")
    run_alembic(project, database_url, "upgrade", "head")
    assert migration_runner.current(database_url) == ("20260101_0001",)


def test_the_verdict_is_taken_of_the_whole_text(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, killed: Any
) -> None:
    columns = ", ".join(f"a_column_with_a_rather_long_name_{n} varchar(200)" for n in range(80))
    wide = f"CREATE TABLE IF NOT EXISTS wide ({columns}); UPDATE log SET n = n * 2"
    code = f"op.execute('{wide}')\n{BLOCK}    op.execute('VACUUM')\n{KILL_IN_BLOCK}"
    project = make_history([revision_body(LOG), revision_body(code)])
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    execute(postgresql_url, "INSERT INTO log VALUES (1)")
    killed(project, postgresql_url, "upgrade", "head")
    with pytest.raises(MigrationFailedError, match="was interrupted"):
        run_alembic(project, postgresql_url, "upgrade", "head")
    assert scalar(postgresql_url, "SELECT n FROM log") == 2


def test_the_second_block_and_what_is_between_two_are_in_the_mark(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, killed: Any
) -> None:
    code = (
        f"op.execute('CREATE TABLE a (x int)')\n{BLOCK}    op.execute('CREATE TABLE b (x int)')\n"
        f"op.execute('CREATE TABLE c (x int)')\n{BLOCK}    op.execute('CREATE TABLE d (x int)')\n"
        f"op.execute('CREATE TABLE e (x int)')\n{KILL}"
    )
    project = make_history([revision_body("pass"), revision_body(code)])
    run_alembic(project, database_url, "upgrade", "20260101_0000")
    killed(project, database_url, "upgrade", "head")
    with pytest.raises(MigrationFailedError) as asked:
        run_alembic(project, database_url, "upgrade", "head")
    made = "; ".join(f"CREATE TABLE {name} (x int)" for name in "abcd")
    assert f"committed: {made}; not committed" in asked.value.message
    assert {"a", "b", "c", "d"} <= tables(database_url)
    assert "e" not in tables(database_url)


def test_what_is_between_two_blocks_is_in_the_mark_as_soon_as_it_is_committed(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, killed: Any
) -> None:
    code = (
        f"{BLOCK}    op.execute('CREATE TABLE a (x int)')\n"
        f"op.execute('CREATE TABLE b (x int)')\n{BLOCK}{KILL_IN_BLOCK}"
    )
    project = make_history([revision_body("pass"), revision_body(code)])
    run_alembic(project, database_url, "upgrade", "20260101_0000")
    killed(project, database_url, "upgrade", "head")
    assert {"a", "b"} <= tables(database_url)
    with pytest.raises(MigrationFailedError) as asked:
        run_alembic(project, database_url, "upgrade", "head")
    made = "CREATE TABLE a (x int); CREATE TABLE b (x int)"
    assert f"committed: {made}; not committed" in asked.value.message


def test_what_failed_behind_a_block_is_not_said_to_be_committed(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    code = (
        f"{BLOCK}    op.execute('CREATE TABLE a (x int)')\n"
        "op.execute('CREATE TABLE b (x int)')\nop.execute('SELECT * FROM missing')"
    )
    project = make_history([revision_body(code)])
    with pytest.raises(MigrationFailedError, match="missing") as failed:
        run_alembic(project, database_url, "upgrade", "head")
    assert "a part of it is committed" in failed.value.hint
    with pytest.raises(MigrationFailedError) as asked:
        run_alembic(project, database_url, "upgrade", "head")
    assert "committed: CREATE TABLE a (x int); not committed" in asked.value.message
    assert "b" not in tables(database_url)


@pytest.mark.parametrize(
    "failing",
    ["SELECT * FROM missing", "CREATE TABLE log (x int)", "INSERT INTO missing VALUES (1)"],
)
def test_with_nothing_committed_the_mark_goes_and_the_corrected_file_runs(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, failing: str
) -> None:
    log = revision_body(LOG)
    project = make_history([log, revision_body(f"{BLOCK}    op.execute('{failing}')")])
    with pytest.raises(MigrationFailedError) as failed:
        run_alembic(project, database_url, "upgrade", "head")
    assert "it was rolled back" in failed.value.hint
    assert mark(database_url) is None
    make_history([log, revision_body(f"{BLOCK}    op.execute('CREATE TABLE made (x int)')")])
    run_alembic(project, database_url, "upgrade", "head")
    assert "made" in tables(database_url)


def test_a_statement_that_its_server_still_executes_is_waited_for_before_it_is_resolved(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, start_alembic: Any
) -> None:
    code = f"{BLOCK}    op.execute('UPDATE acc SET n = n + 1 FROM (SELECT pg_sleep(4)) AS s')"
    table = revision_body("op.execute('CREATE TABLE acc (n int)')")
    project = make_history([table, revision_body(code)])
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    execute(postgresql_url, "INSERT INTO acc VALUES (100)")
    victim = start_alembic(project, postgresql_url)
    deadline = time.monotonic() + 30
    running = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE starts_with(query, 'UPDATE acc') AND state = 'active'"
    )
    while not scalar(postgresql_url, running) and time.monotonic() < deadline:
        time.sleep(0.05)
    victim.kill()
    victim.communicate(timeout=10)
    with pytest.raises(LockTimeoutError, match="still executes a statement") as refused:
        run_alembic(project, postgresql_url, "upgrade", "head", resolved="20260101_0001")
    assert "pg_terminate_backend" in refused.value.hint
    while scalar(postgresql_url, running) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert scalar(postgresql_url, "SELECT n FROM acc") == 101
    with pytest.raises(MigrationFailedError, match="perhaps committed: UPDATE acc"):
        run_alembic(project, postgresql_url, "upgrade", "head")
    run_alembic(project, postgresql_url, "stamp", "head", resolved="20260101_0001")


def test_a_mark_of_an_older_version_is_a_persons_to_decide(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    project = make_history([revision_body("pass"), revision_body("pass")])
    run_alembic(project, database_url, "upgrade", "20260101_0000")
    execute(
        database_url,
        "INSERT INTO work_data_hub_in_progress (history, revision, direction, started_at, os_user,"
        " host, committed, running) VALUES ('alembic_version', '20260101_0001', 'upgrade',"
        " '2026-01-01 00:00:00', 'ann', 'pier', '[\"CREATE TABLE IF NOT EXISTS a (x int)\"]',"
        " 'VACUUM')",
    )
    with pytest.raises(MigrationFailedError) as asked:
        run_alembic(project, database_url, "upgrade", "head")
    assert "committed: CREATE TABLE IF NOT EXISTS a (x int); perhaps" in asked.value.message
    assert "perhaps committed: VACUUM;" in asked.value.message


def test_a_mark_is_small_however_many_statements_there_are(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, killed: Any
) -> None:
    code = (
        f"{BLOCK}    for n in range(300):\n"
        f"        op.execute(f'INSERT INTO log VALUES ({{n}}) /* {'x' * 3000} */')\n{KILL_IN_BLOCK}"
    )
    project = make_history([revision_body(LOG), revision_body(code)])
    run_alembic(project, database_url, "upgrade", "20260101_0000")
    killed(project, database_url, "upgrade", "head")
    assert len(json.dumps(mark(database_url))) < 5000
    with pytest.raises(MigrationFailedError) as asked:
        run_alembic(project, database_url, "upgrade", "head")
    assert "INSERT INTO log VALUES (19)" in asked.value.message
    assert "; and 279 more; perhaps committed: INSERT INTO log VALUES (299)" in asked.value.message
    assert scalar(database_url, "SELECT count(*) FROM log") == 300


@pytest.mark.parametrize("call", ["SELECT add()", "VALUES (add())", "SELECT nextval('numbers')"])
def test_what_a_function_wrote_is_not_written_again(
    call: str, postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    code = (
        "op.execute('CREATE TABLE IF NOT EXISTS also (n int)')\n"
        f"op.execute(\"{call}\")\n{BLOCK}    op.execute('VACUUM nowhere')"
    )
    project = make_history([revision_body(LOG), revision_body(code)])
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    execute(
        postgresql_url,
        "CREATE SEQUENCE numbers",
        "CREATE FUNCTION add() RETURNS int LANGUAGE SQL"
        " AS 'INSERT INTO log VALUES (1) RETURNING n'",
    )
    for said in ("nowhere", "was interrupted"):
        with pytest.raises(MigrationFailedError, match=said):
            run_alembic(project, postgresql_url, "upgrade", "head")
    assert scalar(postgresql_url, "SELECT count(*) FROM log") == int("add" in call)
    assert not mark(postgresql_url)["may_be_repeated"]


def test_what_calls_functions_that_only_read_is_repeated(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    look = "sa.inspect(op.get_bind()).get_columns('log')\n"
    look += "op.execute('SELECT count(*), clock_timestamp(), max(n) FROM log WHERE n IN (1)')\n"
    code = (
        f"{look}op.execute('CREATE TABLE IF NOT EXISTS also (n int)')\n{look}"
        f"{BLOCK}    op.execute('VACUUM nowhere')"
    )
    project = make_history([revision_body(LOG), revision_body(code)])
    for _ in range(2):
        with pytest.raises(MigrationFailedError, match="nowhere"):
            run_alembic(project, postgresql_url, "upgrade", "head")
    assert mark(postgresql_url)["may_be_repeated"]


PROCEDURE = (
    "CREATE PROCEDURE fill() LANGUAGE plpgsql AS"
    " $$ BEGIN INSERT INTO log VALUES (1); COMMIT; RAISE division_by_zero; END $$"
)


@pytest.mark.parametrize(
    "statement",
    [
        "CALL fill()",
        "DO $$ BEGIN CALL fill(); END $$",
        "INSERT INTO log VALUES (1); COMMIT; SELECT 1 / 0",
    ],
)
def test_what_committed_on_its_way_and_failed_is_not_said_to_be_rolled_back(
    statement: str, postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    project = make_history(
        [revision_body(LOG), revision_body(f"{BLOCK}    op.execute('{statement}')")]
    )
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    execute(postgresql_url, PROCEDURE)
    refuses_to_repeat(project, postgresql_url, run_alembic)
    assert scalar(postgresql_url, "SELECT count(*) FROM log") == 1


@pytest.mark.parametrize(
    "code",
    [
        "op.bulk_insert(sa.table('log', sa.column('n')), [{'n': n} for n in (1, 2, 3)])",
        f"{RAW}    raw.executemany('INSERT INTO log VALUES (?)', [(1,), (2,), (3,)])",
        f"{RAW}    raw.executescript('INSERT INTO log VALUES (1); INSERT INTO log VALUES (3)')",
    ],
)
def test_of_several_statements_on_sqlite_those_before_the_fault_are_said_to_be_there(
    code: str, sqlite_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    table = (
        "op.execute('CREATE TABLE log (n int UNIQUE)')\nop.execute('INSERT INTO log VALUES (3)')"
    )
    project = make_history([revision_body(table), revision_body(f"{BLOCK}    {code}")])
    run_alembic(project, sqlite_url, "upgrade", "20260101_0000")
    refuses_to_repeat(project, sqlite_url, run_alembic)
    assert scalar(sqlite_url, "SELECT count(*) FROM log") > 1


def refuses_to_repeat(project: Path, url: URL, run_alembic: Any) -> None:
    for said in ("a part of it is committed", "finish it by hand"):
        with pytest.raises(MigrationFailedError) as failed:
            run_alembic(project, url, "upgrade", "head")
        assert said in failed.value.hint


def test_what_failed_in_part_and_was_passed_over_is_remembered(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    code = (
        f"{BLOCK}    try:\n        op.execute('CALL fill()')\n    except sa.exc.DBAPIError:\n"
        "        pass\n    op.execute('VACUUM log')\n    op.execute('VACUUM nowhere')"
    )
    project = make_history([revision_body(LOG), revision_body(code)])
    run_alembic(project, postgresql_url, "upgrade", "20260101_0000")
    execute(postgresql_url, PROCEDURE)
    refuses_to_repeat(project, postgresql_url, run_alembic)
    assert mark(postgresql_url)["first"] == ["CALL fill()", "VACUUM log"]


def test_a_build_that_failed_and_was_passed_over_leaves_its_patience_behind(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    code = (
        f"{BLOCK}    try:\n        op.execute('CREATE UNIQUE INDEX CONCURRENTLY ux ON log (n)')\n"
        "    except sa.exc.DBAPIError:\n        pass\n"
        "    found = op.get_bind().exec_driver_sql('SHOW lock_timeout').scalar()\n"
        "    assert found == '2s', found"
    )
    fill = "\nop.execute('INSERT INTO log SELECT 1 FROM generate_series(1, 2)')"
    project = make_history([revision_body(LOG + fill), revision_body(code)])
    run_alembic(project, postgresql_url, "upgrade", "head")


@pytest.mark.parametrize(
    "ending",
    ["    op.execute('SELECT * FROM nowhere')", "    op.execute('SELECT 1')\n    1 / 0"],
)
@pytest.mark.parametrize(
    "before",
    ["", "    with suppress(sa.exc.DBAPIError):\n        op.execute('SELECT * FROM nowhere')\n"],
    ids=["", "behind a fault that was passed over"],
)
def test_what_goes_past_every_watch_in_a_block_is_not_repeated(
    before: str,
    ending: str,
    sqlite_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
) -> None:
    code = (
        f"import sqlite3\nfrom contextlib import suppress\n{RAW}{BLOCK}"
        f"    op.execute('CREATE TABLE IF NOT EXISTS log (n int)')\n{before}"
        f"    sqlite3.Connection.execute(raw, 'CREATE TABLE past (n int)')\n{ending}"
    )
    project = make_history([revision_body(code)])
    refuses_to_repeat(project, sqlite_url, run_alembic)
