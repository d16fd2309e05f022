""" "Rolled back" and "committed" are asked of the database, and said only where it says so."""

from __future__ import annotations

import builtins
import sqlite3
import textwrap
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from work_data_hub.errors import MigrationFailedError, UsageError
from work_data_hub.io.schema import drivers, migration_runner
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

END_OWN_BACKEND = "op.execute('SELECT pg_terminate_backend(pg_backend_pid())')"
TABLE = "op.execute('CREATE TABLE a (x int)')"


def has_table(url: URL, name: str) -> bool:
    with connect(url) as connection:
        return sa.inspect(connection).has_table(name)


def outcomes(url: URL) -> list[str]:
    return [entry.outcome for entry in migration_runner.journal(url)]


def failure(run_alembic: Any, project: Path, url: URL) -> str:
    with pytest.raises(MigrationFailedError) as failed:
        run_alembic(project, url, "upgrade", "head")
    return failed.value.hint


def test_a_connection_that_is_cut_in_mid_revision_has_rolled_back(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    project = make_history([revision_body(f"{TABLE}\n{END_OWN_BACKEND}")])
    assert "it was rolled back" in failure(run_alembic, project, postgresql_url)
    assert not has_table(postgresql_url, "a")
    assert outcomes(postgresql_url) == ["failed"]
    run_alembic(make_history([revision_body(TABLE)]), postgresql_url, "upgrade", "head")


def test_a_server_that_cannot_be_asked_any_more_is_not_spoken_for(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    closing = (
        "import psycopg\nwith psycopg.connect(op.get_bind().engine.url.set(drivername='postgresql',"
        " database='postgres').render_as_string(hide_password=False), autocommit=True) as other:\n"
        f"    other.execute('ALTER DATABASE {postgresql_url.database} ALLOW_CONNECTIONS false')\n"
    )
    project = make_history([revision_body(f"{TABLE}\n{closing}{END_OWN_BACKEND}")])
    try:
        hint = failure(run_alembic, project, postgresql_url)
    finally:
        server = postgresql_url.set(drivername="postgresql", database="postgres")
        text = server.render_as_string(hide_password=False)
        with psycopg.connect(text, autocommit=True) as other:
            other.execute(f"ALTER DATABASE {postgresql_url.database} ALLOW_CONNECTIONS true")
    assert "the next run looks whether it was committed" in hint
    assert "rolled back" not in hint


def test_when_the_answer_to_the_commit_is_lost_the_journal_says_done_and_nothing_else(
    postgresql_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = make_history([revision_body("pass"), revision_body(TABLE)])
    run_alembic(project, postgresql_url, "upgrade", "+1")
    commit = psycopg.Connection.commit
    lost: list[bool] = []

    def commit_and_lose(connection: psycopg.Connection) -> None:
        made = connection.execute("SELECT to_regclass('a') IS NOT NULL").fetchone() == (True,)
        commit(connection)
        if made and not lost:
            lost.append(True)
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Connection, "commit", commit_and_lose)
        hint = failure(run_alembic, project, postgresql_url)
    assert "lost when it had been committed, the next run goes on from there" in hint
    assert outcomes(postgresql_url) == ["done", "done"]
    assert migration_runner.current(postgresql_url) == ("20260101_0001",)
    run_alembic(project, postgresql_url, "upgrade", "head")


@pytest.mark.parametrize(
    ("ending", "left"),
    [
        ("raw.rollback()", "it was rolled back"),
        ("raw.pgconn.exec_(b'ROLLBACK')", "it was rolled back"),
        ("raw.pgconn.exec_(b'COMMIT')", "a part of it is committed"),
        ("raw.pgconn.exec_(b'COMMIT; BEGIN')", "a part of it is committed"),
    ],
)
@pytest.mark.parametrize("then", ["op.execute('SELECT 1/0')", "op.execute('SELECT 1')", "pass"])
def test_a_transaction_that_was_ended_past_every_watch_is_found_and_said(
    postgresql_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    ending: str,
    left: str,
    then: str,
) -> None:
    raw = "raw = op.get_bind().connection.driver_connection"
    project = make_history([revision_body(f"{TABLE}\n{raw}\n{ending}\n{then}")])
    assert left in failure(run_alembic, project, postgresql_url)
    assert has_table(postgresql_url, "a") is ("committed" in left)
    assert migration_runner.current(postgresql_url) == ()


@pytest.mark.parametrize(
    ("script", "left"),
    [
        ("raw.executescript('CREATE TABLE a (x int)')", "a part of it is committed"),
        ("raw.executescript('CREATE TABLE a (x int); BEGIN')", "a part of it is committed"),
        ("raw.rollback()", "it was rolled back"),
        ("raw.execute('CREATE TABLE a (x int)')", "it was rolled back"),
    ],
)
@pytest.mark.parametrize("then", ["op.execute('SELECT * FROM missing')", "raise RuntimeError"])
def test_on_a_connection_of_the_callers_own_sqlite_says_the_truth_too(
    sqlite_url: URL, make_history: Any, revision_body: Any, script: str, left: str, then: str
) -> None:
    raw = "raw = op.get_bind().connection.driver_connection"
    project = make_history([revision_body(f"{raw}\n{script}\n{then}")])
    config = Config(str(project / "alembic.ini"))
    engine = sa.create_engine(sqlite_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        with pytest.raises(MigrationFailedError) as failed:
            command.upgrade(config, "head")
    assert left in failed.value.hint
    assert has_table(sqlite_url, "a") is ("committed" in left)


def test_a_full_disk_makes_sqlite_roll_back_by_itself(
    sqlite_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    fill = (
        "op.execute('CREATE TABLE a (x blob)')\n"
        "pages = op.get_bind().exec_driver_sql('PRAGMA page_count').scalar()\n"
        "op.execute(f'PRAGMA max_page_count = {pages + 10}')\n"
        "op.execute('INSERT INTO a VALUES (zeroblob(1000000))')"
    )
    project = make_history([revision_body(fill)])
    assert "it was rolled back" in failure(run_alembic, project, sqlite_url)
    assert not has_table(sqlite_url, "a")


BEHIND_ITS_BACK = [
    "import sqlite3\nsqlite3.connect(op.get_bind().engine.url.database, timeout=0).execute({0!r})",
    "own = sa.create_engine(op.get_bind().engine.url, connect_args={{'timeout': 0}})\n"
    "with own.begin() as own:\n    own.exec_driver_sql({0!r})",
    "with op.get_bind().engine.connect() as own:\n    own.exec_driver_sql({0!r})",
]


@pytest.mark.parametrize("code", BEHIND_ITS_BACK)
def test_the_lock_of_the_run_is_said_to_be_in_the_way_of_a_connection_of_the_revision_s_own(
    sqlite_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
) -> None:
    monkeypatch.setattr(drivers, "SQLITE_BUSY_TIMEOUT_SECONDS", 0.1)
    body = revision_body(f"{TABLE}\n{code.format('CREATE TABLE b (x int)')}")
    with pytest.raises(
        MigrationFailedError, match="database is locked, by the run itself"
    ) as failed:
        run_alembic(make_history([body]), sqlite_url, "upgrade", "head")
    assert "step_0.py:" in failed.value.message
    assert "it was rolled back" in failed.value.hint
    assert "let the revision use op.get_bind()" in failed.value.hint
    advised = revision_body(f"{TABLE}\nop.get_bind().exec_driver_sql('CREATE TABLE b (x int)')")
    run_alembic(make_history([advised]), sqlite_url, "upgrade", "head")
    assert has_table(sqlite_url, "b")


def in_a_block(code: str) -> str:
    return f"with op.get_context().autocommit_block():\n{textwrap.indent(code, '    ')}"


@pytest.mark.parametrize(
    ("lock", "code"),
    [
        # It is met by the COMMIT, by the run's own connection, and by one beside it.
        ("BEGIN; SELECT * FROM sqlite_master", TABLE),
        ("BEGIN IMMEDIATE", in_a_block(TABLE)),
        ("BEGIN IMMEDIATE", in_a_block(BEHIND_ITS_BACK[0].format("CREATE TABLE b (x int)"))),
    ],
)
def test_the_lock_of_another_program_is_not_said_to_be_the_run_s(
    sqlite_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    monkeypatch: pytest.MonkeyPatch,
    lock: str,
    code: str,
) -> None:
    monkeypatch.setattr(drivers, "SQLITE_BUSY_TIMEOUT_SECONDS", 0.1)
    other = sqlite3.connect(str(sqlite_url.database), isolation_level=None, check_same_thread=False)
    monkeypatch.setattr(builtins, "lock_it", lambda: other.executescript(lock), raising=False)
    locking = code.replace("block():\n", "block():\n    lock_it()\n")
    body = revision_body(locking if locking != code else f"{code}\nlock_it()")
    with pytest.raises(MigrationFailedError, match=r"database is locked$") as failed:
        run_alembic(make_history([body]), sqlite_url, "upgrade", "head")
    other.close()
    assert "that no other program holds the database" in failed.value.hint


@pytest.mark.parametrize("ending", ["sys.exit()", "sys.exit(0)", "raise GeneratorExit"])
def test_a_revision_that_ends_the_process_has_not_succeeded(
    ending: str, database_url: URL, make_history: Any, revision_body: Any, alembic: Any
) -> None:
    project = make_history([revision_body(f"{TABLE}\nimport sys\n{ending}")])
    ended = alembic("upgrade", "head", url=database_url, cwd=project)
    assert ended.returncode == 6
    assert "upgrade 20260101_0000 failed" in ended.stderr
    assert "it was rolled back" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert outcomes(database_url) == ["failed"]


def test_an_env_py_that_ends_the_process_has_done_nothing(
    database_url: URL, make_history: Any, revision_body: Any
) -> None:
    project = make_history([revision_body(TABLE)])
    env = project / "io/schema/migrations/env.py"
    env.write_text(f"import sys\nsys.exit(0)\n{env.read_text()}")
    with pytest.raises(UsageError, match=r"env\.py:2 cannot be executed: SystemExit"):
        migration_runner.upgrade(database_url, alembic_ini=project / "alembic.ini")


@pytest.mark.parametrize(("character", "said"), [(0xDC80, r"\udc80"), (0, "\ufffd")])
def test_what_no_database_can_keep_does_not_hide_why_a_revision_failed(
    character: int,
    said: str,
    database_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
) -> None:
    project = make_history([revision_body(f"raise ValueError('no file ' + chr({character}))")])
    with pytest.raises(MigrationFailedError) as failed:
        run_alembic(project, database_url, "upgrade", "head")
    assert f"no file {said}" in failed.value.message
    (entry,) = migration_runner.journal(database_url)
    assert entry.detail == f"ValueError: no file {said}"


@pytest.mark.parametrize(
    "failing",
    [
        "op.execute('INSERT OR ROLLBACK INTO one VALUES (1)')",
        "raw.execute('INSERT OR ROLLBACK INTO one VALUES (1)')",
        "raw.executemany('INSERT OR ROLLBACK INTO one VALUES (?)', [(1,)])",
    ],
)
def test_where_sqlite_rolled_back_by_itself_nothing_more_is_done(
    failing: str, sqlite_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    one = (
        "op.execute('CREATE TABLE one (x int PRIMARY KEY)')\n"
        "op.execute('INSERT INTO one VALUES (1)')"
    )
    code = (
        "raw = op.get_bind().connection.driver_connection\n"
        f"try:\n    {failing}\nexcept Exception:\n    pass\n{TABLE}"
    )
    project = make_history([revision_body(one), revision_body(code)])
    assert "it was rolled back" in failure(run_alembic, project, sqlite_url)
    assert not has_table(sqlite_url, "a")


@pytest.mark.parametrize("end", ["", "\nraise RuntimeError('half way')"])
def test_a_block_of_psycopgs_own_is_part_of_the_revision_also_where_it_comes_first(
    end: str, postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    code = (
        "raw = op.get_bind().connection.driver_connection\n"
        f"with raw.transaction():\n    raw.execute('CREATE TABLE a (x int)'){end}"
    )
    project = make_history([revision_body(code)])
    if end:
        assert "it was rolled back" in failure(run_alembic, project, postgresql_url)
    else:
        run_alembic(project, postgresql_url, "upgrade", "head")
    assert has_table(postgresql_url, "a") is not bool(end)


def test_a_block_of_sqlites_own_commits_nothing(
    sqlite_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    code = (
        "raw = op.get_bind().connection.driver_connection\n"
        "with raw:\n    raw.execute('CREATE TABLE a (x int)')"
    )
    assert "it was rolled back" in failure(
        run_alembic, make_history([revision_body(code)]), sqlite_url
    )
    assert not has_table(sqlite_url, "a")


def test_ctrl_c_is_said_and_written_down_also_when_something_fails_behind_it(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    code = "try:\n    raise KeyboardInterrupt\nfinally:\n    op.execute('SELECT * FROM nowhere')"
    with pytest.raises(KeyboardInterrupt):
        run_alembic(make_history([revision_body(code)]), database_url, "upgrade", "head")
    with connect(database_url) as connection:
        (detail,) = connection.execute(sa.text("SELECT detail FROM work_data_hub_journal")).one()
    assert detail == "interrupted (Ctrl-C)"
