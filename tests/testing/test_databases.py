from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa

from work_data_hub.errors import (
    DatabaseUnavailableError,
    MigrationFailedError,
    MissingError,
    RefusedError,
    UsageError,
)
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect, create_engine
from work_data_hub.io.schema.ephemeral import sqlite_clones
from work_data_hub.io.schema.ephemeral.postgres_clones import Clones, sweep
from work_data_hub.io.schema.ephemeral.postgres_server import running_postgres
from work_data_hub.io.schema.ephemeral.postgres_templates import (
    EMPTY,
    administration,
    ensure_template,
)
from work_data_hub.testing.databases import (
    Engine,
    MigratedDatabases,
    Wanted,
    migrated_database,
    migrated_databases,
)
from work_data_hub.testing.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import URL

REPOSITORY = Path(__file__).parents[2]
SEEDS = REPOSITORY / "io" / "schema" / "fixtures" / "test_data.sql"


@pytest.fixture(scope="module")
def server() -> Iterator[URL]:
    """A server that these tests may fill, look through and end."""
    with running_postgres() as running:
        yield running.url()


@pytest.fixture
def project() -> Project:
    return Project(REPOSITORY / "alembic.ini")


@pytest.fixture
def make_project(
    make_history: Callable[..., Path], revision_body: Callable[..., Any]
) -> Callable[..., Project]:
    """A project of one's own, of revisions that execute these statements."""

    def make(*statements: str, seeds: tuple[Path, ...] = ()) -> Project:
        bodies = [revision_body(f"op.execute({statement!r})") for statement in statements]
        return Project(make_history(bodies) / "alembic.ini", seeds)

    return make


def rows(url: URL, query: str) -> list[Any]:
    with connect(url) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def names(server: URL, beginning: str = "wdh_test_") -> list[str]:
    with administration(server) as admin:
        query = "SELECT datname FROM pg_database WHERE datname ^@ %s ORDER BY 1"
        return [name for (name,) in admin.execute(query, [beginning])]


# What a database is


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_outside_pytest_a_block_has_a_migrated_and_seeded_database(engine: Engine) -> None:
    with migrated_database(REPOSITORY / "alembic.ini", engine=engine, seeds=[SEEDS]) as url:
        assert url.get_backend_name() == engine
        assert rows(url, "SELECT count(*) FROM pipeline_executions") == [(5,)]
        assert migration_runner.current(url) == migration_runner.heads()
    if engine == "sqlite":
        assert not Path(str(url.database)).exists()
    else:
        with pytest.raises(DatabaseUnavailableError), connect(url):
            pass


def test_a_database_is_recorded_as_ephemeral_and_stays_so_when_it_is_migrated(
    migrated_database: URL,
) -> None:
    migration_runner.downgrade(migrated_database)
    migration_runner.upgrade(migrated_database)
    identity = migration_runner.identity(migrated_database)
    assert identity is not None
    assert identity.environment == "ephemeral"


def test_what_one_test_does_no_other_sees(migrated_databases: MigratedDatabases) -> None:
    with migrated_databases.fresh() as first, migrated_databases.fresh() as second:
        with connect(first) as connection, connection.begin():
            connection.exec_driver_sql("DROP TABLE data_quality_metrics")
        assert rows(second, "SELECT count(*) FROM data_quality_metrics") == [(0,)]


def test_a_migrated_and_an_empty_database_of_a_test_are_two(
    migrated_database: URL, empty_database: URL
) -> None:
    assert migrated_database != empty_database
    with contextlib.closing(create_engine(empty_database).connect()) as connection:
        assert sa.inspect(connection).get_table_names() == []


def test_a_database_in_memory_is_one_for_every_connection(project: Project) -> None:
    with migrated_databases(Wanted(project, "sqlite", in_memory=True)) as databases:
        with databases.fresh() as url:
            engine = create_engine(url)
            with engine.connect() as one, one.begin():
                one.exec_driver_sql("CREATE TABLE mine AS SELECT 1 AS a")
            with engine.connect() as other:
                assert other.exec_driver_sql("SELECT a FROM mine").scalar() == 1
            assert migration_runner.current(url) == migration_runner.heads()
        with databases.fresh() as another:
            assert "mine" not in sa.inspect(create_engine(another)).get_table_names()


