"""What is in the way of a change on PostgreSQL: dropped before it, and made again behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.difference import EXTRA
from work_data_hub.domain.snapshot.postgresql_mends import columns, constraints, objects
from work_data_hub.domain.snapshot.postgresql_mends.order import CLEAR, MAKE, is_key
from work_data_hub.domain.snapshot.postgresql_mends.sides import VIEWS, Change
from work_data_hub.domain.snapshot.postgresql_mends.way import Way, in_order
from work_data_hub.domain.snapshot.step import Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from work_data_hub.domain.snapshot.postgresql_mends.order import Entry
    from work_data_hub.domain.snapshot.postgresql_mends.sides import Sides
    from work_data_hub.domain.snapshot.schema import SchemaObject

    Key = tuple[str, str]


@dataclass
class _Knot:
    """Changes that have the same in their way: they are run together.

    Attributes:
        entries: the changes.
        items: what is in their way, by kind and name.
    """

    entries: list[Entry]
    items: dict[Key, SchemaObject]


class Surroundings:
    """What is around the changes of a plan."""

    def __init__(self, sides: Sides, entries: Sequence[Entry]) -> None:
        """Find what is in the way.

        Args:
            sides: both schemas.
            entries: the plan, in its order.
        """
        self._sides = sides
        self._by_key = {
            (entry.item.kind, entry.item.name): entry for entry in entries if entry.part == MAKE
        }
        self._places = {id(entry): place for place, entry in enumerate(entries)}
        gone = (each for entry in entries if entry.part == CLEAR for each in entry.all)
        self._way = Way(sides.found, {(item.kind, item.name) for item in gone})
        self._knots: list[_Knot] = []
        for entry in entries:
            items = {(item.kind, item.name): item for item in self._in_the_way_of(entry)}
            if items:
                self._tie(entry, items)
        self._dropped = {key for knot in self._knots for key in knot.items}
        self._remade = {key[1] for key in self._dropped if key[0] in VIEWS} | {
            key[1]
            for key, entry in self._by_key.items()
            if key[0] in VIEWS and self._is_remade(entry)
        }

    def _tie(self, entry: Entry, items: dict[Key, SchemaObject]) -> None:
        """Put a change with all that have something in common with it."""
        tied = [knot for knot in self._knots if knot.items.keys() & items.keys()]
        self._knots = [knot for knot in self._knots if knot not in tied]
        entries = [each for knot in tied for each in knot.entries]
        both = {key: item for knot in tied for key, item in knot.items.items()} | items
        self._knots.append(_Knot([*entries, entry], both))

    def has_done(self, entry: Entry) -> bool:
        """Whether nothing is left to do: it is made again, or something that it goes with is.

        What is made again in its own place has its steps here.
        """
        if (entry.item.kind, entry.item.name) in self._dropped and entry.part == MAKE:
            entry.steps += self._again(entry.item)
            return True
        if entry.item.parent in self._remade:
            entry.steps.append(Step(note=f"it is made with {entry.item.parent}"))
            return True
        return False

    def take_out_of_the_way(self) -> None:
        """Have the first of the changes drop what is in their way, and the last make it again."""
        for knot in self._knots:
            entries = [*knot.entries, *self._successors(knot)]
            entries += [self._by_key[key] for key in knot.items if key in self._by_key]
            entries.sort(key=lambda entry: self._places[id(entry)])
            items = in_order(knot.items)
            entries[0].steps[:0] = [
                step for item in reversed(items) for step in objects.dropped(self._sides, item)
            ]
            for item in items:
                key = (item.kind, item.name)
                if key not in self._by_key and key in self._sides.wanted.by_key:
                    entries[-1].steps += self._again(self._sides.wanted.by_key[key])
            _lose_together(entries)

    def _successors(self, knot: _Knot) -> Iterator[Entry]:
        """Yield what takes the place of something that is dropped, and which others count on."""
        names = {entry.item.own_name for entry in knot.entries if entry.part == CLEAR}
        targets = {
            constraints.target_of(item)
            for item in knot.items.values()
            if item.kind == "foreign key"
        }
        for entry in self._by_key.values():
            is_target = is_key(entry.item) and constraints.as_target(entry.item) in targets
            if is_target or entry.item.own_name in names:
                yield entry

    def _again(self, item: SchemaObject) -> Iterator[Step]:
        if item.parent:
            yield from objects.made(self._sides, item)
        else:
            yield from objects.whole(self._sides, item)

    def _change(self, entry: Entry) -> Change | None:
        found = self._sides.found.by_key.get((entry.item.kind, entry.item.name))
        if found is None or entry.part != MAKE:
            return None
        return Change(self._sides, entry.item, found)

    def _is_remade(self, entry: Entry) -> bool:
        change = self._change(entry)
        return change is not None and objects.is_remade(change)

    def _in_the_way_of(self, entry: Entry) -> Iterator[SchemaObject]:
        item, change = entry.item, self._change(entry)
        is_dropped = entry.difference.change == EXTRA
        if is_key(item) and (is_dropped or self._is_remade(entry)):
            yield from self._way.of_key(item)
        elif is_dropped and entry.part == CLEAR and not item.parent:
            yield from self._way.of_name(item.name.partition("(")[0])
        elif change is None:
            return
        elif item.kind == "column" and change.differs("type", "collation", "generated", "stored"):
            yield from self._way.of_column(item, is_remade=columns.is_remade(change))
        elif objects.is_remade(change) and item.kind in (*VIEWS, *objects.FUNCTIONS):
            yield from self._way.of_name(item.name.partition("(")[0])


def _lose_together(entries: Sequence[Entry]) -> None:
    """Say of changes that are run together that they lose data where one of them does."""
    if any(step.loses_data for entry in entries for step in entry.steps):
        for entry in entries:
            note = "it is run with others that the same is in the way of, and data is lost"
            if not any(step.loses_data for step in entry.steps):
                entry.steps.append(Step(loses_data=True, note=note))
