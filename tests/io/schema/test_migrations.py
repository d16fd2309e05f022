"""What every shipped revision must keep (`pytest -m integration` runs it alone)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.config import get_database_connection_string
from work_data_hub.domain.revision import RevisionInfo, parse_file_name
from work_data_hub.io.runs import metadata
from work_data_hub.io.schema import inspection, migration_runner
from work_data_hub.io.schema.engine import connect, create_engine

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from sqlalchemy.engine import URL

pytestmark = pytest.mark.integration

HISTORY = migration_runner.history()


def schema(url: URL) -> dict[str, Any]:
    with connect(url) as connection:
        return inspection.snapshot(connection)


def test_there_is_one_head() -> None:
    assert len(migration_runner.heads()) == 1


@pytest.mark.parametrize("revision", HISTORY, ids=lambda info: info.revision)
def test_name_and_id_agree(revision: RevisionInfo) -> None:
    name = parse_file_name(Path(revision.path).name)
    assert name is not None
    assert name.id == revision.revision


@pytest.mark.parametrize("revision", HISTORY, ids=lambda info: info.revision)
def test_a_revision_imports_no_application_code(revision: RevisionInfo) -> None:
    assert "work_data_hub" not in Path(revision.path).read_text(encoding="utf-8")


def test_each_revision_goes_up_down_and_up_again_to_an_equal_schema(database_url: URL) -> None:
    for info in HISTORY:
        before = schema(database_url)
        migration_runner.upgrade(database_url, info.revision)
        upgraded = schema(database_url)
        migration_runner.downgrade(database_url, "-1")
        assert schema(database_url) == before
        migration_runner.upgrade(database_url, info.revision)
        assert schema(database_url) == upgraded
        assert upgraded != before


def test_the_published_tables_equal_the_migrated_schema(database_url: URL) -> None:
    migration_runner.upgrade(database_url)
    migrated = schema(database_url)
    migration_runner.downgrade(database_url, "base")
    metadata.create_all(create_engine(database_url))
    assert schema(database_url) == migrated


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
