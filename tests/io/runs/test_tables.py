from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from work_data_hub.io.runs import RUN_STATUSES, data_quality_metrics, metadata, pipeline_executions
from work_data_hub.io.schema.engine import create_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTED = datetime(2026, 3, 1, 8, 0, 0, 123456, tzinfo=UTC)
RUN = UUID("0a1b2c3d-4e5f-4a6b-8c7d-9e8f7a6b5c4d")


@pytest.fixture
def connection(test_db_with_migrations: str) -> Iterator[sa.Connection]:
    engine = create_engine(sa.make_url(test_db_with_migrations))
    with engine.connect() as connection:
        yield connection


def a_run(**values: Any) -> dict[str, Any]:
    return {
        "execution_id": RUN,
        "pipeline_name": "orders",
        "status": "running",
        "started_at": STARTED,
        **values,
    }


def test_values_come_back_as_they_went_in(connection: sa.Connection) -> None:
    counts = {"read": 3, "nested": {"ä": [1, None]}}
    connection.execute(pipeline_executions.insert().values(a_run(row_counts=counts)))
    row = connection.execute(pipeline_executions.select()).mappings().one()
    assert row["execution_id"] == RUN
    assert row["started_at"] == STARTED
    assert row["started_at"].tzinfo is UTC
    assert row["row_counts"] == counts
    assert row["completed_at"] is None
    assert abs(row["created_at"] - datetime.now(UTC)) < timedelta(minutes=5)


def test_dashed_text_and_a_uuid_find_the_same_row(connection: sa.Connection) -> None:
    connection.execute(pipeline_executions.insert().values(a_run()))
    key = pipeline_executions.c.execution_id
    for wanted in (RUN, str(RUN), str(RUN).upper()):
        assert connection.execute(sa.select(key).where(key == wanted)).scalar_one() == RUN
    raw = f"SELECT count(*) FROM pipeline_executions WHERE execution_id = '{RUN}'"
    assert connection.exec_driver_sql(raw).scalar_one() == 1


def test_raw_sql_with_text_values_works_unchanged(connection: sa.Connection) -> None:
    connection.exec_driver_sql(
        "INSERT INTO pipeline_executions (execution_id, pipeline_name, status, started_at,"
        f" row_counts) VALUES ('{RUN}', 'orders', 'success', '2026-03-01 10:00:00+02:00',"
        """ '{"read": 1}')"""
    )
    row = connection.execute(pipeline_executions.select()).mappings().one()
    assert row["execution_id"] == RUN
    assert row["started_at"] == datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert row["row_counts"] == {"read": 1}


def test_a_time_of_another_zone_is_the_same_moment(connection: sa.Connection) -> None:
    tokyo = STARTED.astimezone(timezone(timedelta(hours=9)))
    connection.execute(pipeline_executions.insert().values(a_run(started_at=tokyo)))
    column = pipeline_executions.c.started_at
    assert connection.execute(sa.select(column).where(column == STARTED)).scalar_one() == STARTED


def test_a_time_that_the_database_wrote_is_found_again(connection: sa.Connection) -> None:
    connection.execute(pipeline_executions.insert().values(a_run()))
    column = pipeline_executions.c.created_at
    written = connection.execute(sa.select(column)).scalar_one()
    for condition in (column == written, column >= written, column <= written):
        assert connection.execute(sa.select(column).where(condition)).scalar_one() == written
    connection.execute(pipeline_executions.update().values(status="success"))
    changed = pipeline_executions.c.updated_at
    assert connection.execute(sa.select(changed).where(changed >= written)).scalar_one() >= written


def test_iso_text_is_a_time_too(connection: sa.Connection) -> None:
    connection.execute(
        pipeline_executions.insert().values(a_run(started_at="2026-03-01T10:00:00+02:00"))
    )
    column = pipeline_executions.c.started_at
    found = connection.execute(sa.select(column)).scalar_one()
    assert found == datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_a_naive_time_is_refused(connection: sa.Connection) -> None:
    naive = STARTED.replace(tzinfo=None)
    with pytest.raises(sa.exc.StatementError, match="naive time"):
        connection.execute(pipeline_executions.insert().values(a_run(started_at=naive)))


def test_times_sort_in_the_order_of_time(connection: sa.Connection) -> None:
    moments = [
        STARTED.replace(microsecond=us) + timedelta(seconds=s) for s in (0, 1) for us in (0, 5)
    ]
    for moment in reversed(moments):
        connection.execute(
            pipeline_executions.insert().values(a_run(execution_id=uuid4(), started_at=moment))
        )
    column = pipeline_executions.c.started_at
    assert list(connection.execute(sa.select(column).order_by(column)).scalars()) == moments


