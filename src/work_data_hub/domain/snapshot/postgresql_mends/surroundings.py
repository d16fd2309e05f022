"""What is in the way of a change on PostgreSQL: dropped before it, and made again behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.difference import EXTRA
from work_data_hub.domain.snapshot.postgresql_mends import columns, constraints, objects
from work_data_hub.domain.snapshot.postgresql_mends.order import CLEAR, MAKE, is_key, texts_of
from work_data_hub.domain.snapshot.postgresql_mends.sides import VIEWS, Change
from work_data_hub.domain.snapshot.postgresql_mends.way import Way
from work_data_hub.domain.snapshot.step import Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from work_data_hub.domain.snapshot.postgresql_mends.order import Entry
    from work_data_hub.domain.snapshot.postgresql_mends.sides import Sides
    from work_data_hub.domain.snapshot.schema import SchemaObject


class Surroundings:
    """What is around the changes of a plan."""

    def __init__(self, sides: Sides, entries: Sequence[Entry]) -> None:
        """Find what is in the way.

        Args:
            sides: both schemas.
            entries: the plan, in its order.
        """
        self._sides = sides
        self._entries = entries
        self._by_key = {
            (entry.item.kind, entry.item.name): entry for entry in entries if entry.part == MAKE
        }
        gone = (each for entry in entries if entry.part == CLEAR for each in entry.all)
        cleared = {(item.kind, item.name) for item in gone}
        self._way = Way(sides.found, cleared)
        self._hard: list[Entry] = []
        self._dropped: dict[tuple[str, str], SchemaObject] = {}
        for entry in entries:
            in_the_way = list(self._in_the_way_of(entry))
            if in_the_way:
                self._hard.append(entry)
                self._dropped |= {(item.kind, item.name): item for item in in_the_way}
        self._hard += list(self._successors())
        self._made_again = [entry for key, entry in self._by_key.items() if key in self._dropped]
        self._remade = {key[1] for key in self._dropped if key[0] in VIEWS} | {
            key[1]
            for key, entry in self._by_key.items()
            if key[0] in VIEWS and self._is_remade(entry)
        }

    def _successors(self) -> Iterator[Entry]:
        """Yield what takes the place of something that is dropped, and which others count on."""
        names = {entry.item.own_name for entry in self._hard if entry.part == CLEAR}
        targets = {
            constraints.target_of(item)
            for item in self._dropped.values()
            if item.kind == "foreign key"
        }
        for entry in self._by_key.values():
            is_target = is_key(entry.item) and constraints.as_target(entry.item) in targets
            if is_target or entry.item.own_name in names:
                yield entry

    def has_done(self, entry: Entry) -> bool:
        """Whether nothing is left to do: it is made again, or something that it goes with is.

        What is made again in its own place has its steps here.
        """
        key = (entry.item.kind, entry.item.name)
        if entry.difference.change == EXTRA and key in self._dropped:
            return True
        if key in self._dropped and entry.part == MAKE:
            entry.steps += self._again(entry.item)
            return True
        if entry.item.parent in self._remade:
            entry.steps.append(Step(note=f"it is made with {entry.item.parent}"))
            return True
        return False

    def take_out_of_the_way(self) -> None:
        """Have the first of the changes drop what is in their way, and the last make it again."""
        changes = [*self._hard, *self._made_again]
        if not changes:
            return
        places = {id(entry): place for place, entry in enumerate(self._entries)}
        changes.sort(key=lambda entry: places[id(entry)])
        first, last = changes[0], changes[-1]
        items = self._in_order()
        first.steps[:0] = [
            step for item in reversed(items) for step in objects.dropped(self._sides, item)
        ]
        for item in items:
            key = (item.kind, item.name)
            if key not in self._by_key and key in self._sides.wanted.by_key:
                last.steps += self._again(self._sides.wanted.by_key[key])

    def _again(self, item: SchemaObject) -> Iterator[Step]:
        if item.parent:
            yield from objects.made(self._sides, item)
        else:
            yield from objects.whole(self._sides, item)

    def _in_order(self) -> list[SchemaObject]:
        """Return what is dropped, each behind what it is about."""
        done: dict[tuple[str, str], SchemaObject] = {}

        def visit(key: tuple[str, str], item: SchemaObject) -> None:
            if key in done or key in begun:
                return
            begun.add(key)
            names = texts_of(item)
            for other_key, other in self._dropped.items():
                if other.name in names:
                    visit(other_key, other)
            done[key] = item

        begun: set[tuple[str, str]] = set()
        for key, item in self._dropped.items():
            visit(key, item)
        return list(done.values())

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
