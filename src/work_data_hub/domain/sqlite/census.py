"""What there is around a SQLite table, its inventory; and what a rebuild has lost of that."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.sql.lexer import quoted, tokens
from work_data_hub.domain.sqlite.loss import Loss
from work_data_hub.domain.sqlite.text import (
    all_names_in,
    arguments_in,
    columns_in,
    folded,
    names_in,
    names_that_may_turn_into_strings,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from work_data_hub.domain.sqlite.rowids import Rowids


@dataclass(frozen=True)
class Index:
    """An index that was made by CREATE INDEX.

    Attributes:
        name: of the index.
        sql: its statement.
        columns: folded; None stands for an expression.
        is_partial: it has a WHERE.
    """

    name: str
    sql: str
    columns: tuple[str | None, ...]
    is_partial: bool

    @property
    def described(self) -> str:
        """What people call it."""
        if None in self.columns:
            return f"expression index {self.name}"
        return f"{'partial index' if self.is_partial else 'index'} {self.name}"

    @property
    def about(self) -> frozenset[str]:
        """The columns, folded, that it is about: with the last of them it goes."""
        if None in self.columns:
            return columns_in(self.sql)
        return frozenset(name for name in self.columns if name is not None)

    @property
    def makes_unique(self) -> bool:
        """Whether it does what a UNIQUE on its columns does."""
        return self.sql.upper().startswith("CREATE UNIQUE") and not self.is_partial


class Dependent(NamedTuple):
    """A view, a trigger or a virtual table; ``table`` is what a trigger is of."""

    kind: str
    name: str
    table: str
    sql: str


class Fault(NamedTuple):
    """A view, or the triggers of one table and event, that SQLite cannot compile."""

    kind: str
    what: str
    reason: str


@dataclass(frozen=True)
class Census:
    """What there was around a table before it was rebuilt.

    Attributes:
        table: its name.
        sql: its CREATE TABLE.
        rows: of the table and of every table that references it.
        indexes: by name; those of constraints are part of ``sql``.
        triggers: the statements of its own triggers, by name.
        sequence: the highest id that AUTOINCREMENT ever gave, if it has any.
        faults: the views and triggers, anywhere, that did not work before.
        found_by: kind and name of what looks for its rows by their numbers.
        rowids: the key of each row, by its number; only where it is looked for by that.
    """

    table: str
    sql: str
    rows: Mapping[str, int]
    indexes: Mapping[str, Index]
    triggers: Mapping[str, str]
    sequence: int | None
    faults: Collection[str]
    found_by: Collection[tuple[str, str]] = ()
    rowids: Rowids | None = None


def is_virtual(sql: str) -> bool:
    """Whether a statement makes a virtual table."""
    return [token.word for token in islice(tokens(sql), 2)] == ["CREATE", "VIRTUAL"]


def missing_rows(census: Census, left: Mapping[str, int]) -> list[Loss]:
    """Return the tables that have fewer rows than before; those that are gone were asked to go."""
    keep = "copy every row; those that are to go, DELETE in a statement of their own before"
    return [
        Loss(f"{before - left[name]} of {before} rows of {name}", keep, f"rows of {name}")
        for name, before in sorted(census.rows.items())
        if name in left and left[name] < before
    ]


def new_faults(census: Census, found: Iterable[Fault]) -> list[Loss]:
    """Return the views and triggers that worked before and would not any more."""
    return [
        Loss(f"{fault.what} ({fault.reason})", _make_again(fault.kind), fault.what)
        for fault in found
        if fault.what not in census.faults
    ]


def silent_faults(
    dependents: Iterable[Dependent], table: str, dropped: Collection[str]
) -> Iterator[Loss]:
    """Yield what is made without a word for a column that is gone, and means something else.

    Names in double quotes turn into strings, UPDATE OF takes any name, and a virtual table fails
    when it is used (all: SQLite 3.40).

    Args:
        dependents: in the order in which they were made, virtual tables last.
        table: that lost columns.
        dropped: the columns.
    """
    gone = {folded(name) for name in dropped}
    reached = {folded(table)}
    for kind, name, of, sql in dependents:
        is_virtual = kind == "virtual table"
        names = all_names_in(sql) if is_virtual else names_in(sql)
        if not (names & reached or folded(of) in reached):
            continue
        if kind == "view":
            reached.add(folded(name))
        lost = (arguments_in(sql) if is_virtual else names_that_may_turn_into_strings(sql)) & gone
        if kind == "trigger" and folded(of) == folded(table):
            lost |= _columns_of_trigger(sql) & gone
        if lost:
            what = f"{kind} {name}, which names the column {min(lost)}"
            yield Loss(what, _make_again(kind))


def kept_indexes(
    census: Census, dropped_indexes: Collection[str], dropped_columns: Collection[str]
) -> tuple[list[Index], list[Loss]]:
    """Return the indexes that stay, and those that would go without having been asked to.

    Args:
        census: before the rebuild.
        dropped_indexes: that the revision drops itself.
        dropped_columns: an index that is about nothing else goes with them.
    """
    gone = {folded(name) for name in dropped_columns}
    kept, losses = [], []
    for index in census.indexes.values():
        touched = columns_in(index.sql) & gone
        if index.name in dropped_indexes or (touched and gone >= index.about):
            continue
        if not touched:
            kept.append(index)
            continue
        drop = f"say so in the same batch: batch_op.drop_index({index.name!r})"
        if None in index.columns:  # of which Alembic knows nothing
            drop = f"say so before the batch: op.execute('DROP INDEX {index.name}')"
        losses.append(Loss(f"{index.described} of {census.table}", drop))
    return kept, losses


def event_of(trigger: str) -> str:
    """Return INSERT, UPDATE or DELETE: the first of these words that is not the trigger's name."""
    words = [token.word for token in tokens(trigger)]
    start = 2 + (words[1] in ("TEMP", "TEMPORARY"))
    start += 3 * (words[start] == "IF")
    return next(word for word in words[start + 1 :] if word in ("INSERT", "UPDATE", "DELETE"))


def use_of(table: str, event: str, columns: Iterable[str]) -> str:
    """Return a statement that fires the triggers of an event; to be compiled, not to be run."""
    if event == "DELETE":
        return f"DELETE FROM main.{quoted(table)}"  # noqa: S608
    names = [quoted(name) for name in columns] or ["rowid"]
    if event == "UPDATE":
        settings = ", ".join(f"{name} = {name}" for name in names)
        return f"UPDATE main.{quoted(table)} SET {settings}"  # noqa: S608
    # Not DEFAULT VALUES: SQLite 3.40 crashes when it compiles that for a view with a trigger.
    values = ", ".join("NULL" for _ in names)
    return f"INSERT INTO main.{quoted(table)} ({', '.join(names)}) VALUES ({values})"  # noqa: S608


def _columns_of_trigger(sql: str) -> frozenset[str]:
    """Return what follows UPDATE OF."""
    found = list(tokens(sql))
    words = [token.word for token in found]
    head = words[: words.index("ON", 2)]
    if "OF" not in head:
        return frozenset()
    return names_in(sql[found[head.index("OF")].end : found[len(head)].start])


def _make_again(kind: str) -> str:
    drop = f"op.execute('DROP {kind.split()[-1].upper()} ...')"
    return f"drop it first ({drop}) and make it again as it shall be"
