"""How a SQLite table becomes another: by ALTER TABLE where that will do, else by a rebuild."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.difference import RENAMED
from work_data_hub.domain.snapshot.step import Step
from work_data_hub.domain.sql.lexer import quoted, tokens
from work_data_hub.domain.sqlite.definition import of_table
from work_data_hub.domain.sqlite.items import behind, items_of
from work_data_hub.domain.sqlite.text import folded, names_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from work_data_hub.domain.snapshot.difference import Difference
    from work_data_hub.domain.sqlite.ddl import Column, Table

_PLAIN_CLAUSES = ("NOT NULL", "NULL", "DEFAULT", "COLLATE", "GENERATED")
_CHANGING = ("CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP")


@dataclass(frozen=True)
class Alteration:
    """One table that there is, and should be otherwise.

    Attributes:
        wanted: as it should be.
        found: as it is.
        differences: of the table, its columns and its constraints.
        statements: of the indexes of this table, and of every view and trigger, as they are.
    """

    wanted: Table
    found: Table
    differences: Sequence[Difference]
    statements: Sequence[str]

    @property
    def names(self) -> dict[str, str]:
        """What columns are called that seem to have another name now, folded: what they were."""
        return {
            folded(each.wanted.own_name): each.found.own_name
            for each in self.differences
            if each.change == RENAMED and each.object.kind == "column"
            if each.wanted is not None and each.found is not None
        }

    @property
    def added(self) -> list[Column]:
        """The columns that are missing."""
        return [
            column
            for column in self.wanted.columns
            if self.found.column(column.name) is None and folded(column.name) not in self.names
        ]

    @property
    def dropped(self) -> list[Column]:
        """The columns that are too many."""
        kept = {folded(name) for name in self.names.values()}
        return [
            column
            for column in self.found.columns
            if self.wanted.column(column.name) is None and folded(column.name) not in kept
        ]


def in_place(alteration: Alteration) -> list[Step] | None:
    """Return what ALTER TABLE can do; None when it takes a rebuild."""
    table = f"ALTER TABLE {quoted(alteration.found.name)}"
    found, added, dropped = alteration.found, alteration.added, alteration.dropped
    names = alteration.names
    if len(alteration.differences) == len(names) == 1:
        ((new, old),) = names.items()
        column = alteration.wanted.column(new)
        assert column is not None
        return [Step(f"{table} RENAME COLUMN {quoted(old)} TO {quoted(column.name)}")]
    if names:
        return None
    with_added = replace(found, columns=(*found.columns, *added))
    if _is_same(with_added, alteration.wanted) and all(map(_can_be_added, added)):
        return [Step(f"{table} ADD COLUMN {_line(column)}") for column in added]
    kept = replace(found, columns=tuple(each for each in found.columns if each not in dropped))
    if _is_same(kept, alteration.wanted) and _can_be_dropped(alteration):
        return [
            Step(
                f"{table} DROP COLUMN {quoted(column.name)}",
                loses_data=column.clause("GENERATED") is None,
            )
            for column in dropped
        ]
    return None


def _is_same(one: Table, other: Table) -> bool:
    return _defined(one) == _defined(other)


def _defined(table: Table) -> Counter[str]:
    """Return what a table defines, in no order."""
    return Counter(
        f"{each.kind} {folded(each.name or '')} {each.structure} {sorted(each.properties.items())}"
        for each in list(of_table(table, {}))[1:]
    ) + Counter(map(str, [table.is_strict, table.has_rowid, table.autoincrements]))


def _can_be_added(column: Column) -> bool:
    """Whether ADD COLUMN takes it (sqlite.org/lang_altertable)."""
    kinds = {clause.kind for clause in column.clauses}
    if kinds & {"PRIMARY KEY", "UNIQUE"}:
        return False
    generated = column.clause("GENERATED")
    if generated is not None:
        return "STORED" not in [token.word for token in tokens(generated.text)]
    value = _default(column)
    if value is None:
        return "NOT NULL" not in kinds
    is_null = value == "NULL"
    if value.startswith("(") or value in _CHANGING or (is_null and "NOT NULL" in kinds):
        return False
    return is_null or "FOREIGN KEY" not in kinds


def _default(column: Column) -> str | None:
    """Return what begins the default of a column."""
    clause = column.clause("DEFAULT")
    if clause is None:
        return None
    first = behind(items_of(clause.text), "DEFAULT")[0]
    return "(" if first.kind == "group" else first.word or first.text


def _line(column: Column) -> str:
    parts = (column.written, column.type, *(clause.text for clause in column.clauses))
    return " ".join(filter(None, parts))


def _can_be_dropped(alteration: Alteration) -> bool:
    """Whether DROP COLUMN takes them: nothing else is about them."""
    dropped = {folded(column.name) for column in alteration.dropped}
    texts: Iterable[str] = (
        *alteration.statements,
        *(clause.text for clause in alteration.wanted.clauses),
    )
    is_plain = all(
        clause.kind in _PLAIN_CLAUSES for column in alteration.dropped for clause in column.clauses
    )
    return is_plain and not any(names_in(text) & dropped for text in texts)


def changed_values(alteration: Alteration) -> Iterator[str]:
    """Yield the columns whose values go, or may become others, in a rebuild."""
    for column in alteration.dropped:
        if column.clause("GENERATED") is None:
            yield column.name
    for column in alteration.wanted.columns:
        source = alteration.found.column(alteration.names.get(folded(column.name), column.name))
        if source is None:
            continue
        is_computed = column.clause("GENERATED") is not None and (
            source.clause("GENERATED") is None
        )
        one, other = _affinity(source.type), _affinity(column.type)
        if is_computed or (one != other and other not in ("TEXT", "BLOB")):
            yield column.name


def _affinity(written: str) -> str:
    """Return what SQLite makes of a type (sqlite.org/datatype3, 3.1)."""
    name = written.upper()
    for words, affinity in (
        (("INT",), "INTEGER"),
        (("CHAR", "CLOB", "TEXT"), "TEXT"),
        (("BLOB",), "BLOB"),
        (("REAL", "FLOA", "DOUB"), "REAL"),
    ):
        if any(word in name for word in words):
            return affinity
    return "NUMERIC" if name else "BLOB"
