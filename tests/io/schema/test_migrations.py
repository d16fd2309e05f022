"""What every shipped revision must keep (`pytest -m integration` runs it alone)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from work_data_hub.config import get_database_connection_string
from work_data_hub.domain.snapshot.difference import differences
from work_data_hub.io.runs import metadata
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect, create_engine
from work_data_hub.io.schema.revisions import project_files
from work_data_hub.io.schema.snapshot.reader import read_schema
from work_data_hub.testing.checks import *  # noqa: F403
from work_data_hub.testing.project import Project

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from sqlalchemy.engine import URL

    from work_data_hub.domain.snapshot.schema import Snapshot

pytestmark = pytest.mark.integration


@pytest.fixture(scope="session")
def wdh_project() -> Project:
    """Our own project with its seeds, for the checks alone: other tests want no rows."""
    return Project(project_files.alembic_ini(), (project_files.seed_file(),))


def schema(url: URL) -> Snapshot:
    with connect(url) as connection:
        return read_schema(connection)


def columns_in_order(url: URL) -> dict[str, list[str]]:
    with connect(url) as connection:
        inspector = sa.inspect(connection)
        return {
            name: [column["name"] for column in inspector.get_columns(name)]
            for name in metadata.tables
        }


def test_the_published_tables_equal_the_migrated_schema(database_url: URL) -> None:
    migration_runner.upgrade(database_url)
    migrated, order = schema(database_url), columns_in_order(database_url)
    migration_runner.downgrade(database_url, "base")
    metadata.create_all(create_engine(database_url))
    assert [str(found) for found in differences(migrated, schema(database_url))] == []
    # A new column is the last one of its table: so is that of tables.py.
    assert columns_in_order(database_url) == order


def test_alembic_check_finds_no_drift(
    database_url: URL, alembic: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    migration_runner.upgrade(database_url)
    check = alembic("check", url=database_url)
    assert (check.returncode, check.stdout) == (0, "No new upgrade operations detected.\n")


def test_alembic_check_names_every_difference(
    database_url: URL, alembic: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    migration_runner.upgrade(database_url)
    with connect(database_url) as connection, connection.begin():
        connection.exec_driver_sql("DROP INDEX ix_data_quality_metrics_execution_id")
        connection.exec_driver_sql("ALTER TABLE data_quality_metrics ADD COLUMN extra TEXT")
    check = alembic("check", url=database_url)
    assert check.returncode == 1
    assert check.stdout.splitlines() == [
        "add index: ix_data_quality_metrics_execution_id on data_quality_metrics",
        "remove column: data_quality_metrics.extra",
    ]
    assert "differs from the defined tables in 2 place(s)" in check.stderr


def test_the_fixture_gives_a_migrated_database_that_the_settings_point_at(
    test_db_with_migrations: str,
) -> None:
    with connect(sa.make_url(test_db_with_migrations)) as connection:
        tables = set(sa.inspect(connection).get_table_names())
    assert {"pipeline_executions", "data_quality_metrics"} <= tables
    assert sa.make_url(get_database_connection_string()) == sa.make_url(test_db_with_migrations)
    assert migration_runner.current() == migration_runner.heads()
