"""The plugin, seen from the projects that use it: each test runs a pytest of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from tests.warm_python import WarmPythons

from work_data_hub.io.schema.ephemeral.postgres_server import running_postgres
from work_data_hub.io.schema.ephemeral.postgres_templates import administration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import URL

ALEMBIC_INI = Path(__file__).parents[2] / "alembic.ini"
USES_ALL = """
def test_database(migrated_database):
    print("on", migrated_database.get_backend_name())

def test_session(migrated_database_session, migrated_database_session_engine):
    assert migrated_database_session_engine.url == migrated_database_session

def test_engine(migrated_database_engine):
    with migrated_database_engine.connect() as connection:
        query = "SELECT count(*) FROM pipeline_executions"
        assert connection.exec_driver_sql(query).scalar() == 0
"""
FAILS = "def test_fails(migrated_database):\n    assert not migrated_database.database\n"


@pytest.fixture(autouse=True)
def outside_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """See what a person sees: in CI no server is kept for nobody to look at."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_TESTRUNUID", raising=False)


@pytest.fixture(autouse=True)
def without_fuzzers(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare each pytest the second that Hypothesis needs for its imports."""
    # After pytester, which takes what the suite itself was given out of the environment.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")


@pytest.fixture(scope="module")
def warm_pytests() -> Iterator[WarmPythons]:
    """Programs that need not import pytest first either."""
    with contextlib.closing(WarmPythons("pytest")) as warm:
        yield warm


@pytest.fixture
def as_it_stands(
    pytester: pytest.Pytester, warm_pytests: WarmPythons
) -> Callable[..., pytest.RunResult]:
    """Run pytest in a process of its own, with these arguments, in pytester's folder."""

    def run(*arguments: str) -> pytest.RunResult:
        command = ("-m", "pytest", f"--basetemp={pytester.path / 'temporary'}", *arguments)
        begun = time.monotonic()
        done = warm_pytests.run(*command, cwd=pytester.path, env=os.environ, timeout=120)
        print(done.stdout, done.stderr, sep="\n")
        said = (done.stdout.splitlines(), done.stderr.splitlines())
        return pytest.RunResult(done.returncode, *said, time.monotonic() - begun)

    return run


@pytest.fixture
def run_pytest(
    pytester: pytest.Pytester, as_it_stands: Callable[..., pytest.RunResult]
) -> Callable[..., pytest.RunResult]:
    """Run a test file in a project whose alembic.ini is WorkDataHub's."""

    def run(text: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(text)
        # With "=": pytest takes a path that stands alone for one of the test files.
        given = any(argument.startswith("--wdh-config") for argument in arguments)
        config = [] if given else [f"--wdh-config={ALEMBIC_INI}"]
        return as_it_stands(*config, *arguments)

    return run


@pytest.fixture
def server() -> Iterator[URL]:
    with running_postgres() as running:
        yield running.url()


def databases_of(server: URL) -> list[str]:
    with administration(server) as admin:
        query = "SELECT datname FROM pg_database WHERE datname ^@ 'wdh_test_' AND NOT datistemplate"
        return [name for (name,) in admin.execute(query)]


def supervisors(text: str) -> list[int]:
    """Return the processes that look after a server whose command line holds the text."""
    found = subprocess.run(
        ["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True, check=True
    )
    lines = [line for line in found.stdout.splitlines() if "postgres_supervisor" in line]
    return [int(line.split()[0]) for line in lines if text in line]


def ports(result: pytest.RunResult) -> set[str]:
    """Return the ports that the tests printed, as they stand on the servers' command lines."""
    return {f"-p {port}" for port in re.findall(r"port (\d+)", str(result.stdout))}


def soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_every_fixture_gives_a_migrated_database_of_the_engine_that_was_asked_for(
    run_pytest: Callable[..., pytest.RunResult], engine: str
) -> None:
    result = run_pytest(USES_ALL, "--wdh-engine", engine, "-s")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines([f"*on {engine}*"])


def test_with_both_engines_each_test_runs_once_for_each(
    run_pytest: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\nwdh_engine = both\n")
    result = run_pytest(USES_ALL + "\ndef test_without():\n    pass\n", "-v")
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(["*test_database?sqlite?*", "*test_database?postgresql?*"])


def test_a_test_may_choose_its_engine_itself(
    run_pytest: Callable[..., pytest.RunResult],
) -> None:
    chooses = """
import pytest

@pytest.mark.parametrize("wdh_engine", ["sqlite"], indirect=True)
def test_chosen(migrated_database):
    assert migrated_database.get_backend_name() == "sqlite"
"""
    run_pytest(chooses, "--wdh-engine", "both").assert_outcomes(passed=1)


def test_names_of_parameters_may_be_keywords(run_pytest: Callable[..., pytest.RunResult]) -> None:
    text = """
import pytest

@pytest.mark.parametrize(argnames="number", argvalues=[1, 2])
def test_it(number, migrated_database):
    pass
"""
    run_pytest(text, "--wdh-engine", "both").assert_outcomes(passed=4)


@pytest.mark.parametrize(
    "option", ["engine", "sqlite", "keep-failed", "keep-server", "config", "seeds", "server"]
)
def test_a_url_in_the_place_of_another_value_is_not_printed_with_its_password(
    option: str, run_pytest: Callable[..., pytest.RunResult]
) -> None:
    url = "oracle://hub:hunter2@127.0.0.1:1/x"
    result = run_pytest("def test_it(migrated_database): ...", f"--wdh-{option}={url}")
    text = "\n".join([*result.outlines, *result.errlines])
    assert result.ret != 0
    assert "oracle" in text
    assert "hunter2" not in text
    assert "Traceback" not in text


def test_an_engine_that_there_is_not_is_named(run_pytest: Callable[..., pytest.RunResult]) -> None:
    text = """
import pytest

@pytest.mark.parametrize("wdh_engine", ["oracle"], indirect=True)
def test_it(migrated_database):
    pass
"""
    result = run_pytest(text)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["wdh_engine is 'oracle'; use sqlite, postgresql"])


def test_the_engine_lets_two_connections_read_at_once(
    run_pytest: Callable[..., pytest.RunResult],
) -> None:
    text = """
def test_it(migrated_database_engine):
    query = "SELECT count(*) FROM pipeline_executions"
    with migrated_database_engine.connect() as one, migrated_database_engine.connect() as other:
        assert [c.exec_driver_sql(query).scalar() for c in (one, other)] == [0, 0]
"""
    run_pytest(text, "--wdh-engine", "both").assert_outcomes(passed=2)


def test_a_test_that_ends_its_server_fails_alone_and_in_words(
    run_pytest: Callable[..., pytest.RunResult],
) -> None:
    text = """
import os, signal

def test_ends(migrated_database, migrated_databases):
    os.kill(migrated_databases._membership.server.pid, signal.SIGKILL)
    assert not migrated_database.database

def test_without():
    pass
"""
    result = run_pytest(text, "--wdh-engine", "postgresql")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_an_env_py_that_cannot_be_imported_is_named_with_its_line(
    run_pytest: Callable[..., pytest.RunResult],
    make_history: Callable[..., Path],
    revision_body: Callable[..., Any],
) -> None:
    project = make_history([revision_body("pass")])
    env_py = project / "io/schema/migrations/env.py"
    text = env_py.read_text(encoding="utf-8")
    env_py.write_text(f"import there_is_no_such_module\n{text}", encoding="utf-8")
    tests = "".join(f"def test_{n}(migrated_database):\n    pass\n\n" for n in range(3))
    result = run_pytest(tests, f"--wdh-config={project / 'alembic.ini'}")
    result.assert_outcomes(errors=3)
    shown = str(result.stdout)
    assert f"{env_py}:1 cannot be executed: ModuleNotFoundError: No module named" in shown
    assert "Traceback (most recent call last)" not in shown


def test_seeds_and_config_of_the_ini_file_are_relative_to_it(
    as_it_stands: Callable[..., pytest.RunResult],
    pytester: pytest.Pytester,
    make_history: Callable[..., Path],
    revision_body: Callable[..., Any],
) -> None:
    project = make_history([revision_body("op.execute('CREATE TABLE mine (id INTEGER)')")])
    pytester.makeini(
        f"[pytest]\nwdh_config = {os.path.relpath(project, pytester.path)}/alembic.ini\n"
        "wdh_seeds =\n    one.sql\n    two.sql\n"
    )
    for name in ("one", "two"):
        pytester.path.joinpath(f"{name}.sql").write_text("INSERT INTO mine VALUES (1);\n")
    pytester.makepyfile("""
def test_seeded(migrated_database_engine):
    with migrated_database_engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM mine").scalar() == 2
""")
    as_it_stands().assert_outcomes(passed=1)


def test_in_memory_leaves_no_file(run_pytest: Callable[..., pytest.RunResult]) -> None:
    asks = "def test_memory(migrated_database):\n    assert 'memdb' in str(migrated_database)\n"
    run_pytest(USES_ALL + asks, "--wdh-sqlite", "memory").assert_outcomes(passed=4)


def test_a_failed_test_keeps_its_database_and_says_where(
    run_pytest: Callable[..., pytest.RunResult],
) -> None:
    result = run_pytest(FAILS + "\ndef test_passes(migrated_database):\n    pass\n")
    result.assert_outcomes(failed=1, passed=1)
    (place,) = re.findall(r"^(/.*)\n\(sqlite:///\1\)$", str(result.stdout), re.MULTILINE)
    assert Path(place).exists()
    assert len(list(Path(place).parent.iterdir())) == 1


def test_a_failed_tests_postgresql_database_can_be_looked_at_after_the_session(
    run_pytest: Callable[..., pytest.RunResult],
) -> None:
    result = run_pytest(FAILS, "--wdh-engine", "postgresql")
    result.assert_outcomes(failed=1)
    (place,) = re.findall(r"^postgresql://\S+$", str(result.stdout), re.MULTILINE)
    with psycopg.connect(place) as connection:
        assert connection.execute("SELECT count(*) FROM pipeline_executions").fetchone() == (0,)
    (supervisor,) = supervisors(str(Path(place.partition("passfile=")[2]).parent))
    os.kill(supervisor, signal.SIGTERM)
    assert soon(lambda: supervisors(f"{supervisor} ") == [])


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_dropped_when_asked_for_nothing_is_left_of_a_failed_test(
    run_pytest: Callable[..., pytest.RunResult], engine: str
) -> None:
    says = "    print('port', migrated_database.port)\n"
    text = FAILS.replace("    assert", f"{says}    assert")
    result = run_pytest(text, "--wdh-keep-failed", "no", "--wdh-engine", engine, "-s")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*is kept*")
    assert [supervisors(port) for port in ports(result)] == ([[]] if engine != "sqlite" else [])


def test_a_server_stays_for_the_next_run_when_asked_to(
    run_pytest: Callable[..., pytest.RunResult],
) -> None:
    asks = """
def test_which(migrated_database):
    print("port", migrated_database.port)
"""
    arguments = ["--wdh-engine", "postgresql", "--wdh-keep-server", "1", "-s"]
    first, second = (ports(run_pytest(asks, *arguments)) for _ in range(2))
    assert first == second
    (port,) = first
    (supervisor,) = supervisors(port)
    os.kill(supervisor, signal.SIGTERM)
    assert soon(lambda: supervisors(f"{supervisor} ") == [])


def test_xdist_workers_share_one_server(
    run_pytest: Callable[..., pytest.RunResult], tmp_path: Path
) -> None:
    waits = f"""
import os, pathlib, time

def test_meeting(migrated_database):
    print("port", migrated_database.port)
    place = pathlib.Path({str(tmp_path)!r})
    place.joinpath(os.environ["PYTEST_XDIST_WORKER"] + ".here").touch()
    deadline = time.monotonic() + 30
    while len(list(place.glob("*.here"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
"""
    arguments = ["--wdh-engine", "postgresql", "-n", "2", "--dist", "each", "-rP"]
    result = run_pytest(waits, *arguments)
    result.assert_outcomes(passed=2)
    (port,) = ports(result)
    assert supervisors(port) == []


def test_xdist_workers_leave_nothing_also_when_one_of_them_is_killed(
    run_pytest: Callable[..., pytest.RunResult],
) -> None:
    many = """
import os, signal
import pytest

@pytest.mark.parametrize("number", range(40))
def test_many(migrated_database_engine, number):
    print("port", migrated_database_engine.url.port)
    with migrated_database_engine.connect() as connection:
        query = "SELECT count(*) FROM pipeline_executions"
        assert connection.exec_driver_sql(query).scalar() == 0
    if number == 20:
        os.kill(os.getpid(), signal.SIGKILL)
"""
    result = run_pytest(many, "--wdh-engine", "postgresql", "-n", "2", "-rP")
    result.assert_outcomes(passed=39, failed=1)
    # Two, when the other worker was through before the killed one's successor began.
    assert {tuple(supervisors(port)) for port in ports(result)} == {()}


def test_no_orphan_is_left_when_pytest_is_killed(
    run_pytest: Callable[..., pytest.RunResult],
) -> None:
    is_killed = """
import os, signal

def test_killed(migrated_database):
    print("port", migrated_database.port, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = run_pytest(is_killed, "--wdh-engine", "postgresql", "-s")
    assert killed.ret == -signal.SIGKILL
    (port,) = ports(killed)
    assert soon(lambda: supervisors(port) == [])


def test_an_existing_server_is_used_and_left_as_it_was(
    run_pytest: Callable[..., pytest.RunResult],
    server: URL,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = server.render_as_string(hide_password=False)
    monkeypatch.setenv("WDH_TEST_DATABASE_URI", text)
    asks = f"""
def test_which(migrated_database):
    assert migrated_database.port == {server.port}
"""
    result = run_pytest(USES_ALL + asks, "--wdh-engine", "postgresql", "-n", "2")
    result.assert_outcomes(passed=4)
    assert str(server.password) not in str(result.stdout) + str(result.stderr)
    assert databases_of(server) == []


def test_a_migration_that_fails_is_shown_in_full_once_and_fails_each_test_at_once(
    run_pytest: Callable[..., pytest.RunResult],
    make_history: Callable[..., Path],
    revision_body: Callable[..., Any],
) -> None:
    project = make_history([revision_body("op.execute('SELECT * FROM nowhere')")])
    text = "".join(f"def test_{n}(migrated_database):\n    pass\n\n" for n in range(3))
    result = run_pytest(text, f"--wdh-config={project / 'alembic.ini'}")
    result.assert_outcomes(errors=3)
    shown = str(result.stdout)
    assert shown.count("Traceback (most recent call last)") >= 1
    assert shown.count("[SQL: SELECT * FROM nowhere]") == 1
    assert shown.count("error: upgrade 20260101_0000 failed") == 3
    assert shown.count("in full above") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--wdh-config=missing.ini"], "error: there is no file *missing.ini"),
        (["--wdh-seeds=missing.sql"], "error: there is no file *missing.sql"),
        (
            ["--wdh-keep-server", "soon"],
            "error: wdh_keep_server is 'soon', which is no number of minutes",
        ),
        (["--wdh-keep-server=inf"], "error: wdh_keep_server is 'inf', which is no number *"),
        (["--wdh-server", "mysql://x"], "error: --wdh-server names the database kind*"),
        (["--wdh-seeds=binary.sql"], "error: the seed file *binary.sql cannot be used: *UTF-8*"),
        (
            ["--wdh-engine=postgresql", "--wdh-server=postgresql://u:hunter2@127.0.0.1:1/x"],
            "error: *127.0.0.1*",
        ),
    ],
)
def test_an_option_that_cannot_be_used_is_named(
    run_pytest: Callable[..., pytest.RunResult],
    pytester: pytest.Pytester,
    arguments: list[str],
    message: str,
) -> None:
    (pytester.path / "binary.sql").write_bytes(b"\xbf\x00\xfe")
    result = run_pytest("def test_it(migrated_database):\n    pass\n", *arguments)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message, "hint: *"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*hunter2*")


def test_a_server_that_refuses_the_password_is_worded(
    run_pytest: Callable[..., pytest.RunResult], server: URL
) -> None:
    wrong = server.set(username="nobody_here", password="hunter2")
    text = wrong.render_as_string(hide_password=False)
    result = run_pytest(
        "def test_it(migrated_database):\n    pass\n",
        "--wdh-engine=postgresql",
        f"--wdh-server={text}",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["error: *nobody_here*", "hint: *"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*hunter2*")


def test_a_wrong_engine_in_the_ini_file_is_a_usage_error(
    run_pytest: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\nwdh_engine = oracle\n")
    result = run_pytest("def test_it():\n    pass\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*wdh_engine is 'oracle'; use sqlite, postgresql, both*"])


def test_a_session_without_a_database_imports_nothing_heavy() -> None:
    program = (
        "import sys, work_data_hub.testing.plugin\n"
        "print(sorted({'sqlalchemy', 'alembic', 'psycopg', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


PASTED = """
import gc

import pytest
from sqlalchemy import create_engine, inspect


@pytest.fixture
def test_db_with_migrations(migrated_database):
    return migrated_database.render_as_string(hide_password=False)


def test_tables_are_created(test_db_with_migrations):
    engine = create_engine(test_db_with_migrations)
    inspector = inspect(engine)
    assert "pipeline_executions" in inspector.get_table_names()


def test_a_connection_is_left_open(test_db_with_migrations):
    connection = create_engine(test_db_with_migrations).connect()
    assert "pipeline_executions" in inspect(connection).get_table_names()


def test_a_later_one_is_not_blamed(caplog):
    gc.collect()
    assert caplog.records == []


LASTING = create_engine("sqlite:///lasting.db")


def test_what_leads_elsewhere(migrated_database):
    with LASTING.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS t (a)")


def test_stays_open():
    assert LASTING.pool.checkedin() == 1
    with LASTING.connect() as connection:
        assert inspect(connection).get_table_names() == ["t"]
    LASTING.dispose()
"""


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_an_engine_that_nobody_disposes_of_is_closed_with_its_test(
    run_pytest: Callable[..., pytest.RunResult], engine: str
) -> None:
    """As in SQLAlchemy's own examples, in a project that takes warnings for errors."""
    found = run_pytest(PASTED, "--wdh-engine", engine, "-W", "error")
    found.assert_outcomes(passed=5)


THREADED = """
import threading
import time

from sqlalchemy import create_engine


def work(engine, until):
    with engine.connect() as connection:
        while not until.is_set():
            connection.exec_driver_sql("SELECT 1")


THREADS = {}


def test_a_thread_goes_on(migrated_database):
    until = threading.Event()
    thread = threading.Thread(target=work, args=(create_engine(migrated_database), until))
    thread.start()
    THREADS[thread] = until


def test_it_is_still_there():
    time.sleep(0.2)
    for thread, until in THREADS.items():
        assert thread.is_alive()
        until.set()
        thread.join()
"""


def test_what_a_thread_uses_is_left_to_it(run_pytest: Callable[..., pytest.RunResult]) -> None:
    """SQLite's library does not survive a connection that is closed while it is used."""
    run_pytest(THREADED, "--wdh-engine", "sqlite", "-W", "error").assert_outcomes(passed=2)


AS_TEXT = """
import asyncio
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

COUNT = "SELECT count(*) FROM pipeline_executions"
KNOWN, UNKNOWN = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
RUN = ("INSERT INTO pipeline_executions (execution_id, pipeline_name, status, started_at)"
       f" VALUES ('{KNOWN}', 'p', 'success', '2026-01-01 00:00:00+00:00')")
METRIC = ("INSERT INTO data_quality_metrics (metric_id, execution_id, pipeline_name, metric_type,"
          f" recorded_at) VALUES ('{KNOWN}', '{UNKNOWN}', 'p', 't', '2026-01-01 00:00:00+00:00')")

def test_a_url_is_good_as_text(migrated_database, migrated_database_url):
    assert sa.make_url(migrated_database_url) == migrated_database
    with sa.create_engine(migrated_database_url, poolclass=sa.NullPool).connect() as connection:
        assert connection.exec_driver_sql(COUNT).scalar() == 0

def test_an_asynchronous_engine_is_one_on_that_database(migrated_database_async_engine):
    async def write():
        async with migrated_database_async_engine.begin() as connection:
            await connection.exec_driver_sql(RUN)
            with pytest.raises(IntegrityError):
                async with connection.begin_nested():
                    await connection.exec_driver_sql(METRIC)

    async def read():
        async with migrated_database_async_engine.connect() as connection:
            return (await connection.exec_driver_sql(COUNT)).scalar()

    asyncio.run(write())
    assert asyncio.run(read()) == 1  # in another event loop
"""


def test_a_database_can_be_had_as_text_and_asynchronously(
    run_pytest: Callable[..., pytest.RunResult],
) -> None:
    run_pytest(AS_TEXT, "--wdh-engine", "both").assert_outcomes(passed=4)


def test_what_an_asynchronous_engine_lacks_is_named(
    run_pytest: Callable[..., pytest.RunResult],
) -> None:
    hidden = "import sys\nsys.modules['aiosqlite'] = None\n"
    asks = "def test_it(migrated_database_async_engine): ...\n"
    result = run_pytest(hidden + asks)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*needs aiosqlite, which is not installed: pip install aiosqlite"])
