"""RENAME on SQLite that leaves alone what names the table: views, triggers, foreign keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.io.schema.engine import driver_connection

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class LegacyAlter:
    """Lets RENAME pass by views and triggers that name a table which is missing just now.

    sqlite.org/pragma, legacy_alter_table; foreign keys are left alone too, which is right, because
    they name the table as it will be called.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._before: int | None = None

    def begin(self) -> None:
        """Switch it on."""
        raw = driver_connection(self._connection)
        (self._before,) = raw.execute("PRAGMA legacy_alter_table").fetchone()
        raw.execute("PRAGMA legacy_alter_table = ON")

    def end(self) -> None:
        """Put back what was, if it was switched on."""
        if self._before is not None:
            raw = driver_connection(self._connection)
            raw.execute(f"PRAGMA legacy_alter_table = {self._before}")
            self._before = None
