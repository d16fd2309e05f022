"""How two schemas differ, as a value: object by object, property by property."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from work_data_hub.domain.snapshot.schema import SchemaObject, Snapshot, Value

MISSING, EXTRA, DIFFERENT, RENAMED = "missing", "extra", "different", "renamed"


@dataclass(frozen=True)
class Difference:
    """One object that is not as it should be.

    Attributes:
        change: ``missing``, ``extra``, ``different``, or ``renamed``, which is a guess: an object
            is missing, and another that is extra is the same in everything but its name.
        wanted: as it should be; None when it is extra.
        found: as it is; None when it is missing.
        contents: what is missing or extra with it: the columns of a table.
    """

    change: str
    wanted: SchemaObject | None
    found: SchemaObject | None
    contents: tuple[SchemaObject, ...] = ()

    @property
    def object(self) -> SchemaObject:
        """The object, as it should be where it should be at all."""
        item = self.wanted or self.found
        assert item is not None  # one of the two is always there
        return item

    @property
    def properties(self) -> dict[str, tuple[Value, Value]]:
        """What is different of it: the wanted and the found value by the property's name."""
        if self.wanted is None or self.found is None:
            return {}
        wanted, found = self.wanted.properties, self.found.properties
        return {
            name: (wanted.get(name), found.get(name))
            for name in sorted({*wanted, *found})
            if wanted.get(name) != found.get(name)
        }

    def __str__(self) -> str:
        """Return it as one line for people."""
        if self.change == RENAMED and self.found is not None:
            new = self.found.shown or self.found.name
            return f"{self.object} is missing; it may have been renamed: {new}"
        if self.change != DIFFERENT:
            inside = Counter(item.kind for item in self.contents)
            words = ", ".join(_counted(kind, number) for kind, number in inside.items())
            return f"{self.object} is {self.change}{f' (with {words})' if words else ''}"
        changed = (
            f"{name} should be {_said(wanted)} and is {_said(found)}"
            for name, (wanted, found) in self.properties.items()
        )
        return f"{self.object}: {'; '.join(changed)}"


def differences(wanted: Snapshot, found: Snapshot) -> list[Difference]:
    """Compare two snapshots.

    Args:
        wanted: as the schema should be.
        found: as it is.

    Returns:
        what differs: what is missing in the order in which it can be made, then what is
        different, then what is extra.
    """
    missing = _tops([item for key, item in wanted.by_key.items() if key not in found.by_key])
    extra = _tops([item for key, item in found.by_key.items() if key not in wanted.by_key])
    renamed = _renamed(missing, extra)
    lost = [
        Difference(RENAMED, item, renamed[item.kind, item.name])
        if (item.kind, item.name) in renamed
        else Difference(MISSING, item, None, contents)
        for item, contents in missing
    ]
    changed = [
        Difference(DIFFERENT, item, found.by_key[key])
        for key, item in wanted.by_key.items()
        if key in found.by_key and item.properties != found.by_key[key].properties
    ]
    taken = {(item.kind, item.name) for item in renamed.values()}
    more = [
        Difference(EXTRA, None, item, contents)
        for item, contents in extra
        if (item.kind, item.name) not in taken
    ]
    return [*lost, *changed, *more]


def _tops(
    items: Sequence[SchemaObject],
) -> list[tuple[SchemaObject, tuple[SchemaObject, ...]]]:
    """Return what goes with nothing else of the same list, each with what goes with it."""
    names = {item.name for item in items if not item.parent}
    contents: dict[str, list[SchemaObject]] = {}
    for item in items:
        if item.parent in names:
            contents.setdefault(item.parent, []).append(item)
    return [
        (item, tuple(contents.get(item.name, ())) if not item.parent else ())
        for item in items
        if item.parent not in names
    ]


def _renamed(
    missing: Iterable[tuple[SchemaObject, tuple[SchemaObject, ...]]],
    extra: Iterable[tuple[SchemaObject, tuple[SchemaObject, ...]]],
) -> dict[tuple[str, str], SchemaObject]:
    """Return what may have been renamed to what, where nothing else it could be is in sight."""
    lost = dict(_alike(missing))
    return {
        (lost[likeness].kind, lost[likeness].name): item
        for likeness, item in _alike(extra)
        if likeness in lost
    }


def _alike(
    items: Iterable[tuple[SchemaObject, tuple[SchemaObject, ...]]],
) -> Iterator[tuple[object, SchemaObject]]:
    """Yield what an object is but for its names; what two have in common tells nothing."""
    found: dict[object, list[SchemaObject]] = {}
    for item, contents in items:
        if not item.own_name or not item.name.lower().endswith(item.own_name.lower()):
            continue  # its name is its structure
        inner = tuple(
            (part.kind, part.name.removeprefix(item.name), tuple(part.properties.items()))
            for part in contents
        )
        likeness = (item.kind, item.parent, tuple(item.properties.items()), inner)
        found.setdefault(likeness, []).append(item)
    yield from ((likeness, alike[0]) for likeness, alike in found.items() if len(alike) == 1)


def _counted(kind: str, number: int) -> str:
    if number == 1:
        return f"1 {kind}"
    endings = {"y": f"{kind[:-1]}ies", "x": f"{kind}es"}  # policies, indexes
    return f"{number} {endings.get(kind[-1], f'{kind}s')}"


def _said(value: Value) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "so" if value else "not so"
    if isinstance(value, tuple):
        return f"({', '.join(value)})"
    return str(value)
