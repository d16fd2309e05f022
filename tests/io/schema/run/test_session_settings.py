"""Nothing that a revision sets leaks into the next one, nor to whom the connection belongs."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from work_data_hub.config import get_settings
from work_data_hub.errors import MigrationFailedError
from work_data_hub.io.schema.engine import connect, create_engine
from work_data_hub.io.schema.locks.advisory_lock import AdvisoryLock
from work_data_hub.io.schema.run.session_settings import KEPT, milliseconds
from work_data_hub.io.schema.sqlite import left_behind

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import URL

# For each setting a value that it does not have.
OTHER = {
    "session_authorization": "leaked",
    "role": "leaked",
    "search_path": "leaked",
    "lock_timeout": "7s",
    "statement_timeout": "77s",
    "idle_in_transaction_session_timeout": "78s",
    "idle_session_timeout": "76s",
    "transaction_timeout": "79s",
    "session_replication_role": "replica",
    "row_security": "off",
    "check_function_bodies": "off",
    "default_tablespace": "pg_default",
    "default_table_access_method": "leaked",
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "on",
    "standard_conforming_strings": "off",
    "client_min_messages": "error",
    "constraint_exclusion": "on",
    "synchronous_commit": "remote_apply",
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Tokyo",
    "xmloption": "document",
    "work_mem": "5MB",
    "maintenance_work_mem": "65MB",
}
SEEN = "INSERT INTO seen SELECT current_setting($${}$$), current_user"
WAYS = {
    "by SET": "op.execute('SET \"{0}\" = \\'{1}\\'')",
    "inside DO": "op.execute('DO $x$ BEGIN SET \"{0}\" = \\'{1}\\'; END $x$')",
    "by a function": "op.execute('SELECT set_config($${0}$$, $${1}$$, false)')",
    "on the driver's connection": (
        "op.get_bind().connection.driver_connection.execute("
        "'SELECT set_config($${0}$$, $${1}$$, false)')"
    ),
    "behind a comment, in a script": "op.execute('/* x */ SELECT 1; SET \"{0}\" = \\'{1}\\'')",
}


@pytest.fixture
def role(postgresql_url: URL) -> None:
    # Roles belong to the server: another worker may make it at the same moment.
    make = (
        "DO $$ BEGIN CREATE ROLE leaked SUPERUSER LOGIN;"
        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    with connect(postgresql_url) as connection, connection.begin():
        connection.exec_driver_sql(make)
        connection.exec_driver_sql(
            "CREATE ACCESS METHOD leaked TYPE TABLE HANDLER heap_tableam_handler"
        )
        connection.exec_driver_sql("CREATE SCHEMA leaked")
        connection.exec_driver_sql("CREATE TABLE public.seen (value text, by_user text)")


def settings(url: URL) -> dict[str, str]:
    query = "SELECT value, by_user FROM public.seen"
    with connect(url) as connection:
        return dict(tuple(row) for row in connection.exec_driver_sql(query))


def test_every_setting_that_is_kept_is_tested() -> None:
    assert set(OTHER) == set(KEPT)


@pytest.mark.usefixtures("role")
@pytest.mark.parametrize("name", KEPT)
def test_a_setting_is_put_back_behind_the_revision_that_changed_it(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, name: str
) -> None:
    with connect(postgresql_url) as connection:
        query = f"SELECT current_setting('{name}', true), current_user"
        before, user = connection.exec_driver_sql(query).one()
    if before is None:
        assert name == "transaction_timeout"  # since PostgreSQL 17
        return
    code = WAYS["by a function"].format(name, OTHER[name])
    look = f"op.execute('{SEEN.format(name)}')"
    run_alembic(
        make_history([revision_body(code), revision_body(look)]), postgresql_url, "upgrade", "head"
    )
    ((value, by_user),) = settings(postgresql_url).items()
    assert by_user == user
    assert value != OTHER[name]
    if not name.endswith("_timeout"):
        assert value == before


@pytest.mark.usefixtures("role")
@pytest.mark.parametrize("name", ["search_path", "lock_timeout", "role"])
@pytest.mark.parametrize("way", WAYS)
def test_whatever_way_it_was_changed(
    postgresql_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    name: str,
    way: str,
) -> None:
    code = WAYS[way].format(name, OTHER[name])
    look = f"op.execute('CREATE TABLE made (x int)')\nop.execute('{SEEN.format(name)}')"
    run_alembic(
        make_history([revision_body(code), revision_body(look)]), postgresql_url, "upgrade", "head"
    )
    with connect(postgresql_url) as connection:
        assert sa.inspect(connection).has_table("made", schema="public")
    assert OTHER[name] not in settings(postgresql_url)


@pytest.mark.usefixtures("role")
def test_a_callers_connection_has_its_own_settings_back(
    postgresql_url: URL, make_history: Any, revision_body: Any
) -> None:
    own = {"lock_timeout": "3s", "search_path": "public, pg_catalog", "TimeZone": "Europe/Oslo"}
    leaking = [
        WAYS["by a function"].format(name, OTHER[name]) for name in ("TimeZone", "search_path")
    ]
    config = Config(str(make_history([revision_body("\n".join(leaking))]) / "alembic.ini"))
    engine = sa.create_engine(postgresql_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        for name, value in own.items():
            connection.exec_driver_sql(f"SELECT set_config('{name}', '{value}', false)")
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        for name, value in own.items():
            found = connection.exec_driver_sql(f"SELECT current_setting('{name}')").scalar()
            assert found == value


FAILING = "op.execute('SELECT 1/0')"
OUTSIDE = (
    "op.execute('CREATE TABLE t (a int)')\nwith op.get_context().autocommit_block():\n"
    "    op.execute('CREATE INDEX CONCURRENTLY ia ON t (a)')"
)


@pytest.mark.parametrize("code", ["pass", FAILING, OUTSIDE, f"{OUTSIDE}\n    {FAILING}"])
def test_a_callers_connection_is_as_it_was_however_the_run_ended(
    postgresql_url: URL, make_history: Any, revision_body: Any, code: str
) -> None:
    timeouts = {name: value for name, value in OTHER.items() if name.endswith("timeout")}
    config = Config(str(make_history([revision_body(code)]) / "alembic.ini"))
    with sa.create_engine(postgresql_url, poolclass=sa.NullPool).connect() as connection:
        query = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
        names = list(OTHER)
        for name, value in timeouts.items():
            known = f"SELECT set_config(name, '{value}', false) FROM pg_settings"
            connection.exec_driver_sql(f"{known} WHERE name = '{name}'")
        connection.commit()
        before = connection.exec_driver_sql(query, (names,)).all()
        connection.commit()
        config.attributes["connection"] = connection
        with contextlib.suppress(MigrationFailedError):
            command.upgrade(config, "head")
        assert not connection.in_transaction()
        assert connection.exec_driver_sql(query, (names,)).all() == before


def test_behind_a_pooler_the_servers_own_settings_come_back(
    postgresql_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    transaction_pooler: Callable[[URL, int], AbstractContextManager[URL]],
) -> None:
    code = (
        WAYS["by SET"].format("lock_timeout", "7s")
        + "\n"
        + WAYS["by SET"].format("TimeZone", "Asia/Tokyo")
    )
    project = make_history([revision_body(code), revision_body("pass")])
    with transaction_pooler(postgresql_url, 3) as url:
        run_alembic(project, url, "upgrade", "head")
        for _ in range(4):
            with connect(url) as connection:
                query = "SELECT current_setting('lock_timeout'), current_setting('TimeZone')"
                found = connection.exec_driver_sql(query).one()
            assert found[0] == "0"
            assert found[1] != "Asia/Tokyo"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.0001, "1ms"), (0.3, "300ms"), (0.3004, "301ms"), (2, "2000ms")],
)
def test_no_time_out_is_rounded_to_none(seconds: float, text: str) -> None:
    assert milliseconds(seconds) == text


def test_the_shortest_lock_time_out_is_one(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", "0.0001")
    get_settings.cache_clear()
    code = (
        "assert op.get_bind().exec_driver_sql("
        "\"SELECT current_setting('lock_timeout')\").scalar() == '1ms'"
    )
    run_alembic(make_history([revision_body(code)]), postgresql_url, "upgrade", "head")


def test_a_run_that_waits_for_another_is_not_ended_as_an_idle_session(
    give_settings: Callable[..., URL], make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    url = give_settings(idle_session_timeout="'300ms'")
    project = make_history([revision_body("op.execute('CREATE TABLE made (id integer)')")])
    holder = AdvisoryLock(create_engine(url), "public.alembic_version")
    assert holder.try_to_take()
    release = threading.Timer(1.5, holder.release)
    release.start()
    run_alembic(project, url, "upgrade", "head")
    release.join()
    with connect(url) as connection:
        assert sa.inspect(connection).has_table("made")


def test_a_callers_connection_gets_its_idle_limit_back(
    give_settings: Callable[..., URL], make_history: Any, revision_body: Any
) -> None:
    url = give_settings(idle_session_timeout="'30s'")
    project = make_history([revision_body("pass")])
    with connect(url) as connection:
        config = Config(str(project / "alembic.ini"), attributes={"connection": connection})
        command.upgrade(config, "head")
        query = "SELECT current_setting('idle_session_timeout')"
        assert connection.exec_driver_sql(query).scalar() == "30s"


SHADOW = "op.execute('CREATE TEMPORARY TABLE seen (what text)')\n"
FILL = "op.execute(\"INSERT INTO seen VALUES ('kept')\")\n"


def seen(url: URL) -> list[str]:
    with connect(url) as connection:
        return [*connection.exec_driver_sql("SELECT what FROM seen ORDER BY what").scalars()]


def test_a_temporary_table_goes_with_its_revision(
    database_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    """What the next one does to a table of that name, it would do to the temporary one."""
    table = "op.execute('CREATE TABLE seen (what text)')"
    bodies = [table, SHADOW + FILL, FILL, SHADOW, FILL]
    run_alembic(make_history([*map(revision_body, bodies)]), database_url, "upgrade", "head")
    assert seen(database_url) == ["kept", "kept"]


def test_a_map_of_schemas_goes_with_its_revision(
    postgresql_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    mapped = "op.get_bind().execution_options(schema_translate_map={None: 'other'})\n"
    made = "op.create_table('made', sa.Column('i', sa.Integer))"
    bodies = [f"op.execute('CREATE SCHEMA other')\n{mapped}{made}", made]
    run_alembic(make_history([*map(revision_body, bodies)]), postgresql_url, "upgrade", "head")
    with connect(postgresql_url) as connection:
        for schema in ("other", "public"):
            assert sa.inspect(connection).has_table("made", schema=schema)


@pytest.mark.parametrize(
    ("name", "value", "default"),
    [("app.tenant", "leaked", ""), ("enable_seqscan", "off", "on"), ("array_nulls", "off", "on")],
)
def test_a_setting_that_is_not_on_the_list_goes_with_its_revision(
    name: str,
    value: str,
    default: str,
    postgresql_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
) -> None:
    look = f"op.execute(\"INSERT INTO seen SELECT current_setting('{name}', true)\")"
    bodies = [
        "op.execute('CREATE TABLE seen (what text)')",
        f"op.execute('SET {name} = {value}')",
        look,
    ]
    run_alembic(make_history([*map(revision_body, bodies)]), postgresql_url, "upgrade", "head")
    assert seen(postgresql_url) == [default]


def test_what_a_caller_has_in_its_session_stays(
    database_url: URL, make_history: Any, revision_body: Any
) -> None:
    project = make_history([revision_body("pass"), revision_body("pass")])
    is_postgresql = database_url.get_backend_name() == "postgresql"
    with create_engine(database_url).connect() as connection:
        connection.exec_driver_sql("CREATE TEMPORARY TABLE own (i integer)")
        if is_postgresql:
            connection.exec_driver_sql("SET app.tenant = 'own'")
        connection.commit()
        mapped = connection.execution_options(schema_translate_map={"a": "b"})
        config = Config(str(project / "alembic.ini"), attributes={"connection": mapped})
        command.upgrade(config, "head")
        assert mapped.get_execution_options()["schema_translate_map"] == {"a": "b"}
        assert connection.exec_driver_sql("SELECT count(*) FROM own").scalar() == 0
        if is_postgresql:
            assert connection.exec_driver_sql("SHOW app.tenant").scalar() == "own"


BREAK = "op.execute(\"INSERT INTO checked VALUES ('wrong')\")"


@pytest.mark.parametrize(
    ("code", "then"),
    [
        ("op.execute('PRAGMA ignore_check_constraints = ON')", BREAK),
        (
            "with op.get_context().autocommit_block():\n"
            "    op.execute(\"ATTACH ':memory:' AS beside\")\n"
            "    op.execute('CREATE TABLE beside.checked (what text)')",
            "op.execute('INSERT INTO beside.checked VALUES (1)')",
        ),
        (
            "op.execute('PRAGMA query_only = OFF')\nop.execute('PRAGMA writable_schema = ON')",
            "op.execute('DELETE FROM sqlite_master WHERE name = \\'checked\\'')",
        ),
        (
            "op.execute('CREATE TEMPORARY TRIGGER lost BEFORE INSERT ON checked"
            " BEGIN SELECT RAISE(IGNORE); END')",
            BREAK,
        ),
    ],
)
def test_what_a_revision_does_to_the_session_of_sqlite_goes_with_it(
    code: str,
    then: str,
    sqlite_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
) -> None:
    table = "op.execute(\"CREATE TABLE checked (what text CHECK (what <> 'wrong'))\")"
    project = make_history([*map(revision_body, (table, code, then))])
    with pytest.raises(MigrationFailedError) as failed:
        run_alembic(project, sqlite_url, "upgrade", "head")
    assert failed.value.failed == "20260101_0002"
    assert len(failed.value.applied) == 2


def test_foreign_keys_that_a_revision_switched_on_delete_nothing_in_the_next(
    sqlite_url: URL, make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    tables = (
        "op.execute('CREATE TABLE parent (id integer PRIMARY KEY, v text)')\n"
        "op.execute('CREATE TABLE seen (what REFERENCES parent ON DELETE CASCADE)')\n"
        "op.execute('INSERT INTO parent VALUES (1, 1)')\nop.execute('INSERT INTO seen VALUES (1)')"
    )
    on = "with op.get_context().autocommit_block():\n    op.execute('PRAGMA foreign_keys = ON')"
    rebuild = (
        "with op.batch_alter_table('parent') as batch:\n"
        "    batch.alter_column('v', existing_type=sa.Text(), nullable=False)"
    )
    project = make_history([*map(revision_body, (tables, on, rebuild))])
    run_alembic(project, sqlite_url, "upgrade", "head")
    assert len(seen(sqlite_url)) == 1


def test_a_sqlite_that_does_not_know_a_pragma_runs_all_the_same(
    sqlite_url: URL,
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(left_behind, "_PRAGMAS", (*left_behind._PRAGMAS, "of_another_version"))
    project = make_history([revision_body("op.execute('CREATE TABLE seen (what text)')")] * 2)
    run_alembic(project, sqlite_url, "upgrade", "20260101_0000")
    assert seen(sqlite_url) == []
