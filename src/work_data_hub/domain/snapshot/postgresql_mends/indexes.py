"""Indexes of PostgreSQL's tables, built while the table is written to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.postgresql_mends import constraints, shared
from work_data_hub.domain.snapshot.postgresql_mends.constraints import definition_of
from work_data_hub.domain.snapshot.postgresql_mends.names import bare, free_name, schema_of
from work_data_hub.domain.snapshot.step import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.domain.snapshot.postgresql_mends.sides import Change, Sides
    from work_data_hub.domain.snapshot.schema import SchemaObject

_LOCKS = "nobody writes to the table meanwhile: it has partitions"


def made(sides: Sides, item: SchemaObject, *, is_new: bool, name: str = "") -> Iterator[Step]:
    """Yield what builds an index.

    Args:
        sides: what is around it.
        item: the index.
        is_new: its table has no rows.
        name: what it is called at first, in place of its own name.
    """
    text = definition_of(item).replace(" ON ONLY ", " ON ", 1)
    named = name or bare(item.own_name)
    is_partitioned = sides.is_partitioned(item.parent)
    if is_new or is_partitioned:
        note = _LOCKS if not is_new else ""
        yield Step(text.replace("INDEX ON", f"INDEX {named} ON", 1), note=note)
        return
    fails = "two rows of one value make it fail and leave an invalid index, to be dropped"
    yield Step(
        text.replace("INDEX ON", f"INDEX CONCURRENTLY {named} ON", 1),
        is_alone=True,
        note=fails if text.startswith("CREATE UNIQUE") else "",
    )


def dropped(sides: Sides, item: SchemaObject) -> Step:
    """Return what drops an index."""
    if sides.is_partitioned(item.parent):
        return Step(f"DROP INDEX {item.own_name}")
    return Step(f"DROP INDEX CONCURRENTLY {item.own_name}", is_alone=True)


def free(sides: Sides, item: SchemaObject) -> str:
    """Return what a missing index is called: where nobody named it, as nothing else is."""
    if "definition" in item.properties:
        return item.own_name
    return f"{schema_of(item.own_name)}.{free_name(bare(item.own_name), sides.taken(item))}"


def is_remade(change: Change) -> bool:
    """Whether it is another index."""
    return change.differs("definition")


def remade(change: Change) -> Iterator[Step]:
    """Yield what builds another index in place of one, which is dropped when that is there."""
    sides, item = change.sides, change.wanted
    if sides.is_partitioned(item.parent):
        yield dropped(sides, change.found)
        yield from made(sides, item, is_new=False)
        return
    place = schema_of(item.own_name)
    name = free_name(bare(item.own_name), sides.taken(item), "_new")
    yield from made(sides, item, is_new=False, name=name)
    yield dropped(sides, change.found)
    yield Step(f"ALTER INDEX {place}.{name} RENAME TO {bare(item.own_name)}", is_alone=True)


def invalid(change: Change) -> Iterator[Step]:
    """Yield what builds an invalid index again."""
    if change.wanted.properties.get("invalid"):
        yield Step(note="it should be invalid, which no statement makes it")
    elif change.sides.is_partitioned(change.wanted.parent):
        note = "a partition has no such index: build it there, and ALTER INDEX ... ATTACH PARTITION"
        yield Step(note=note)
    else:
        yield Step(f"REINDEX INDEX CONCURRENTLY {change.wanted.own_name}", is_alone=True)


def tablespace(change: Change) -> Iterator[Step]:
    """Yield what moves it."""
    place, _ = change.pair("tablespace")
    sql = f"ALTER INDEX {change.wanted.own_name} SET TABLESPACE {place or 'pg_default'}"
    yield Step(sql, note="nobody writes to the table meanwhile")


PROPERTIES = {
    "invalid": invalid,
    "tablespace": tablespace,
    "clustered": constraints.clustered,
    "replica identity": constraints.replica_identity,
    "comment": shared.comment,
}
"""What alters them."""
