"""Table rebuilds that a revision writes out itself, found by their statements."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.sqlite.census import missing_rows, new_faults, silent_faults
from work_data_hub.domain.sqlite.loss import Consent, Loss, lost, refuse, with_way_out
from work_data_hub.io.schema.sqlite import census as sqlite_census
from work_data_hub.io.schema.sqlite.batch import parsed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from work_data_hub.domain.sql.statement import Action
    from work_data_hub.domain.sqlite.census import Census


class _Replaced(NamedTuple):
    """A table before it was dropped or renamed away, and the tables that referenced it."""

    census: Census
    children: frozenset[str]
    renamed_to: str | None


class HandwrittenRebuilds:
    """Knows the tables that a revision replaces, and what they must still have at its end.

    A table is rebuilt when it is dropped and another is renamed to its name, when it is renamed
    away, another takes its place and it is dropped, or when it is dropped, made again and filled
    from a SELECT. One that is only dropped was asked to go, with all it had.
    """

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw
        self._known: dict[str, _Replaced] = {}
        self._rebuilt: set[str] = set()
        self._consent = Consent()

    def before(self, action: Action, statement: str) -> None:
        """Look at what a statement is about to replace."""
        self._consent.note(action, statement)
        renames = action.verb == "ALTER" and action.new_name is not None
        if action.kind != "TABLE" or not (action.verb == "DROP" or renames):
            return
        table = action.name.lower()
        if table in self._rebuilt and action.verb == "DROP":
            self.settle(table)
        if table not in self._known and sqlite_census.exists(self._raw, action.name):
            self._known[table] = _Replaced(
                sqlite_census.take(self._raw, action.name),
                sqlite_census.children_of(self._raw, action.name),
                action.new_name,
            )

    def after(self, action: Action, statement: str) -> None:
        """Notice that a table is back."""
        renamed_to = (action.new_name or "").lower()
        if renamed_to in self._known:
            self._rebuilt.add(renamed_to)
        if self._was_dropped(renamed_to):
            replaced = self._known[renamed_to]
            refuse(self._missing_rows(replaced.census))
            # Rows that are deleted from now on were asked to go.
            self._known[renamed_to] = replaced._replace(census=replace(replaced.census, rows={}))
        table = action.name.lower()
        is_filled = action.verb in ("INSERT", "REPLACE") and "select" in statement.lower()
        if is_filled and self._was_dropped(table):
            self._rebuilt.add(table)
        is_made = (action.verb, action.kind) == ("CREATE", "TABLE")
        if is_made and table in self._known and not self._was_dropped(table):
            self._rebuilt.add(table)

    def is_missing(self, table: str) -> bool:
        """Whether a table of this name was dropped, so that views may look in vain for it now."""
        return self._was_dropped(table.lower()) and not sqlite_census.exists(self._raw, table)

    def settle_all(self) -> None:
        """Settle every rebuild of the revision."""
        for table in sorted(self._rebuilt):
            self.settle(table)

    def settle(self, table: str) -> None:
        """Bring back what a rebuilt table lost where that is certain, and forget it.

        Raises:
            RefusedError: something else would be lost.
        """
        table = table.lower()
        replaced, is_rebuilt = self._known.pop(table, None), table in self._rebuilt
        self._rebuilt.discard(table)
        if replaced is None or not is_rebuilt or not sqlite_census.exists(self._raw, table):
            return
        census, children, renamed_to = replaced
        if renamed_to is not None and sqlite_census.exists(self._raw, renamed_to):
            return
        losses = [
            *self._missing_rows(census),
            *self._restored(census),
            *self._of_the_table(census),
            *self._of_children(census, children),
            *new_faults(census, sqlite_census.faults(self._raw)),
        ]
        refuse([with_way_out(loss) for loss in losses if not self._consent.covers(loss)])

    def _was_dropped(self, table: str) -> bool:
        return table in self._known and self._known[table].renamed_to is None

    def _missing_rows(self, census: Census) -> list[Loss]:
        return missing_rows(census, sqlite_census.rows_left(self._raw, census))

    def _of_the_table(self, census: Census) -> Iterable[Loss]:
        sql = sqlite_census.sql_of(self._raw, census.table)
        if any(text.upper().startswith("CREATE VIRTUAL") for text in (sql, census.sql)):
            return
        before, after = parsed(census.sql, census.table), parsed(sql, census.table)
        if after.autoincrements:
            sqlite_census.restore_sequence(self._raw, census.table, census.sequence)
        unique = [
            frozenset(name for name in index.columns if name is not None)
            for index in sqlite_census.indexes_of(self._raw, census.table)
            if index.makes_unique
        ]
        yield from lost(before, after, unique)
        left_out = {column.name for column in before.columns if after.column(column.name) is None}
        yield from silent_faults(sqlite_census.dependents(self._raw), census.table, left_out)

    def _of_children(self, census: Census, children: frozenset[str]) -> Iterable[Loss]:
        left = sqlite_census.children_of(self._raw, census.table)
        for child in sorted(children - left):
            if sqlite_census.exists(self._raw, child) and child.lower() not in self._rebuilt:
                yield Loss(
                    f"the foreign key of {child} to {census.table}",
                    "make the new table under another name, copy, drop the old one, then rename:"
                    " a table that is renamed takes the references to it along",
                )

    def _restored(self, census: Census) -> Iterable[Loss]:
        """Make again what is not there; yield what cannot be made."""
        for kind, name, sql in (
            *(("index", index.name, index.sql) for index in census.indexes.values()),
            *(("trigger", name, sql) for name, sql in census.triggers.items()),
        ):
            if not (self._consent.names(kind, name) or sqlite_census.exists(self._raw, name, kind)):
                loss = sqlite_census.restore(self._raw, kind, name, sql, census.table)
                yield from () if loss is None else (loss,)
