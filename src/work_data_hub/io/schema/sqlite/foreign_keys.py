"""Foreign keys on SQLite, verified before a revision commits."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from work_data_hub.domain.sql.lexer import quoted
from work_data_hub.errors import RefusedError
from work_data_hub.io.schema.engine import driver_connection

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


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
        broken = found - self._known
        self._known = found
        if broken:
            table, row, parent = min(broken, key=str)
            reason = f"(rowid {row}) has no row in {parent}"
            raise RefusedError(
                f"{len(broken)} foreign key(s) would be broken: {table}"
                f" {parent if parent.startswith(_MISMATCH) else reason}",
                hint="move or delete the rows that reference what the revision removes; what is"
                " referenced must be a primary key or unique",
            )

    def _violations(self) -> set[tuple[str, int | None, str]]:
        if self._connection.dialect.name != "sqlite":
            return set()
        raw = driver_connection(self._connection)
        try:
            return {row[:3] for row in raw.execute("PRAGMA foreign_key_check")}
        except sqlite3.OperationalError:
            return _violations_by_table(raw)


_MISMATCH = "foreign key mismatch"


def _violations_by_table(raw: sqlite3.Connection) -> set[tuple[str, int | None, str]]:
    """Check each table for itself: one that references what is not unique ends the check."""
    found: set[tuple[str, int | None, str]] = set()
    tables = raw.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        try:
            rows = raw.execute(f"PRAGMA main.foreign_key_check({quoted(table)})")
            found |= {row[:3] for row in rows}
        except sqlite3.OperationalError as error:
            found.add((table, None, str(error)))
    return found
