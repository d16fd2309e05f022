"""What a revision leaves in SQLite's session, where the next one would find it: it goes."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from work_data_hub.domain.sql.lexer import quoted
from work_data_hub.io.schema.engine import driver_connection

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

# What decides on the meaning of statements; what is about speed and safety of the file stays.
_PRAGMAS = (
    "foreign_keys",
    "ignore_check_constraints",
    "legacy_alter_table",
    "query_only",
    "recursive_triggers",
    "reverse_unordered_selects",
    "trusted_schema",
    "writable_schema",
)
# A table takes its indexes and triggers with it; a trigger may also stand at a table of the file.
_IN_ORDER = "CASE type WHEN 'trigger' THEN 0 WHEN 'view' THEN 1 ELSE 2 END"
_TEMPORARY = f"""
    SELECT type, name FROM temp.sqlite_master
     WHERE type <> 'index' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY {_IN_ORDER}
"""  # noqa: S608  # ours


class LeftBehind:
    """Puts back what a revision changed for the session, which no transaction takes back.

    Args:
        connection: of the run.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        raw = self._raw
        self._pragmas = _pragmas(raw)
        self._temporary, self._attached = raw.execute(_TEMPORARY).fetchall(), _attached(raw)

    def put_back(self) -> None:
        """Put it back; outside of a transaction, in which SQLite would not do all of it."""
        raw = self._raw
        changed = {name for name, value in _pragmas(raw).items() if value != self._pragmas[name]}
        made = [each for each in raw.execute(_TEMPORARY).fetchall() if each not in self._temporary]
        for statement in (
            *(f"PRAGMA {name} = {self._pragmas[name]}" for name in changed),
            *(f"DROP {kind} IF EXISTS temp.{quoted(name)}" for kind, name in made),
            *(f"DETACH {quoted(name)}" for name in _attached(raw) - self._attached),
        ):
            with suppress(sqlite3.OperationalError):  # a cursor that was left open locks it
                raw.execute(statement)

    @property
    def _raw(self) -> Any:
        return driver_connection(self._connection)


def _pragmas(raw: Any) -> dict[str, int]:
    # One that this SQLite does not know answers with no row.
    said = ((name, raw.execute(f"PRAGMA {name}").fetchone()) for name in _PRAGMAS)
    return {name: int(row[0]) for name, row in said if row is not None}


def _attached(raw: Any) -> set[str]:
    # The names alone: that of a file may be of any bytes, of which the driver makes no text.
    return {name for (name,) in raw.execute("SELECT name FROM pragma_database_list")}
