"""Table rebuilds that a revision writes out itself, found by their statements."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from work_data_hub.domain.sql.lexer import tokens
from work_data_hub.domain.sql.statement import is_made_by_select
from work_data_hub.domain.sqlite.census import is_virtual, missing_rows, new_faults, silent_faults
from work_data_hub.domain.sqlite.comparison import left_out, lost
from work_data_hub.domain.sqlite.loss import Consent, Loss
from work_data_hub.domain.sqlite.rowids import key_of, moved, moved_rows
from work_data_hub.domain.sqlite.text import folded
from work_data_hub.io.schema.sqlite import census as sqlite_census

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from work_data_hub.domain.sql.statement import Action
    from work_data_hub.domain.sqlite.census import Census
    from work_data_hub.domain.sqlite.ddl import Table

_COPY_NUMBERS = "copy them too: INSERT INTO ... (rowid, ...) SELECT rowid, ..."


@dataclass
class _Replaced:
    """A table before it was dropped or renamed away, and what became of its name.

    Attributes:
        census: of the table.
        children: the tables that referenced it.
        renamed_to: None when it was dropped.
        is_back: whether another has its name now.
        is_copied: whether its rows were copied, so that they are to be there.
        filled_since: the tables that rows were added to, or that were made, when it was back.
    """

    census: Census
    children: frozenset[str]
    renamed_to: str | None
    is_back: bool = False
    is_copied: bool = False
    filled_since: set[str] = field(default_factory=set)


class HandwrittenRebuilds:
    """Knows the tables that a revision replaces, and what they must still have at its end.

    A table is rebuilt when it was dropped or renamed away, and another has its name in the end. One
    that is only dropped was asked to go, with all it had; so were the rows of one that is made
    again and not filled from a SELECT.

    Attributes:
        consent: what the revision says that may go.
    """

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw
        self._known: dict[str, _Replaced] = {}
        self._made_by_select: set[str] = set()
        self.consent = Consent()

    def hear(self, text: str) -> None:
        """Note what comments say that is to go."""
        self.consent.note(text)

    def before(self, action: Action) -> None:
        """Look at what a statement is about to replace."""
        self.consent.note_drop(action)
        if action.kind != "TABLE" or not (action.verb == "DROP" or action.new_name is not None):
            return
        table = folded(action.name)
        if action.verb == "DROP" and table in self._known and self._known[table].is_back:
            self.settle(table)
        if table not in self._known and sqlite_census.exists(self._raw, action.name):
            self._known[table] = _Replaced(
                sqlite_census.take(self._raw, action.name),
                sqlite_census.children_of(self._raw, action.name),
                action.new_name,
            )

    def after(self, action: Action, statement: str) -> None:
        """Notice that a table is back, and that it is filled."""
        name = folded(action.new_name or action.name)
        self._note_filling(action, name)
        if action.kind == "TABLE":
            self._note_making(action, name, statement)
        replaced = self._known.get(name)
        if replaced is None:
            return
        if action.new_name is not None:
            self._take_place(replaced)
        elif (action.verb, action.kind) == ("CREATE", "TABLE"):
            replaced.is_back = True
            replaced.is_copied = replaced.renamed_to is not None
        elif replaced.is_back and action.verb in ("INSERT", "REPLACE"):
            replaced.is_copied |= any(token.word == "SELECT" for token in tokens(statement))

    def is_missing(self, table: str) -> bool:
        """Whether a table of this name was dropped, so that views may look in vain for it now."""
        replaced = self._known.get(folded(table))
        was_dropped = replaced is not None and replaced.renamed_to is None
        return was_dropped and not sqlite_census.exists(self._raw, table)

    def settle_all(self) -> None:
        """Settle every rebuild of the revision."""
        for table in sorted(self._known):
            self.settle(table)

    def settle(self, table: str) -> None:
        """Bring back what a rebuilt table lost where that is certain, and forget it.

        Raises:
            RefusedError: something else would be lost.
        """
        replaced = self._known.pop(folded(table), None)
        if replaced is None or not replaced.is_back or not sqlite_census.exists(self._raw, table):
            return
        renamed_to = replaced.renamed_to
        if renamed_to is not None and sqlite_census.exists(self._raw, renamed_to):
            return
        self.consent.refuse(self._losses(replaced, sqlite_census.name_of(self._raw, table)))

    def _take_place(self, replaced: _Replaced) -> None:
        replaced.is_back = replaced.is_copied = True
        if replaced.renamed_to is None:
            self.consent.refuse(self._missing_rows(replaced.census))
            # Rows that are deleted from now on were asked to go.
            replaced.census = replace(replaced.census, rows={})

    def _note_filling(self, action: Action, name: str) -> None:
        if action.verb in ("CREATE", "INSERT", "REPLACE"):
            for replaced in self._known.values():
                if replaced.is_back:
                    replaced.filled_since.add(name)

    def _note_making(self, action: Action, name: str, statement: str) -> None:
        """Note which tables have types that nobody wrote."""
        was_made_by_select = folded(action.name) in self._made_by_select
        self._made_by_select.discard(folded(action.name))
        renamed = action.new_name is not None and was_made_by_select
        if renamed or (action.verb == "CREATE" and is_made_by_select(statement)):
            self._made_by_select.add(name)

    def _losses(self, replaced: _Replaced, table: str) -> Iterator[Loss]:
        census = replaced.census
        if replaced.is_copied:
            yield from self._missing_rows(census)
        sql = sqlite_census.sql_of(self._raw, table)
        if not (is_virtual(sql) or is_virtual(census.sql)):
            before = sqlite_census.parsed(census.sql, census.table)
            after = sqlite_census.parsed(sql, table)
            yield from _restored(self._raw, census, left_out(before, after), self.consent)
            yield from self._of_the_table(census, before, after)
            yield from self._moved_rows(replaced, before, after)
        yield from self._of_children(census, replaced.children)
        yield from new_faults(census, sqlite_census.faults(self._raw))

    def _missing_rows(self, census: Census) -> list[Loss]:
        return missing_rows(census, sqlite_census.rows_left(self._raw, census))

    def _of_the_table(self, census: Census, before: Table, after: Table) -> Iterator[Loss]:
        if after.autoincrements:
            sqlite_census.restore_sequence(self._raw, after.name, census.sequence)
        unique = [
            frozenset(name for name in index.columns if name is not None)
            for index in sqlite_census.indexes_of(self._raw, after.name)
            if index.makes_unique
        ]
        written = folded(after.name) not in self._made_by_select
        yield from lost(before, after, unique, types_are_written=written)
        dependents = sqlite_census.dependents(self._raw)
        yield from silent_faults(dependents, after.name, left_out(before, after))

    def _moved_rows(self, replaced: _Replaced, before: Table, after: Table) -> Iterator[Loss]:
        census = replaced.census
        by = [
            (kind, name)
            for kind, name in census.found_by
            if folded(name) not in replaced.filled_since
            and sqlite_census.exists(self._raw, name, "trigger" if kind == "trigger" else "table")
        ]
        if by and moved(census.rowids, sqlite_census.rowids_of(self._raw, after, key_of(before))):
            yield moved_rows(after.name, by, _COPY_NUMBERS)

    def _of_children(self, census: Census, children: frozenset[str]) -> Iterator[Loss]:
        left = sqlite_census.children_of(self._raw, census.table)
        for child in sorted(children - left):
            was_rebuilt = folded(child) in self._known and self._known[folded(child)].is_back
            if sqlite_census.exists(self._raw, child) and not was_rebuilt:
                yield Loss(
                    f"the foreign key of {child} to {census.table}",
                    "make the new table under another name, copy, drop the old one, then rename:"
                    " a table that is renamed takes the references to it along",
                )


def _restored(
    raw: sqlite3.Connection, census: Census, gone: frozenset[str], consent: Consent
) -> Iterator[Loss]:
    """Make again what is not there; yield what cannot be made."""
    indexes = (i for i in census.indexes.values() if not gone >= i.about)
    for kind, name, sql in (
        *(("index", index.name, index.sql) for index in indexes),
        *(("trigger", name, sql) for name, sql in census.triggers.items()),
    ):
        if not (consent.names(kind, name) or sqlite_census.exists(raw, name, kind)):
            loss = sqlite_census.restore(raw, kind, name, sql, census.table)
            yield from () if loss is None else (loss,)
