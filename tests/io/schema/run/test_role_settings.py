"""What an administrator has set for a role or a database does not decide how a run ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.errors import MigrationFailedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

MADE = "op.create_table('made', sa.Column('word', sa.String(20)))"
CONCURRENT = (
    "with op.get_context().autocommit_block():\n"
    "    op.execute('CREATE INDEX CONCURRENTLY by_word ON made (word)')"
)
# What a time-out of 600 ms would end.
WORK_IN_PYTHON = "import time; time.sleep(0.9); op.execute('SELECT 1')"
WORK_IN_BETWEEN = f"op.execute('SELECT 1'); {WORK_IN_PYTHON}"
WORK_IN_SQL = "op.execute('SELECT pg_sleep(0.9)')"


def scalar(url: URL, query: str) -> Any:
    with connect(url) as connection:
        return connection.exec_driver_sql(query).scalar()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("idle_in_transaction_session_timeout", "600", WORK_IN_BETWEEN),
        ("idle_session_timeout", "600", WORK_IN_PYTHON),
        ("transaction_timeout", "600", WORK_IN_BETWEEN),
        ("statement_timeout", "600", WORK_IN_SQL),
        ("lock_timeout", "1", "pass"),
        ("default_transaction_isolation", "'serializable'", "pass"),
        ("default_transaction_isolation", "'repeatable read'", "pass"),
        ("search_path", "missing, public", "pass"),
        ("standard_conforming_strings", "off", "pass"),
        ("quote_all_identifiers", "on", "pass"),
        ("DateStyle", "'German, DMY'", "pass"),
        ("DateStyle", "'SQL, MDY'", "pass"),
    ],
)
def test_a_run_goes_through_whatever_was_set_for_the_role(
    postgresql_url: URL,
    give_settings: Callable[..., URL],
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
    name: str,
    value: str,
    code: str,
) -> None:
    if scalar(postgresql_url, f"SELECT current_setting('{name}', true)") is None:
        return  # of a later PostgreSQL
    url = give_settings(**{name: value})
    project = make_history([revision_body(each) for each in (MADE, code, CONCURRENT, "pass")])
    run_alembic(project, url, "upgrade", "head")
    assert migration_runner.status(url, alembic_ini=project / "alembic.ini").is_clear
    entries = migration_runner.journal(url)
    assert [entry.outcome for entry in entries] == ["done"] * 4
    assert all(
        abs(datetime.now(UTC) - entry.started_at) < timedelta(minutes=5) for entry in entries
    )
    assert scalar(url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_word'::regclass")


def test_the_record_is_found_in_a_schema_whose_name_must_be_quoted(
    give_settings: Callable[..., URL], postgresql_url: URL, make_history: Any, revision_body: Any
) -> None:
    url = give_settings(search_path='"Odd ""one"""')
    with connect(postgresql_url) as connection, connection.begin():
        connection.exec_driver_sql(f'CREATE SCHEMA "Odd ""one""" AUTHORIZATION "{url.username}"')
    ini = make_history([revision_body(MADE), revision_body("pass")]) / "alembic.ini"
    for revision in ("20260101_0000", "head"):
        migration_runner.upgrade(url, revision, alembic_ini=ini)
    assert migration_runner.status(url, alembic_ini=ini).is_clear
    assert len(migration_runner.journal(url, alembic_ini=ini)) == 2


def test_a_run_goes_through_whatever_was_set_for_the_database(
    give_settings: Callable[..., URL], make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    url = give_settings(to="database", idle_session_timeout="600", statement_timeout="600")
    project = make_history([revision_body(WORK_IN_PYTHON), revision_body(WORK_IN_SQL)])
    run_alembic(project, url, "upgrade", "head")
    assert migration_runner.current(url) == ("20260101_0001",)


def test_a_role_that_only_reads_is_refused_and_changes_nothing(
    give_settings: Callable[..., URL], make_history: Any, revision_body: Any, run_alembic: Any
) -> None:
    url = give_settings(default_transaction_read_only="on")
    with pytest.raises(MigrationFailedError, match="read-only transaction") as refused:
        run_alembic(make_history([revision_body(MADE)]), url, "upgrade", "head")
    assert refused.value.exit_code == 6
    assert scalar(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


def test_the_tables_of_a_run_are_where_the_search_path_of_the_role_begins(
    postgresql_url: URL,
    give_settings: Callable[..., URL],
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
) -> None:
    with connect(postgresql_url) as connection, connection.begin():
        connection.exec_driver_sql("CREATE SCHEMA app AUTHORIZATION CURRENT_USER")
        connection.exec_driver_sql("GRANT ALL ON SCHEMA app TO PUBLIC")
    url = give_settings(search_path="app, public")
    emptied = "op.execute(\"SELECT set_config('search_path', '', false)\")"
    project = make_history([revision_body(MADE), revision_body(emptied), revision_body(CONCURRENT)])
    for _ in range(2):
        run_alembic(project, url, "upgrade", "head")
    made = "SELECT count(*), count(*) FILTER (WHERE schemaname = 'app') FROM pg_tables"
    with connect(url) as connection:
        found = connection.exec_driver_sql(f"{made} WHERE tablename IN ('made', 'alembic_version')")
        assert found.one() == (2, 2)
    assert migration_runner.current(url) == ("20260101_0002",)