def test_decimals_are_rounded_to_four_places(connection: sa.Connection) -> None:
    connection.execute(pipeline_executions.insert().values(a_run()))
    for value in (Decimal("0.00125"), Decimal("12345678901.2345"), None):
        connection.execute(
            data_quality_metrics.insert().values(
                execution_id=RUN,
                pipeline_name="orders",
                metric_type="t",
                metric_value=value,
                recorded_at=STARTED,
            )
        )
    column = data_quality_metrics.c.metric_value
    found = set(connection.execute(sa.select(column)).scalars())
    assert found == {Decimal("0.0013"), Decimal("12345678901.2345"), None}


@pytest.mark.parametrize("status", RUN_STATUSES)
def test_every_status_is_accepted(connection: sa.Connection, status: str) -> None:
    connection.execute(pipeline_executions.insert().values(a_run(status=status)))
    assert connection.execute(sa.select(pipeline_executions.c.status)).scalar_one() == status


def test_an_unknown_status_is_refused(connection: sa.Connection) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="ck_pipeline_executions_status"):
        connection.execute(pipeline_executions.insert().values(a_run(status="done")))


def test_metrics_go_with_their_run_and_need_one(connection: sa.Connection) -> None:
    metric = {
        "execution_id": RUN,
        "pipeline_name": "orders",
        "metric_type": "null_rate",
        "recorded_at": STARTED,
    }
    with pytest.raises(sa.exc.IntegrityError):
        connection.execute(data_quality_metrics.insert().values(metric))
    connection.rollback()
    connection.execute(pipeline_executions.insert().values(a_run()))
    connection.execute(data_quality_metrics.insert().values(metric))
    connection.execute(pipeline_executions.delete())
    assert (
        connection.execute(sa.select(sa.func.count(data_quality_metrics.c.metric_id))).scalar() == 0
    )


def test_null_is_null_and_not_the_json_text(connection: sa.Connection) -> None:
    connection.execute(pipeline_executions.insert().values(a_run(row_counts=None)))
    query = "SELECT count(*) FROM pipeline_executions WHERE row_counts IS NULL"
    assert connection.exec_driver_sql(query).scalar_one() == 1


QUESTIONS = {
    "the latest runs of a pipeline": (
        "SELECT * FROM pipeline_executions WHERE pipeline_name = 'orders'"
        " ORDER BY started_at DESC LIMIT 5",
        "ix_pipeline_executions_pipeline_name_started_at",
    ),
    "runs by time": (
        "SELECT * FROM pipeline_executions WHERE started_at > '2026-02-28 00:00:00+00:00'"
        " ORDER BY started_at",
        "ix_pipeline_executions_started_at",
    ),
    "failed runs": (
        "SELECT * FROM pipeline_executions WHERE status = 'failed'"
        " ORDER BY started_at DESC LIMIT 5",
        "ix_pipeline_executions_failed",
    ),
    "the metrics of a run": (
        f"SELECT * FROM data_quality_metrics WHERE execution_id = '{RUN}'",
        "ix_data_quality_metrics_execution_id",
    ),
    "one metric of a pipeline over time": (
        "SELECT * FROM data_quality_metrics WHERE pipeline_name = 'orders' AND"
        " metric_type = 'null_rate' ORDER BY recorded_at",
        "ix_data_quality_metrics_pipeline_name_metric_type_recorded_at",
    ),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_questions_that_people_ask_are_answered_by_an_index(
    connection: sa.Connection, question: str
) -> None:
    query, index = QUESTIONS[question]
    if connection.dialect.name == "sqlite":
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()
    else:
        # The tables are empty; forbid the plans that only suit empty tables.
        for plan_kind in ("seqscan", "bitmapscan", "sort"):
            connection.exec_driver_sql(f"SET LOCAL enable_{plan_kind} = off")
        plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {query}").all()
    assert index in json.dumps([[str(value) for value in row] for row in plan])


def test_every_table_and_column_says_what_it_is() -> None:
    for table in metadata.sorted_tables:
        assert table.comment
        assert all(column.comment for column in table.columns)


def test_every_foreign_key_is_indexed_and_every_constraint_is_named() -> None:
    for table in metadata.sorted_tables:
        leading = {tuple(index.columns.keys())[:1] for index in table.indexes}
        assert all((key.parent.name,) in leading for key in table.foreign_keys)
        assert all(constraint.name for constraint in table.constraints)


@pytest.mark.parametrize(
    "name", ["config", "io.runs", "io.schema.migration_runner", "io.schema.record.framework_tables"]
)
def test_every_name_that_a_package_publishes_is_there(name: str) -> None:
    published = import_module(f"work_data_hub.{name}")
    assert published.__all__
    for each in published.__all__:
        assert getattr(published, each) is not None
