"""The plan that makes of one PostgreSQL schema another: what is done about each difference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.difference import DIFFERENT, EXTRA, RENAMED
from work_data_hub.domain.snapshot.postgresql_mends import (
    columns,
    constraints,
    indexes,
    objects,
    renaming,
    tables,
)
from work_data_hub.domain.snapshot.postgresql_mends.circumstances import (
    CLEARED,
    Circumstances,
    is_renamed,
)
from work_data_hub.domain.snapshot.postgresql_mends.order import (
    CLEAR,
    DROP,
    MAKE,
    RENAME,
    Entry,
    ordered,
)
from work_data_hub.domain.snapshot.postgresql_mends.sides import CONSTRAINTS, VIEWS, Change, Sides
from work_data_hub.domain.snapshot.postgresql_mends.surroundings import Surroundings
from work_data_hub.domain.snapshot.step import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.domain.snapshot.difference import Difference
    from work_data_hub.domain.snapshot.schema import SchemaObject, Snapshot


def planned(wanted: Snapshot, found: Snapshot) -> list[tuple[Difference, list[Step]]]:
    """Return each difference with what is done about it, in the order in which it is done."""
    plan = _Plan(Circumstances(wanted, found))
    return [(entry.difference, entry.steps) for entry in plan.entries()]


class _Plan:
    """What is done about each difference."""

    def __init__(self, known: Circumstances) -> None:
        self._known = known

    def entries(self) -> list[Entry]:
        """Return what is done, in order."""
        placed = ordered(self._entry(each) for each in self._known.differences)
        surroundings = Surroundings(self._known.sides, placed)
        for entry in placed:
            if entry.part == RENAME:
                entry.steps += self._renamed(entry)
            elif not surroundings.has_done(entry):
                entry.steps += self._steps(entry)
        _defer_foreign_keys(self._known.sides, placed)
        _drop_foreign_keys_first(self._known.sides, placed)
        surroundings.take_out_of_the_way()
        return placed

    def _entry(self, difference: Difference) -> Entry:
        if difference.change == EXTRA:
            assert difference.found is not None
            item = self._known.now(difference.found)
            is_clash = self._known.is_in_the_place(difference)
            is_clash |= item.kind in objects.FUNCTIONS and self._known.has_a_successor(item)
            part = CLEAR if item.kind in CLEARED or is_clash else DROP
            if item.kind == "column" and item.parent in self._known.attached:
                part = MAKE  # a partition has the same columns as all others
            return Entry(difference, item, part)
        assert difference.wanted is not None
        part = RENAME if is_renamed(difference) else MAKE
        entry = Entry(difference, difference.wanted, part)
        told = difference.properties
        # A table that is attached has to have its parent's columns and checks before.
        item, is_attached = entry.item, "inherits" in told and bool(told["inherits"][0])
        is_identity = item.kind == "sequence" and objects.is_identity(self._known.sides, item)
        entry.is_last = is_attached or is_identity or part == RENAME
        if "inherits" in told and not is_attached:
            entry.part = RENAME  # before them: they would reach it
        return entry

    def _renamed(self, entry: Entry) -> Iterator[Step]:
        wanted, found = entry.difference.wanted, entry.difference.found
        assert wanted is not None
        assert found is not None
        if entry.difference.change == DIFFERENT:
            yield from self._detached(wanted, found)
            return
        if wanted.kind == "column" and self._known.is_renamed_with_parent(wanted):
            yield Step(note="it is renamed with that of the table that this one inherits from")
        else:
            key = (found.kind, found.name)
            was = found if found.kind == "schema" else self._known.before[key]
            yield from renaming.statements(self._known.sides, wanted, was)
        mine = wanted.name if not wanted.parent else wanted.parent
        for key, other in list(self._known.followers.items()):
            if other.parent == mine:
                yield from renaming.statements(self._known.sides, other, self._known.before[key])
                del self._known.followers[key]

    def _detached(self, wanted: SchemaObject, found: SchemaObject) -> Iterator[Step]:
        yield from tables.detached(Change(self._known.sides, wanted, found))
        told = {**found.properties, "inherits": None, "bound": None}
        yield from objects.altered(self._known.sides, wanted, replace(found, properties=told))

    def _steps(self, entry: Entry) -> Iterator[Step]:
        difference = entry.difference
        if difference.change == EXTRA:
            assert difference.found is not None
            is_moved = entry.item.name != difference.found.name
            yield from self._of_extra(entry.item, is_moved=is_moved)
        elif difference.change == RENAMED:
            assert difference.found is not None
            yield from objects.made(self._known.sides, entry.item)
            yield from objects.dropped(self._known.sides, difference.found)
        else:
            yield from self._of_wanted(entry)

    def _of_wanted(self, entry: Entry) -> Iterator[Step]:
        wanted, sides = entry.item, self._known.sides
        found = self._known.there_is(entry.difference)
        if found is not None:
            steps = list(objects.altered(sides, wanted, found))
            is_moved = (found.kind, found.name) not in self._known.found.by_key
            if not steps and is_moved:
                yield Step(note="it is so once the other is renamed")
            yield from steps
        elif wanted.kind == "column" and self._known.comes_with_parent(wanted):
            yield Step(note="it comes with the column of the table that this one inherits from")
        elif wanted.kind == "sequence" and objects.is_identity(sides, wanted):
            yield Step(note=f"it comes with the column {wanted.properties['of']}")
            yield from objects.completed_identity(sides, wanted)
        elif self._known.is_left_by_detaching(wanted):
            yield Step(note="the table keeps it when it is detached")
        else:
            yield from self._made(wanted)

    def _made(self, wanted: SchemaObject) -> Iterator[Step]:
        sides = self._known.sides
        if not wanted.parent:
            yield from objects.whole(sides, wanted)
        elif wanted.kind in CONSTRAINTS:
            name = constraints.free(self._known.free_sides, wanted)
            yield from objects.made(sides, replace(wanted, own_name=name))
        elif wanted.kind == "index":
            name = indexes.free(self._known.free_sides, wanted)
            yield from objects.made(sides, replace(wanted, own_name=name))
        else:
            yield from objects.made(sides, wanted)
            column = self._known.sides.found.by_key.get(
                ("column", str(wanted.properties.get("of")))
            )
            if wanted.kind == "sequence" and column is not None:
                yield Step(f"ALTER SEQUENCE {wanted.own_name} OWNED BY {column.name}")

    def _of_extra(self, item: SchemaObject, *, is_moved: bool) -> Iterator[Step]:
        sides = self._known.sides
        if is_moved and (item.kind, item.name) in sides.wanted.by_key:
            yield Step(note="it is as it should be once the other is renamed")
        elif item.kind == "sequence" and self._known.is_taken_over(item):
            yield Step(note="it is given to its column, or taken from it")
        elif item.kind == "sequence" and self._known.goes_with_column(item):
            yield Step(note=f"it goes with {item.properties['of']}, or with what makes its values")
        elif item.kind == "column" and self._known.goes_with_parent(item):
            yield Step(note="it goes with the column of the table that this one inherits from")
        elif self._known.is_taken_by_attaching(item):
            yield Step(note="the table gives it up when it is attached")
        elif item.kind == "column" and (parent := sides.relation(item.parent)) is not None:
            if parent.kind in VIEWS:
                yield from objects.altered(sides, replace(item, properties={}), item)
            else:
                yield from columns.dropped(sides, item)
        else:
            yield from objects.dropped(sides, item)


def _defer_foreign_keys(sides: Sides, entries: list[Entry]) -> None:
    """Add the foreign keys of new tables as soon as what they reference is there."""
    places = {entry.item.name: place for place, entry in enumerate(entries) if entry.part == MAKE}
    places |= {
        f"key of {entry.item.parent}": place
        for place, entry in enumerate(entries)
        if entry.part == MAKE and entry.item.kind in ("primary key", "unique")
    }
    for place, entry in enumerate(entries):
        if entry.difference.change == EXTRA:
            continue
        for item in entry.contents:
            if item.kind == "foreign key":
                target = constraints.target_of(item).rpartition("(")[0]
                keys = places.get(f"key of {target}", place)
                at = max(place, places.get(target, place), keys)
                entries[at].steps += objects.made(sides, item, is_new=True)


def _drop_foreign_keys_first(sides: Sides, entries: list[Entry]) -> None:
    """Drop what references a table that goes before the table that it is of."""
    for place, entry in enumerate(entries):
        if entry.part != DROP or entry.item.kind != "table":
            continue
        entry.steps[:0] = [
            constraints.dropped(sides, item)
            for later in entries[place + 1 :]
            for item in later.contents
            if later.part == DROP
            and item.kind == "foreign key"
            and constraints.target_of(item).rpartition("(")[0] == entry.item.name
        ]
