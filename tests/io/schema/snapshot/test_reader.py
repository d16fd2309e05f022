"""The schema of a database, whichever engine it is, without what records where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.snapshot.reader import read_schema

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


def test_a_version_table_of_any_name_is_no_part_of_the_schema(database_url: URL) -> None:
    with connect(database_url) as connection:
        for statement in (
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, version_num VARCHAR(32))",
            "CREATE TABLE orders_history (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
        ):
            connection.exec_driver_sql(statement)

        found = {item.own_name for item in read_schema(connection) if item.kind == "table"}

    assert {name.removeprefix("public.") for name in found} == {"orders"}