def test_a_copy_carries_the_settings_and_privileges_of_the_database(
    make_project: Callable[..., Project], server: URL
) -> None:
    with administration(server) as admin:
        admin.execute('CREATE ROLE "reader of {}"')
    project = make_project(
        """DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone TO ''Asia/Tokyo''',
        current_database()); END $$""",
        """DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path TO public, "a b"',
        current_database()); END $$""",
        """DO $$ BEGIN EXECUTE format('ALTER ROLE "reader of {}" IN DATABASE %I
        SET x.y TO ''{1}=a=b''', current_database()); END $$""",
        """DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC',
        current_database()); END $$""",
        """DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO "reader of {}"
        WITH GRANT OPTION', current_database()); END $$""",
        """DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO "reader of {}"',
        current_database()); END $$""",
        """DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 7',
        current_database()); END $$""",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET temp_tablespaces TO %L',"
        " current_database(), ''); END $$",
    )
    with (
        migrated_databases(Wanted(project, "postgresql", server=server)) as databases,
        databases.fresh() as url,
    ):
        assert rows(url, "SHOW timezone") == [("Asia/Tokyo",)]
        assert rows(url, "SHOW search_path") == [('public, "a b"',)]
        carried = (
            "SELECT setconfig FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole"
            " JOIN pg_database d ON d.oid = setdatabase AND datname = current_database()"
        )
        assert rows(url, carried) == [(["x.y={1}=a=b"],)]
        privileges = "SELECT datacl::text FROM pg_database WHERE datname = current_database()"
        ((acl,),) = rows(url, privileges)
        assert "=CTc*/" in acl
        assert "=T/" in acl
        mine = "FROM pg_database WHERE datname = current_database()"
        assert rows(url, f"SELECT pg_get_userbyid(datdba), datconnlimit {mine}") == [
            ("reader of {}", 7)
        ]
        assert rows(url, "SHOW temp_tablespaces") == [('""',)]
        assert "=Tc/" not in acl


# Templates


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_second_session_runs_no_migration(
    make_project: Callable[..., Project], tmp_path: Path, engine: Engine
) -> None:
    project = make_project("CREATE TABLE mine (id INTEGER)")
    (version,) = tmp_path.glob("history/io/schema/migrations/versions/*.py")
    marker = tmp_path / "executed"
    with version.open("a", encoding="utf-8") as file:
        file.write(f"\n\nwith open({str(marker)!r}, 'a') as file:\n    file.write('x')\n")
    executed = []
    for _ in range(2):
        with (
            migrated_databases(Wanted(project, engine, folder=tmp_path)) as databases,
            databases.fresh() as url,
        ):
            assert rows(url, "SELECT count(*) FROM mine") == [(0,)]
        executed.append(len(marker.read_text(encoding="utf-8")))
    assert executed == [executed[0]] * 2


@pytest.mark.parametrize("name", ["alembic.ini", "env.py", "step_0.py", "seeds.sql", "other.sql"])
def test_the_key_changes_with_everything_that_makes_the_content(
    make_project: Callable[..., Project], tmp_path: Path, name: str
) -> None:
    migrations = tmp_path / "history/io/schema/migrations"
    seeds = tmp_path / "seeds.sql"
    seeds.write_text("SELECT 1;\n", encoding="utf-8")
    project = make_project("SELECT 1", seeds=(seeds,))
    before = project.key()
    assert before == project.key() != project.key("another server")
    changed = {
        "alembic.ini": project.alembic_ini,
        "env.py": migrations / "env.py",
        "step_0.py": migrations / "versions" / "20260101_0000_step_0.py",
        "seeds.sql": seeds,
        "other.sql": migrations / "versions" / "data" / "other.sql",
    }[name]
    changed.parent.mkdir(exist_ok=True)
    with changed.open("a", encoding="utf-8") as file:
        file.write("\n")
    assert project.key() != before


def test_processes_that_need_a_template_at_once_build_it_once(server: URL, tmp_path: Path) -> None:
    marker = tmp_path / "builds"
    program = f"""
import sys, time
from sqlalchemy.engine import make_url
from work_data_hub.io.schema.ephemeral.postgres_templates import ensure_template

def fill(url):
    with open({str(marker)!r}, "a") as file:
        file.write("x")
    time.sleep(1)  # the others come meanwhile

print("ready", flush=True)
ensure_template(make_url(sys.stdin.read()), "{"ab" * 8}", fill)
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdout.close()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(server.render_as_string(hide_password=False))
        process.stdin.close()
    assert [process.wait(60) for process in processes] == [0] * 4
    assert marker.read_text(encoding="utf-8") == "x"


def test_a_build_that_was_killed_leaves_nothing_that_is_taken_for_a_template(server: URL) -> None:
    key = "cd" * 8
    program = f"""
