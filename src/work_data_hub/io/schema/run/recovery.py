"""A revision that was interrupted: what it left is cleared up where that is certain."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from work_data_hub.domain.sql.statement import concurrent_index
from work_data_hub.errors import UsageError
from work_data_hub.io.schema.engine import driver_connection
from work_data_hub.io.schema.run import concurrent_indexes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

    from work_data_hub.io.schema.record.interrupted_revision import Interrupted, Marks

log = logging.getLogger(__name__)


def clear_up(marks: Marks, resolved: str | None, patience_seconds: float) -> None:
    """Deal with a revision that was interrupted, if there is one.

    Args:
        marks: of the history; the connection is not in a transaction but for what was read.
        resolved: the revision that a person has put right, if any.
        patience_seconds: how long an index build of a dead client may still take.

    Raises:
        MigrationFailedError: a person must decide.
        UsageError: ``resolved`` names a revision that was not interrupted.
    """
    interrupted = marks.read()
    marks.connection.rollback()
    if interrupted is None:
        if resolved is not None:
            raise UsageError(f"{resolved} was not interrupted", hint="run again without resolved")
    elif resolved == interrupted.revision:
        marks.forget()  # commits with what is admitted: a refused run keeps the mark
    elif interrupted.is_repeatable:
        _take_back(interrupted, marks, patience_seconds)
    else:
        raise interrupted.as_fault()


def _take_back(interrupted: Interrupted, marks: Marks, patience_seconds: float) -> None:
    """Take back what can be taken back with certainty, so that it can be run again."""
    if marks.connection.dialect.name == "postgresql":
        with _autocommit(marks.connection) as raw:
            for text in interrupted.statements:
                if (index := concurrent_index(text)) is not None:
                    # The server may still be building it: that ends before it is dropped.
                    concurrent_indexes.drop_if_invalid(raw, index, patience_seconds)
                    concurrent_indexes.drop_if_there(raw, index)
    marks.forget()
    marks.connection.commit()
    log.warning(
        "%s %s was interrupted; what it left was dropped, and it is run again",
        interrupted.direction,
        interrupted.revision,
    )


@contextmanager
def _autocommit(connection: Connection) -> Iterator[Any]:
    """Give the driver's connection outside of any transaction (PostgreSQL)."""
    raw = driver_connection(connection)
    raw.autocommit = True
    try:
        yield raw
    finally:
        raw.autocommit = False
