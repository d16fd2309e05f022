"""PostgreSQL's tables, views and materialized views."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.postgresql_mends import constraints, shared
from work_data_hub.domain.snapshot.postgresql_mends.columns import line_of
from work_data_hub.domain.snapshot.step import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.domain.snapshot.postgresql_mends.sides import Change, Sides
    from work_data_hub.domain.snapshot.schema import SchemaObject

_LOCKS = "the table is rewritten, and nobody reads it meanwhile"
MADE_WITH = ("unlogged", "access method", "tablespace", "partitioned by", "bound", "inherits")
"""The properties that a table has from the start."""


def table(sides: Sides, item: SchemaObject) -> Step:
    """Return what makes a table with its columns."""
    told = item.properties
    parents = shared.told(told.get("inherits"))
    lines = ", ".join(
        line_of(sides, each) for each in sides.children(item.name) if each.kind == "column"
    )
    kind = "UNLOGGED TABLE" if told.get("unlogged") else "TABLE"
    if "bound" in told:
        body = f" PARTITION OF {parents[0]} {told['bound']}"
    else:
        inherits = f" INHERITS ({', '.join(parents)})" if parents else ""
        body = f" ({lines}){inherits}"
    key = f" PARTITION BY {told['partitioned by']}" if "partitioned by" in told else ""
    return Step(f"CREATE {kind} {item.own_name}{body}{key}{_place(item)}")


def view(item: SchemaObject, *, is_replaced: bool = False) -> Step:
    """Return what makes a view, or a materialized one."""
    verb = "CREATE OR REPLACE" if is_replaced else "CREATE"
    told = item.properties
    text = str(told["definition"]).rstrip(";")
    ending = " WITH NO DATA" if told.get("not populated") else ""
    return Step(
        f"{verb} {shared.word_of(item)} {item.own_name}{_place(item)} AS{_spaced(text)}{ending}"
    )


def _place(item: SchemaObject) -> str:
    """Return how and where the rows are kept."""
    clauses = {"access method": "USING", "tablespace": "TABLESPACE"}
    told = item.properties
    return "".join(f" {word} {told[name]}" for name, word in clauses.items() if name in told)


def _spaced(text: str) -> str:
    return text if text.startswith(" ") else f" {text}"


def is_remade(change: Change) -> bool:
    """Whether a view can only be dropped and made again: others can be put in its place.

    That is so where it has the same columns, and others only behind them.
    """
    if not change.differs("definition"):
        return False
    wanted, found = change.wanted.columns, change.found.columns
    is_plain = change.wanted.kind == "view"
    return not is_plain or not found or wanted[: len(found)] != found


def definition(change: Change) -> Iterator[Step]:
    """Yield what puts another view in the place of one."""
    yield view(change.wanted, is_replaced=True)


def unlogged(change: Change) -> Iterator[Step]:
    """Yield what has changes of it written to the log, or not."""
    item = change.wanted
    ending = "UNLOGGED" if item.properties.get("unlogged") else "LOGGED"
    note = _LOCKS if item.kind == "table" else ""
    yield Step(f"ALTER {shared.word_of(item)} {item.own_name} SET {ending}", note=note)


def access_method(change: Change) -> Iterator[Step]:
    """Yield what has the rows kept otherwise."""
    item = change.wanted
    name = item.properties.get("access method", "heap")
    sql = f"ALTER {shared.word_of(item)} {item.own_name} SET ACCESS METHOD {name}"
    yield Step(sql, note=_LOCKS)


def tablespace(change: Change) -> Iterator[Step]:
    """Yield what moves it."""
    item = change.wanted
    name = item.properties.get("tablespace", "pg_default")
    sql = f"ALTER {shared.word_of(item)} {item.own_name} SET TABLESPACE {name}"
    yield Step(sql, note=_LOCKS)


def row_security(change: Change) -> Iterator[Step]:
    """Yield what has policies decide, or not."""
    item = change.wanted
    verb = "ENABLE" if item.properties.get("row security") else "DISABLE"
    yield Step(f"ALTER TABLE {item.own_name} {verb} ROW LEVEL SECURITY")


def row_security_forced(change: Change) -> Iterator[Step]:
    """Yield what has policies decide for the owner too, or not."""
    item = change.wanted
    verb = "FORCE" if item.properties.get("row security forced") else "NO FORCE"
    yield Step(f"ALTER TABLE {item.own_name} {verb} ROW LEVEL SECURITY")


def replica_identity(change: Change) -> Iterator[Step]:
    """Yield by what rows are known; where it is an index, that index says so."""
    known_by, _ = change.pair("replica identity")
    if known_by != "an index":
        word = {"nothing": "NOTHING", "full": "FULL"}.get(str(known_by), "DEFAULT")
        yield Step(f"ALTER TABLE {change.wanted.own_name} REPLICA IDENTITY {word}")


def populated(change: Change) -> Iterator[Step]:
    """Yield what fills a materialized view, or empties it."""
    item = change.wanted
    is_empty = bool(item.properties.get("not populated"))
    ending = " WITH NO DATA" if is_empty else ""
    note = "" if is_empty else "nobody reads it meanwhile"
    yield Step(f"REFRESH MATERIALIZED VIEW {item.own_name}{ending}", note=note)


def detached(change: Change) -> Iterator[Step]:
    """Yield what takes a table from its parents."""
    name = change.wanted.own_name
    wanted, found = map(shared.told, change.pair("inherits"))
    if "bound" in change.found.properties and change.differs("bound", "inherits"):
        note = "it keeps the indexes and keys that it had in common with the other partitions"
        yield Step(f"ALTER TABLE {found[0]} DETACH PARTITION {name}", note=note)
        for check in _checks_left(change, found[0]):
            yield Step(f"ALTER TABLE {name} DROP CONSTRAINT {check.own_name}")
        return
    for parent in found:
        if parent not in wanted:
            yield Step(f"ALTER TABLE {name} NO INHERIT {parent}")


def attached(change: Change) -> Iterator[Step]:
    """Yield what gives a table to its parents."""
    name = change.wanted.own_name
    wanted, found = map(shared.told, change.pair("inherits"))
    bound, _ = change.pair("bound")
    if bound is not None and change.differs("bound", "inherits"):
        for check in _checks_needed(change, wanted[0]):
            yield from constraints.made(change.sides, replace(check, parent=name), is_new=False)
        sql = f"ALTER TABLE {wanted[0]} ATTACH PARTITION {name} {bound}"
        note = "every row of it is looked at: a CHECK of its bound beforehand spares that"
        yield Step(sql, note=note)
        return
    was = () if "bound" in change.found.properties else found
    for parent in wanted:
        if parent not in was:
            yield Step(f"ALTER TABLE {name} INHERIT {parent}")


def _checks_left(change: Change, parent: str) -> Iterator[SchemaObject]:
    """Yield what a partition has of a table, and should not have once it is none."""
    kept = {(each.own_name, constraints.definition_of(each)) for each in _checks(change)}
    for check in change.sides.children_found(parent):
        said = (check.own_name, constraints.definition_of(check))
        if check.kind == "check" and said not in kept:
            yield check


def _checks(change: Change) -> Iterator[SchemaObject]:
    yield from (each for each in change.sides.children(change.wanted.name) if each.kind == "check")


def _checks_needed(change: Change, parent: str) -> Iterator[SchemaObject]:
    """Yield what a table must have to become a partition of another."""
    there = {each.own_name for each in change.sides.children_found(change.wanted.name)}
    for check in change.sides.children(parent):
        text = constraints.definition_of(check)
        if check.kind == "check" and "NO INHERIT" not in text and check.own_name not in there:
            named = {**check.properties, "definition": text}
            yield replace(check, properties=named)


def partition_key(change: Change) -> Iterator[Step]:
    """Say that there is no way."""
    what = f"{change.wanted.own_name} cannot be partitioned otherwise"
    yield Step(note=f"{what}: make another table, copy the rows, and exchange both")


TABLE = {
    "owner": shared.owner,
    "unlogged": unlogged,
    "access method": access_method,
    "tablespace": tablespace,
    "options": shared.options,
    "row security": row_security,
    "row security forced": row_security_forced,
    "replica identity": replica_identity,
    "partitioned by": partition_key,
    "comment": shared.comment,
    "grants": shared.grants,
}
VIEW = {
    "definition": definition,
    "owner": shared.owner,
    "options": shared.options,
    "access method": access_method,
    "tablespace": tablespace,
    "not populated": populated,
    "comment": shared.comment,
    "grants": shared.grants,
}
"""What alters them."""
