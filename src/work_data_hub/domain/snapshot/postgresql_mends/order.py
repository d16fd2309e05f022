"""In which order objects can be made: behind all that their texts are about."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.postgresql_mends.names import bare, names_in, schema_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from work_data_hub.domain.snapshot.difference import Difference
    from work_data_hub.domain.snapshot.schema import SchemaObject
    from work_data_hub.domain.snapshot.step import Step

_SIGNED = ("function", "procedure", "aggregate")
RENAME, CLEAR, MAKE, DROP = range(4)
"""The parts of a plan: each is run as a whole before the next."""


@dataclass
class Entry:
    """A difference, and what is to be done about it.

    Attributes:
        difference: of the two schemas.
        item: the object that it is about, as it is called once the renames are done.
        part: of the plan.
        steps: that end it.
        is_last: it is done behind the others of its part.
    """

    difference: Difference
    item: SchemaObject
    part: int
    steps: list[Step] = field(default_factory=list)
    is_last: bool = False

    @property
    def contents(self) -> Sequence[SchemaObject]:
        """What is made or dropped with it."""
        return self.difference.contents

    @property
    def all(self) -> Sequence[SchemaObject]:
        """The object, and what is made or dropped with it."""
        return (self.item, *self.contents)


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries as they can be run.

    Args:
        entries: in the order of their objects in a snapshot.
    """
    listed = list(entries)
    _clear_what_needs_cleared(listed)
    listed = sorted(listed, key=lambda entry: (entry.part, entry.is_last))
    found: list[Entry] = []
    for part in (RENAME, CLEAR, MAKE, DROP):
        mine = [entry for entry in listed if entry.part == part]
        behind = mine if part == RENAME else _behind_what_they_need(mine)
        found += reversed(behind) if part in (CLEAR, DROP) else behind
    return found


def _clear_what_needs_cleared(entries: Sequence[Entry]) -> None:
    """Have what is dropped last go first where it is about something that goes first."""
    cleared = {name for entry in entries if entry.part == CLEAR for name in _provided(entry)}
    late = [entry for entry in entries if entry.part == DROP]
    while found := [entry for entry in late if needs_of(entry) & cleared]:
        for entry in found:
            entry.part = CLEAR
            cleared.update(_provided(entry))
        late = [entry for entry in late if entry.part == DROP]


def _behind_what_they_need(entries: Sequence[Entry]) -> list[Entry]:
    by_name: dict[str, list[Entry]] = {}
    for entry in entries:
        for name in _provided(entry):
            by_name.setdefault(name, []).append(entry)
    done: dict[int, Entry] = {}
    begun: set[int] = set()

    def visit(entry: Entry) -> None:
        if id(entry) in begun:
            return  # where two need each other there is no order
        begun.add(id(entry))
        needed = [each for name in sorted(needs_of(entry)) for each in by_name.get(name, ())]
        for each in sorted(needed, key=lambda other: places[id(other)]):
            visit(each)
        done[id(entry)] = entry

    places = {id(entry): place for place, entry in enumerate(entries)}
    for entry in entries:
        visit(entry)
    return list(done.values())


def _provided(entry: Entry) -> Iterator[str]:
    """Yield the names under which others know what there is once it is done."""
    item = entry.item
    yield from _names_of(item)
    if item.kind == "column":
        yield item.parent
    elif is_key(item):
        yield f"key of {item.parent}"
    for each in entry.contents:
        if each.kind in ("column", "index"):
            yield from _names_of(each)


def is_key(item: SchemaObject) -> bool:
    """Whether a foreign key may count on it."""
    text = str(item.properties.get("definition") or item.name.removeprefix(f"{item.parent} "))
    return item.kind in ("primary key", "unique") or text.startswith("CREATE UNIQUE INDEX")


def _names_of(item: SchemaObject) -> Iterator[str]:
    name = item.name.partition("(")[0] if item.kind in _SIGNED else item.name
    yield name
    if item.own_name and item.own_name != name and "." in item.own_name:
        yield item.own_name
    if item.kind in (*_SIGNED, "table", "view", "materialized view", "column"):
        yield f"bare {bare(name)}"  # in the body of a function


def needs_of(entry: Entry) -> set[str]:
    """Return the names of what must be there before."""
    names: set[str] = set()
    for item in entry.all:
        if item.kind != "foreign key" or item is entry.item:
            names |= texts_of(item)
    if entry.item.kind in ("foreign key", "view", "materialized view"):
        names |= {f"key of {name}" for name in names}  # GROUP BY may count on one
    return names - {entry.item.name, entry.item.parent if entry.item.kind == "column" else ""}


def texts_of(item: SchemaObject) -> set[str]:
    """Return the names that an object is about."""
    told = item.properties
    names = {schema_of(item.name)}
    if item.kind == "sequence":
        return names
    if item.parent and item.kind != "column":
        names.add(item.parent)
    names.add(sequence_in(str(told.get("default"))))
    for key in ("definition", "type", "default", "generated", "inherits", "schema", "using"):
        names |= names_in(_text(told.get(key)))
    names |= names_in(_text(told.get("with check"))) | names_in(_text(told.get("made of")))
    if item.kind in _SIGNED:
        return names_in(item.name) | _names_of_function(item, names)
    if "definition" not in told and item.parent:
        names |= names_in(item.name)
    return names


def sequence_in(default: str) -> str:
    """Return the sequence of a column that nobody named, in its default; else nothing."""
    found = re.fullmatch(r"nextval\((.* sequence)\)", default, re.DOTALL)
    return found[1] if found else ""


def _names_of_function(item: SchemaObject, names: set[str]) -> set[str]:
    """Return the names in a function that the server looks for when it is made."""
    text = _text(item.properties.get("definition"))
    if "LANGUAGE sql" not in text:
        head = "\n".join(text.split("\n")[:2])
        return names_in(head) | (names_in(_text(item.properties.get("made of"))))
    return names | {f"bare {name}" for name in names if "." not in name}


def _text(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value or "")
