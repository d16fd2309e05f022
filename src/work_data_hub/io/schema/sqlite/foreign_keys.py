"""Foreign keys on SQLite, verified before a revision commits."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from work_data_hub.domain.sql.lexer import quoted
from work_data_hub.domain.sqlite.foreign_keys import (
    Violation,
    may_break,
    may_change_schema,
    refuse_broken,
)
from work_data_hub.io.schema.engine import driver_connection
from work_data_hub.io.schema.sqlite.census import Relations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

    from work_data_hub.domain.sql.statement import Action


class ForeignKeyGuard:
    """Refuses the commit of a revision that breaks a foreign key.

    Enforcement is off while a revision runs (see ``engine.foreign_keys_off``); what was broken
    before the run is not the revision's fault and stays as it is.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known = self._violations()

    def verify(self, **_: Any) -> None:
        """Compare with what was broken before; Alembic's ``on_version_apply`` hook.

        Raises:
            RefusedError: inside the revision's transaction, which is rolled back by it.
        """
        found = self._violations()
        broken, self._known = found - self._known, found
        refuse_broken(broken)

    def _violations(self) -> set[Violation]:
        if self._connection.dialect.name != "sqlite":
            return set()
        raw = driver_connection(self._connection)
        try:
            return {Violation(*row[:3]) for row in raw.execute("PRAGMA foreign_key_check")}
        except sqlite3.OperationalError:
            return set(_violations_by_table(raw))


class ForeignKeyWatch:
    """Looks for what a revision breaks, where it did anything that can break something.

    Args:
        connection: of the run.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._relations: Relations | None = None
        self._may_be_broken = False
        self._guard: ForeignKeyGuard | None = None

    def begin(self) -> None:
        """Begin a revision."""
        self._relations = Relations(driver_connection(self._connection))
        self._may_be_broken = False

    def before(self, action: Action, statement: str) -> None:
        """A statement is about to run; what is broken by now is not the fault of what follows."""
        assert self._relations is not None
        if self._may_be_broken:
            return
        if may_change_schema(action):
            self._relations.forget()
        self._may_be_broken = may_break(action, statement, self._relations.has)
        if self._may_be_broken and self._guard is None:
            self._guard = ForeignKeyGuard(self._connection)

    def verify(self) -> None:
        """Look.

        Raises:
            RefusedError: a foreign key is broken.
        """
        if self._may_be_broken and self._guard is not None:
            self._guard.verify()


def _violations_by_table(raw: sqlite3.Connection) -> Iterator[Violation]:
    """Check each table for itself: one that references what is not unique ends the check."""
    tables = raw.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        try:
            rows = raw.execute(f"PRAGMA main.foreign_key_check({quoted(table)})").fetchall()
        except sqlite3.OperationalError as error:
            yield Violation(table, None, "", mismatch=str(error))
        else:
            yield from (Violation(*row[:3]) for row in rows)
