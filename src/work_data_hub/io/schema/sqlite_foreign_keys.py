"""Foreign keys on SQLite, verified before a revision commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from work_data_hub.errors import RefusedError

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
            raise RefusedError(
                f"{len(broken)} foreign key(s) would be broken: {table} (rowid {row}) has no row"
                f" in {parent}",
                hint="move or delete the rows that reference what the revision removes",
            )

    def _violations(self) -> set[tuple[str, int | None, str]]:
        if self._connection.dialect.name != "sqlite":
            return set()
        raw: Any = self._connection.connection.driver_connection
        return {(row[0], row[1], row[2]) for row in raw.execute("PRAGMA foreign_key_check")}
