"""Looks at a live database for a check-up: for a bounded time, and what it may not see is named."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from work_data_hub.domain.snapshot.checkup import (
    DamagedError,
    NotLookedAtError,
    damaged,
    not_looked_at,
)
from work_data_hub.io.schema.drivers import sqlstate_of
from work_data_hub.io.schema.engine import driver_connection, said
from work_data_hub.io.schema.snapshot.postgresql import consistent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy.engine import Connection

    from work_data_hub.domain.snapshot.checkup import Diagnosis

STATEMENT_SECONDS, LOCK_SECONDS, LOOK_SECONDS = 5.0, 0.5, 30.0
COUNT_LIMIT = 1_000
_DENIED = "42501"
# PostgreSQL's data_corrupted and index_corrupted; SQLITE_CORRUPT and SQLITE_NOTADB.
_DAMAGE = {"XX001", "XX002", 11, 26}
_SQLITE_STEPS = 10_000  # of its virtual machine, between two looks at the clock
_TIME_OUTS = (
    f"SET LOCAL statement_timeout = {STATEMENT_SECONDS * 1000:.0f}",
    f"SET LOCAL lock_timeout = {LOCK_SECONDS * 1000:.0f}",
)
# What a role or an application is set to must not hide rows, or lend names another meaning: a
# query that a policy would cut short fails instead.
_PLAIN = (
    "SET LOCAL row_security = off",
    "SET LOCAL search_path = ''",
    "SET LOCAL standard_conforming_strings = on",
    "SET LOCAL quote_all_identifiers = off",
)


@contextmanager
def one_moment(connection: Connection) -> Iterator[None]:
    """Begin a transaction for the block that sees one moment, cannot write, and waits for nobody.

    Args:
        connection: what it has read already is forgotten.
    """
    connection.rollback()
    if connection.dialect.name == "postgresql":
        with consistent(connection):
            for statement in _TIME_OUTS:
                connection.exec_driver_sql(statement)
            yield
        return
    try:
        yield
    finally:
        connection.rollback()


def plain_session(connection: Connection) -> None:
    """Let every name and every row count for the rest of the transaction, whatever is set.

    Args:
        connection: in a transaction.
    """
    if connection.dialect.name == "postgresql":
        for statement in _PLAIN:
            connection.exec_driver_sql(statement)


class Look:
    """One look at a database.

    Each statement, and all of them together, have only so much time. What a statement locked is
    free again when it was answered.

    Args:
        connection: in a transaction of ``one_moment``.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ends = time.monotonic() + LOOK_SECONDS
        plain_session(connection)

    def check(
        self, what: str, checked: Callable[[Look], Iterator[Diagnosis]]
    ) -> Iterator[Diagnosis]:
        """Yield what a check finds; what it could not look at is found as well.

        Args:
            what: is checked, in words.
            checked: the check.
        """
        found: list[Diagnosis] = []
        try:
            for each in checked(self):
                found.append(each)  # noqa: PERF402  # what was found before it fails, stays
        except NotLookedAtError as error:
            found.append(not_looked_at(what, error))
        except DamagedError as error:
            found.append(damaged(f"{what}: {error}"))
        yield from found

    def rows(self, statement: str) -> Sequence[Any]:
        """Return the answer to a statement.

        Raises:
            NotLookedAtError: there is none.
            DamagedError: there is none, because the database is damaged.
        """
        if time.monotonic() > self._ends:
            raise NotLookedAtError(f"the look has taken {LOOK_SECONDS:g} s")
        savepoint = self._connection.begin_nested()
        try:
            return self._answer(statement)
        except sa.exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            if _is_damage(error):
                raise DamagedError(said(error)) from error
            is_denied = sqlstate_of(error) == _DENIED
            raise NotLookedAtError(said(error), is_denied=is_denied) from error
        finally:
            if not self._connection.invalidated:
                savepoint.rollback()

    def value(self, statement: str) -> Any:
        """Return the one value that a statement gives.

        Raises:
            NotLookedAtError, DamagedError: as ``rows``.
        """
        return self.rows(statement)[0][0]

    def _answer(self, statement: str) -> Sequence[Any]:
        if self._connection.dialect.name == "sqlite":
            ends = time.monotonic() + STATEMENT_SECONDS
            raw = driver_connection(self._connection)
            raw.set_progress_handler(lambda: time.monotonic() > ends, _SQLITE_STEPS)
            try:
                return self._connection.exec_driver_sql(statement).all()
            finally:
                raw.set_progress_handler(None, 0)
        options = {"no_parameters": True}
        return self._connection.exec_driver_sql(statement, execution_options=options).all()


def _is_damage(error: sa.exc.DBAPIError) -> bool:
    """Whether the engine says that its own files are not what it wrote."""
    # SQLite's extended codes have the primary one in their lowest byte.
    code = getattr(error.orig, "sqlite_errorcode", None)
    return (sqlstate_of(error) if code is None else code & 0xFF) in _DAMAGE
