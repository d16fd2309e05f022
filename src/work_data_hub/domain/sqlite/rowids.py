"""The numbers of rows: who looks for rows by them, and whether a rebuild gave rows others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from work_data_hub.domain.sqlite.loss import Loss
from work_data_hub.domain.sqlite.text import all_names_in, folded, names_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from work_data_hub.domain.sqlite.census import Dependent
    from work_data_hub.domain.sqlite.ddl import Table

    Rowids = Mapping[int, tuple[Any, ...]]

# Each means the number of the row where there is no column of that name.
_NAMES = ("rowid", "_rowid_", "oid")


def name_of_rowid(*tables: Table) -> str | None:
    """Return what the number of a row can be called in all of some tables, if there is a way."""
    if not all(table.has_rowid for table in tables):
        return None
    free = (n for n in _NAMES if all(table.column(n) is None for table in tables))
    return next(free, None)


def key_of(table: Table) -> tuple[str, ...]:
    """Return the columns by which a row is known besides its number."""
    key = table.primary_key
    return () if key is None or table.rowid_alias is not None else key.columns


def found_by_rowid(dependents: Iterable[Dependent], table: str) -> Iterator[tuple[str, str]]:
    """Yield what looks for rows of a table by their numbers: virtual tables, and its own triggers.

    Kind and name of each.

    Args:
        dependents: in the order in which they were made, virtual tables last.
        table: its name.
    """
    reached = {folded(table)}
    for kind, name, of, sql in dependents:
        if kind == "view" and names_in(sql) & reached:
            reached.add(folded(name))
        is_own = kind == "trigger" and folded(of) == folded(table)
        names = names_in(sql) & set(_NAMES) if is_own else all_names_in(sql) & reached
        if names and (is_own or kind == "virtual table"):
            yield kind, name


def moved(before: Rowids | None, after: Rowids | None) -> bool:
    """Whether rows have other numbers than before; some may have come or gone.

    Args:
        before: the key of each row, by its number; nothing where the table has none.
        after: the same of the rebuilt table; None when its rows have no numbers that can be read.
    """
    if before is None or not before:
        return False
    if after is None:
        return True
    numbers = {key: number for number, key in after.items() if key and None not in key}
    if any(numbers.get(key, number) != number for number, key in before.items()):
        return True
    return not before.keys() <= after.keys() and not after.keys() <= before.keys()


def moved_rows(table: str, by: Collection[tuple[str, str]], keep: str = "") -> Loss:
    """Return the loss of the numbers.

    Args:
        table: whose rows have others now.
        by: kind and name of what looks for rows by them.
        keep: what else can be done than to make that again.
    """
    names = " and ".join(f"{kind} {name}" for kind, name in by)
    again = f"drop the {names} before, and make and fill it again behind"
    return Loss(
        f"the rowids of {table}, by which the {names} finds its rows",
        f"{keep}, or {again}" if keep else again,
        f"rowids of {table}",
    )