import os, signal, sys
from sqlalchemy.engine import make_url
from work_data_hub.io.schema.ephemeral.postgres_templates import ensure_template
ensure_template(make_url(sys.stdin.read()), "{key}", lambda url: os.kill(os.getpid(), 9))
"""
    text = server.render_as_string(hide_password=False)
    killed = subprocess.run(
        [sys.executable, "-c", program], input=text, text=True, check=False, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    assert names(server, f"wdh_test_template_{key}") == [f"wdh_test_template_{key}"]
    filled: list[URL] = []
    ensure_template(server, key, filled.append)
    assert len(filled) == 1
    ensure_template(server, key, filled.append)
    assert len(filled) == 1


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_migration_that_fails_is_told_in_its_own_words_and_leaves_no_template(
    make_project: Callable[..., Project], engine: Engine, server: URL, tmp_path: Path
) -> None:
    project = make_project("CREATE TABLE mine (id INTEGER)", "SELECT * FROM nowhere")
    before = names(server)
    wanted = Wanted(project, engine, server=server, folder=tmp_path)
    for _ in range(2):
        with (
            migrated_databases(wanted) as databases,
            pytest.raises(MigrationFailedError, match=r"20260101_0001.*nowhere"),
            databases.fresh(),
        ):
            pass
    assert names(server) == before


def test_templates_that_nobody_has_used_for_two_weeks_are_dropped(server: URL) -> None:
    old, recent = "0" * 16, "1" * 16
    for key in (old, recent):
        ensure_template(server, key, lambda _: None)
    with administration(server) as admin:
        admin.execute(
            f"COMMENT ON DATABASE wdh_test_template_{old} IS"
            " 'work_data_hub: a template for tests, last used on 2026-01-01'"
        )
    ensure_template(server, "2" * 16, lambda _: None)
    left = names(server, "wdh_test_template_")
    assert f"wdh_test_template_{old}" not in left
    assert f"wdh_test_template_{recent}" in left


# An existing server


def test_on_an_existing_server_nothing_is_left_and_nothing_else_is_touched(
    project: Project, server: URL
) -> None:
    with administration(server) as admin:
        admin.execute("CREATE DATABASE wdh_test_of_a_person")
        admin.execute("CREATE DATABASE production")
    with migrated_databases(Wanted(project, "postgresql", server=server)) as databases:
        with databases.fresh() as url:
            assert str(url.database).startswith("wdh_test_")
        databases.take()  # never given back
    left = [name for name in names(server, "") if "template" not in name]
    assert left == ["postgres", "production", "wdh_test_of_a_person"]
    with administration(server) as admin:
        admin.execute("DROP DATABASE wdh_test_of_a_person")
        admin.execute("DROP DATABASE production")


def test_a_database_in_the_query_of_the_server_is_not_the_one_that_tests_get(
    project: Project, server: URL
) -> None:
    with administration(server) as admin:
        admin.execute("CREATE DATABASE production")
    try:
        named = server.update_query_dict({"dbname": "production"})
        with (
            migrated_databases(Wanted(project, "postgresql", server=named)) as databases,
            databases.fresh() as url,
            connect(url) as connection,
        ):
            found = connection.exec_driver_sql("SELECT current_database()").scalar()
            assert str(found).startswith("wdh_test_")
        with connect(server.set(database="production")) as connection:
            assert sa.inspect(connection).get_table_names() == []
    finally:
        with administration(server) as admin:
            admin.execute("DROP DATABASE production WITH (FORCE)")


def test_what_a_killed_run_left_is_swept_by_the_next_and_a_living_one_is_spared(
    server: URL,
) -> None:
    program = """
