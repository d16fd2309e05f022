"""Any object of a PostgreSQL schema: made, altered, dropped, whatever kind it is of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.postgresql_mends import (
    columns,
    constraints,
    indexes,
    parts,
    sequences,
    shared,
    standing,
    tables,
)
from work_data_hub.domain.snapshot.postgresql_mends.sides import CONSTRAINTS, VIEWS, Change
from work_data_hub.domain.snapshot.step import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from work_data_hub.domain.snapshot.postgresql_mends.sides import Sides
    from work_data_hub.domain.snapshot.schema import SchemaObject

    Handlers = Mapping[str, Callable[[Change], Iterator[Step]]]

FUNCTIONS = ("function", "procedure", "aggregate")
_PROPERTIES: Mapping[str, Handlers] = {
    **standing.PROPERTIES,
    **parts.PROPERTIES,
    **dict.fromkeys(("table", "foreign table"), tables.TABLE),
    **dict.fromkeys(VIEWS, tables.VIEW),
    **dict.fromkeys(CONSTRAINTS, constraints.PROPERTIES),
    "index": indexes.PROPERTIES,
}
_MADE_WITH = {
    "extension": ("schema", "version"),
    "enum": ("labels",),
    "domain": ("type", "not null", "default"),
    "range": ("of",),
    "sequence": (*sequences.OPTIONS, "of"),  # given to its column where there is one
    "table": tables.MADE_WITH,
    "column": columns.MADE_WITH,
    "view": ("definition",),
    "materialized view": ("definition", "access method", "tablespace", "not populated"),
    "policy": ("for", "restrictive", "to", "using", "with check"),
    **dict.fromkeys(FUNCTIONS, ("definition", "made of")),
    **dict.fromkeys(CONSTRAINTS, ("definition", "not valid")),
    **dict.fromkeys(("index", "statistics", "trigger", "rule"), ("definition",)),
}
_OF_A_PARTITION = (*columns.MADE_WITH, "storage", "compression")


def made(sides: Sides, item: SchemaObject, *, is_new: bool = False) -> Iterator[Step]:
    """Yield what makes an object, but not what goes with it.

    Args:
        sides: what is around it.
        item: as it should be, called what it is to be called.
        is_new: what it goes with is made beside it, and has no rows.
    """
    yield from _creation(sides, item, is_new=is_new)
    yield from completed(sides, item)


def completed(sides: Sides, item: SchemaObject) -> Iterator[Step]:
    """Yield what gives a new object the properties that it does not have from the start."""
    fresh = {name: item.properties.get(name) for name in _MADE_WITH.get(item.kind, ())}
    yield from altered(sides, item, replace(item, properties=fresh))


def whole(sides: Sides, item: SchemaObject) -> Iterator[Step]:
    """Yield what makes an object with all that goes with it but for foreign keys."""
    inner = sides.children(item.name)
    for each in inner:
        if each.kind == "sequence" and not is_identity(sides, each):
            yield from made(sides, each)
    yield from made(sides, item, is_new=True)
    for each in inner:
        if each.kind == "column":
            yield from _new_column(sides, item, each)
        elif each.kind == "sequence" and is_identity(sides, each):
            yield from completed_identity(sides, each)
        elif each.kind not in ("sequence", "foreign key"):
            yield from made(sides, each, is_new=True)


def _new_column(sides: Sides, relation: SchemaObject, column: SchemaObject) -> Iterator[Step]:
    """Yield what a column of a new relation has not from the start."""
    if relation.kind in VIEWS:
        yield from altered(sides, column, replace(column, properties={}))
        return
    if relation.kind == "table":
        yield from columns.owned(sides, column)
    parent = sides.inherited(column) if "bound" in relation.properties else None
    if parent is None:
        yield from completed(sides, column)
    else:
        fresh = {name: parent.properties.get(name) for name in _OF_A_PARTITION}
        yield from altered(sides, column, replace(column, properties=fresh))


def completed_identity(sides: Sides, sequence: SchemaObject) -> Iterator[Step]:
    """Yield what the sequence that comes with a column has not from the start."""
    left = ("comment", "grants", "unlogged")
    fresh = {name: value for name, value in sequence.properties.items() if name not in left}
    yield from altered(sides, sequence, replace(sequence, properties=fresh))


def is_identity(sides: Sides, sequence: SchemaObject) -> bool:
    """Whether a sequence should come with a column."""
    column = sides.wanted.by_key.get(("column", str(sequence.properties.get("of"))))
    return column is not None and "identity" in column.properties


def _creation(sides: Sides, item: SchemaObject, *, is_new: bool) -> Iterator[Step]:
    kind = item.kind
    if kind == "table":
        yield tables.table(sides, item)
    elif kind == "foreign table":
        note = "it is not known which server it is of, and how: CREATE FOREIGN TABLE is up to you"
        yield Step(note=note)
    elif kind in VIEWS:
        yield tables.view(item)
    elif kind == "column":
        yield from columns.added(sides, item)
    elif kind in CONSTRAINTS:
        yield from constraints.made(sides, item, is_new=is_new)
    elif kind == "index":
        yield from indexes.made(sides, item, is_new=is_new)
    elif kind == "policy":
        yield Step(parts.policy(sides, item))
    elif kind == "aggregate":
        yield standing.aggregate(item)
    elif kind == "extension":
        yield standing.extension(item)
    else:
        yield Step(item.made_by.rstrip().removesuffix(";"))


def altered(sides: Sides, wanted: SchemaObject, found: SchemaObject) -> Iterator[Step]:
    """Yield what makes of an object what it should be.

    Args:
        sides: what is around it.
        wanted: as it should be; what it is called does not count.
        found: as it is.
    """
    change = Change(sides, replace(wanted, own_name=found.own_name), found)
    if wanted.kind == "column":
        yield from columns.altered(change)
    elif is_remade(change):
        yield from _remade(change)
    else:
        yield from _in_place(change)


def _in_place(change: Change) -> Iterator[Step]:
    if change.wanted.kind == "policy":
        yield from parts.altered_policy(change)
    if change.wanted.kind == "table" and change.differs("inherits", "bound"):
        yield from tables.detached(change)
        yield from tables.attached(change)
    handlers = _PROPERTIES.get(change.wanted.kind, {})
    differing = [handler for name, handler in handlers.items() if change.differs(name)]
    for handler in dict.fromkeys(differing):  # one may be for several properties
        yield from handler(change)


def is_remade(change: Change) -> bool:
    """Whether an object can only be dropped and made again."""
    kind = change.wanted.kind
    if kind == "column":
        return columns.is_remade(change)
    if kind in CONSTRAINTS:
        return constraints.is_remade(change)
    if kind in VIEWS:
        return tables.is_remade(change)
    if kind == "policy":
        return parts.is_other_policy(change)
    if kind in ("function", "procedure"):
        return standing.is_other_function(change)
    return kind in ("trigger", "rule", "statistics", "index") and change.differs("definition")


def _remade(change: Change) -> Iterator[Step]:
    sides, item = change.sides, change.wanted
    if item.kind == "index":
        yield from indexes.remade(change)
        yield from completed(sides, item)
        return
    yield from dropped(sides, change.found)
    if item.kind in VIEWS:
        yield from whole(sides, item)
    elif item.kind in ("trigger", "rule", "statistics", "function", "procedure"):
        yield Step(item.made_by.rstrip().removesuffix(";"))
        yield from completed(sides, item)
    else:
        yield from made(sides, item)


def dropped(sides: Sides, item: SchemaObject) -> Iterator[Step]:
    """Yield what drops an object, and with it what goes with it."""
    kind = item.kind
    if kind == "column":
        yield from columns.dropped(sides, item)
    elif kind in CONSTRAINTS:
        yield constraints.dropped(sides, item)
    elif kind == "index":
        yield indexes.dropped(sides, item)
    else:
        loses_data = kind in ("table", "sequence")
        note = "fails where a default or a generated column calls it" if kind in FUNCTIONS else ""
        yield Step(f"DROP {shared.address(sides, item)}", loses_data, note=note)
