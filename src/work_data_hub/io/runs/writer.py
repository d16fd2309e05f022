"""Writes entries of a run into its tables, on one connection that it keeps.

Each statement is a transaction of its own, and writing an entry again changes nothing: a run that
has ended stays as it is unless its own end says otherwise, and a metric is known by its id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from work_data_hub.io.column_types import utc_now
from work_data_hub.io.runs.tables import data_quality_metrics, pipeline_executions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from work_data_hub.domain.runs.entry import Entry
    from work_data_hub.io.runs.run_database import RunDatabase

_RUNS = pipeline_executions.c
_CHANGES = ("status", "completed_at", "row_counts", "error_details")
_UNDER_WAY = ("pending", "running")
# SQLite takes 32,766 values in a statement, and older ones 999.
_METRICS_AT_ONCE = 100


class Writer:
    """See the module.

    Args:
        database: where to; it is connected to when something is first written.
    """

    def __init__(self, database: RunDatabase) -> None:
        self._database = database
        self._connection: Connection | None = None

    def write(self, entry: Entry) -> None:
        """Write the row of a run and its new metrics.

        Raises:
            SQLAlchemyError, DatabaseUnavailableError: it was not, or not all of it, written.
        """
        self.use(lambda connection: _write(connection, entry))

    def write_metrics(self, metrics: Sequence[Mapping[str, Any]]) -> None:
        """Write metrics of a run whose row is there, in one statement for every hundred.

        Raises:
            SQLAlchemyError, DatabaseUnavailableError: as ``write``.
        """
        self.use(lambda connection: _write_metrics(connection, metrics))

    def beat(self, run_id: str) -> None:
        """Note that a run is alive, by the clock of the database.

        Raises:
            SQLAlchemyError, DatabaseUnavailableError: it was not noted.
        """
        is_meant = (_RUNS.execution_id == run_id) & (_RUNS.status == "running")
        change = pipeline_executions.update().where(is_meant).values(updated_at=utc_now())
        self.use(lambda connection: _run(connection, change))

    def use(self, work: Callable[[Connection], None]) -> None:
        """Do something with the connection; once more where it was cut, as by a restart.

        Args:
            work: may be done twice.

        Raises:
            SQLAlchemyError, DatabaseUnavailableError: it could not be done.
        """
        was_connected = self._connection is not None
        try:
            work(self._connected())
        except sa.exc.DBAPIError as error:
            is_cut = error.connection_invalidated
            if is_cut:
                self.close()
            if not (is_cut and was_connected):
                raise
            work(self._connected())

    def close(self) -> None:
        """Give the connection back; a later call opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._database.connect()
        return self._connection


def _write(connection: Connection, entry: Entry) -> None:
    _run(connection, _upsert(connection, entry))
    _write_metrics(connection, entry.metrics)


def _write_metrics(connection: Connection, metrics: Sequence[Mapping[str, Any]]) -> None:
    for first in range(0, len(metrics), _METRICS_AT_ONCE):
        some = [dict(metric) for metric in metrics[first : first + _METRICS_AT_ONCE]]
        insert = _insert(connection)(data_quality_metrics).values(
            some[0] if some[1:] == [] else some
        )
        _run(connection, insert.on_conflict_do_nothing(index_elements=["metric_id"]))


def _upsert(connection: Connection, entry: Entry) -> sa.Executable:
    insert = _insert(connection)(pipeline_executions).values(dict(entry.run))
    changes = {name: insert.excluded[name] for name in _CHANGES}
    statement: sa.Executable = insert.on_conflict_do_update(
        index_elements=["execution_id"],
        set_={**changes, "updated_at": utc_now()},
        # An older entry that comes late, and one that was closed for it, must not live again.
        where=None if entry.has_ended else _RUNS.status.in_(_UNDER_WAY),
    )
    return statement


def _insert(connection: Connection) -> Any:
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert


def _run(connection: Connection, statement: sa.Executable) -> None:
    connection.execute(statement)
    connection.commit()
