"""The schema of a database, whichever engine it is, without what records where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.snapshot.reader import default_schema_of, read_schema

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


def test_what_a_run_records_is_no_part_of_the_schema(
    make_history: Any, revision_body: Any, database_url: URL
) -> None:
    project = make_history([revision_body("pass")])
    migration_runner.upgrade(database_url, alembic_ini=project / "alembic.ini")
    with connect(database_url, read_only=True) as connection:
        assert [str(item) for item in read_schema(connection)] == []


def test_a_version_table_of_any_name_is_no_part_of_the_schema(database_url: URL) -> None:
    with connect(database_url) as connection:
        for statement in (
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, version_num VARCHAR(32))",
            "CREATE TABLE orders_history (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
        ):
            connection.exec_driver_sql(statement)

        found = {item.own_name for item in read_schema(connection) if item.kind == "table"}

    assert {name.removeprefix("public.") for name in found} == {"orders"}


def test_the_default_schema_is_where_a_name_without_one_is(postgresql_url: URL) -> None:
    with connect(postgresql_url) as connection:
        for path, schema in (("public", "public"), ("own", "own"), ("", "public")):
            connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS own")
            connection.exec_driver_sql(f"SET search_path TO '{path}'")
            assert default_schema_of(connection) == schema