import os, sys
from sqlalchemy.engine import make_url
from work_data_hub.io.schema.ephemeral.postgres_clones import Clones
from work_data_hub.io.schema.ephemeral.postgres_templates import EMPTY
clones = Clones(make_url(sys.stdin.read()), EMPTY, ends_with_us=False)
clones.take()
print("taken", flush=True)
os.kill(os.getpid(), 9)
"""
    living = Clones(server, EMPTY, ends_with_us=False)
    alive = living.take()
    text = server.render_as_string(hide_password=False)
    killed = subprocess.run(
        [sys.executable, "-c", program], input=text, text=True, check=False, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    owner = str(alive.database).rsplit("_", 1)[0]
    # The server notices soon, not at once, that the killed one is gone.
    with administration(server) as admin:
        for _ in range(200):
            sweep(admin)
            left = [name for name in names(server) if "template" not in name]
            if all(name.startswith(owner) for name in left):
                break
    assert alive.database in left
    assert all(name.startswith(owner) for name in left)
    living.close()
    assert [name for name in names(server) if "template" not in name] == []


def test_what_another_role_left_does_not_hold_up_a_run(server: URL) -> None:
    with administration(server) as admin:
        admin.execute("CREATE ROLE maker LOGIN CREATEDB PASSWORD 'x'")
    theirs = f"wdh_test_{'9' * 16}_1"
    with administration(server) as admin:
        admin.execute(f"CREATE DATABASE {theirs}")
    clones = Clones(server.set(username="maker", password="x"), EMPTY, ends_with_us=False)
    assert clones.take()
    clones.close()
    assert theirs in names(server)
    with administration(server) as admin:
        sweep(admin)
    assert theirs not in names(server)


def test_one_that_the_server_does_not_let_go_ends_no_supply(server: URL) -> None:
    clones = Clones(server, EMPTY, ends_with_us=False)
    held = clones.take()
    with administration(server) as admin:
        admin.execute(f'ALTER DATABASE "{held.database}" IS_TEMPLATE true')
    clones.give_back(held)
    for _ in range(6):
        clones.give_back(clones.take())
    clones.close()
    assert names(server, f"{held.database}") == [held.database]
    with administration(server) as admin:
        admin.execute(f'ALTER DATABASE "{held.database}" IS_TEMPLATE false')
        sweep(admin)
    assert held.database not in names(server)


def test_a_forked_child_gets_databases_of_its_own(server: URL) -> None:
    clones = Clones(server, EMPTY, ends_with_us=False)
    mine = clones.take()
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writing, str(clones.take().database).encode())
            clones.close()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    theirs = os.read(reading, 200).decode()
    os.close(reading)
    os.close(writing)
    assert theirs.startswith("wdh_test_")
    assert theirs.rsplit("_", 1)[0] != str(mine.database).rsplit("_", 1)[0]
    clones.close()


def test_a_link_that_points_nowhere_is_no_part_of_the_key(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    project = make_project("SELECT 1")
    before = project.key()
    (tmp_path / "history/io/schema/migrations/versions/.#0001.py").symlink_to("me@host.1")
    assert project.key() == before


def test_a_template_in_wal_mode_is_copied_whole(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    project = make_project("CREATE TABLE mine AS SELECT 1 AS a")
    template = tmp_path / "template"
    template.mkdir()

    def fill(url: URL) -> None:
        project.fill(url)
        with contextlib.closing(sqlite3.connect(str(url.database))) as connection, connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("INSERT INTO mine VALUES (2)")

    sqlite_clones.fill_template(template, fill)
    clones = sqlite_clones.FileClones(template / sqlite_clones.TEMPLATE, tmp_path)
    url = clones.take()
    assert rows(url, "SELECT count(*) FROM mine") == [(2,)]
    assert rows(url, "PRAGMA journal_mode") == [("wal",)]


def test_a_database_that_is_kept_is_spared_for_a_day(server: URL) -> None:
    clones = Clones(server, EMPTY, ends_with_us=False)
    kept = clones.take()
    clones.keep(kept)
    clones.close()
    with administration(server) as admin:
        sweep(admin)
        assert kept.database in names(server)
        admin.execute(
            f"COMMENT ON DATABASE {kept.database} IS 'work_data_hub: kept on 2026-01-01 00:00'"
        )
        sweep(admin)
    assert kept.database not in names(server)


def test_a_connection_that_a_test_leaves_open_does_not_keep_its_database(server: URL) -> None:
    clones = Clones(server, EMPTY, ends_with_us=False)
    url = clones.take()
    with create_engine(url).connect() as left_open:
        left_open.exec_driver_sql("SELECT 1")
        clones.give_back(url)
        clones.close()
        assert url.database not in names(server)
        left_open.invalidate()


def test_a_user_without_the_right_is_named_what_is_missing(project: Project, server: URL) -> None:
    with administration(server) as admin:
        admin.execute("CREATE ROLE nothing LOGIN PASSWORD 'geheim'")
    poor = server.set(username="nothing", password="geheim")
    with (
        migrated_databases(Wanted(project, "postgresql", server=poor)) as databases,
        pytest.raises(DatabaseUnavailableError, match="permission denied") as caught,
    ):
        databases.take()
    assert "CREATEDB" in caught.value.hint
    assert "geheim" not in caught.value.for_people()


def test_a_locale_that_the_server_lacks_is_named(
    make_project: Callable[..., Project], server: URL
) -> None:
    project = make_project('CREATE TABLE mine (a TEXT COLLATE "xx_YY")')
    with (
        migrated_databases(Wanted(project, "postgresql", server=server)) as databases,
        pytest.raises(MigrationFailedError, match='collation "xx_YY"'),
    ):
        databases.take()


def test_a_server_that_dies_ends_the_wait_of_every_later_test() -> None:
    with running_postgres() as mortal:
        clones = Clones(mortal.url(), EMPTY, ends_with_us=True)
        clones.take()
        os.kill(mortal.pid, signal.SIGQUIT)
        with pytest.raises(DatabaseUnavailableError, match="gives no database"):
            list(iter(clones.take, None))  # what is in stock already comes first
        clones.close()


def test_a_server_that_does_not_answer_is_named(project: Project) -> None:
    nowhere = sa.make_url("postgresql+psycopg://me:geheim@127.0.0.1:1/postgres")
    with (
        migrated_databases(Wanted(project, "postgresql", server=nowhere)) as databases,
        pytest.raises(DatabaseUnavailableError, match="cannot open") as caught,
    ):
        databases.take()
    assert "geheim" not in caught.value.for_people()


# Bad input


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match=r"no file .*alembic\.ini"),
        migrated_database(tmp_path / "alembic.ini"),
    ):
        pass
    with (
        pytest.raises(UsageError, match=r"no file .*seeds\.sql"),
        migrated_database(REPOSITORY / "alembic.ini", seeds=[tmp_path / "seeds.sql"]),
    ):
        pass


def test_a_disk_without_room_is_named(project: Project, tmp_path: Path) -> None:
    template = tmp_path / "template.db"
    template.write_bytes(b"x" * 8192)
    clones = sqlite_clones.FileClones(template, Path("/dev/full"))
    with pytest.raises(MissingError, match="could not be copied"):
        clones.take()


def test_an_env_py_of_its_own_is_served_and_kept_from_other_databases(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    project = make_project("CREATE TABLE mine (id INTEGER)")
    env_py = tmp_path / "history/io/schema/migrations/env.py"
    env_py.write_text(
        """
from alembic import context
from sqlalchemy import NullPool, create_engine
url = context.config.get_main_option("sqlalchemy.url")
with create_engine(url, poolclass=NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
""",
        encoding="utf-8",
    )
    assert not project.hands_over
    with migrated_databases(Wanted(project, "sqlite", folder=tmp_path)) as databases:
        assert rows(databases.take(), "SELECT count(*) FROM mine") == [(0,)]
    other = tmp_path / "production.db"
    env_py.write_text(
        env_py.read_text(encoding="utf-8").replace(
            'context.config.get_main_option("sqlalchemy.url")', f'"sqlite:///{other}"'
        ),
        encoding="utf-8",
    )
    with (
        migrated_databases(Wanted(project, "sqlite", folder=tmp_path)) as databases,
        pytest.raises(RefusedError, match=r"env\.py connects to sqlite:///.*production\.db"),
    ):
        databases.take()
    assert not other.exists() or other.stat().st_size == 0


def test_a_password_is_nowhere_in_what_a_person_is_shown(
    postgresql_databases: MigratedDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    url = postgresql_databases.take_empty()
    place = postgresql_databases.keep(url)
    assert place is not None
    assert str(url.password) not in place
    with psycopg.connect(place.splitlines()[0]) as connection:
        found = connection.execute("SELECT current_database()").fetchone()
    assert found == (url.database,)
    postgresql_databases._membership.stay_seconds = 0
