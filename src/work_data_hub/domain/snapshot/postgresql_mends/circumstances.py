"""What is known of two PostgreSQL schemas before anything is done about a difference."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.difference import (
    DIFFERENT,
    EXTRA,
    MISSING,
    RENAMED,
    differences,
)
from work_data_hub.domain.snapshot.postgresql_mends import constraints, objects, renaming
from work_data_hub.domain.snapshot.postgresql_mends.names import schema_of
from work_data_hub.domain.snapshot.postgresql_mends.sides import (
    CONSTRAINTS,
    KEYS,
    RELATIONS,
    VIEWS,
    Sides,
)
from work_data_hub.domain.snapshot.schema import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from work_data_hub.domain.snapshot.difference import Difference
    from work_data_hub.domain.snapshot.schema import SchemaObject

CLEARED = (*CONSTRAINTS, *VIEWS, "index", "trigger", "rule", "policy", "statistics")
"""Kinds of which one too many goes before anything is made: it may be in the way."""
_OF_ONE_NAME = (*RELATIONS, *KEYS, "index", "sequence", "enum", "range")
"""Kinds of which no two have one name."""


class Circumstances:
    """Two schemas, what is called otherwise, and what comes or goes with something else.

    Attributes:
        differences: of both.
        found: as it is.
        sides: both, once the renames are done.
        before: what was found, as it is called when it is renamed itself.
        moved: what was found, as it is once the renames are done, by its kind and name.
        followers: what is called after a renamed object, by kind and name: as it should be.
        extra: what is too many, once the renames are done.
        missing: what is missing, by what it is to be called.
    """

    def __init__(self, wanted: Snapshot, found: Snapshot) -> None:
        """Find out, of the schema as it should be and as it is."""
        self.differences = differences(wanted, found)
        renames = [each for each in self.differences if is_renamed(each)]
        self.moved = renaming.renamed(found, renames)
        self.followers = dict(renaming.followers(self.moved, wanted))
        self.before = renaming.renamed(found, [x for x in renames if x.object.kind == "schema"])
        self.before |= {key: self.moved[key] for key in self.followers}
        self.moved |= {
            key: replace(self.moved[key], own_name=other.own_name)
            for key, other in self.followers.items()
        }
        self.found = found
        self.sides = Sides(wanted, Snapshot("postgresql", self.moved.values(), found.owner))
        self.extra = [
            self.now(each.found)
            for each in self.differences
            if each.change == EXTRA and each.found is not None
        ]
        self.missing = {
            each.object.own_name: each.object
            for each in self.differences
            if each.wanted is not None and each.change not in (DIFFERENT, RENAMED)
        }

    def now(self, item: SchemaObject) -> SchemaObject:
        """Return what was found as it is once the renames are done."""
        moved = self.moved[item.kind, item.name]
        return item if moved.name == item.name else moved  # of two that are equal, this one

    def is_in_the_place(self, extra: Difference) -> bool:
        """Whether something that is missing is to be called as what is too many."""
        return bool(_places([extra]) & self._wanted_places)

    @cached_property
    def _wanted_places(self) -> frozenset[str]:
        return _places([each for each in self.differences if each.change == MISSING])

    def has_a_successor(self, function: SchemaObject) -> bool:
        """Whether one with other names of arguments takes its place."""
        name = function.name.partition("(")[0]
        return any(
            each.kind in objects.FUNCTIONS and each.name.partition("(")[0] == name
            for each in self.missing.values()
        )

    def is_renamed_with_parent(self, column: SchemaObject) -> bool:
        """Whether a column gets its name with that of the table that it is inherited from."""
        parent = self.sides.inherited(column)
        return (
            parent is not None
            and self.sides.inherits(column.parent, parent.parent)
            and ("column", parent.name) not in self.found.by_key
            and ("column", parent.name) in self.sides.found.by_key
        )

    @cached_property
    def free_sides(self) -> Sides:
        """Return the sides without what is gone before anything is made."""
        gone = {(item.kind, item.name) for item in self.extra if item.kind in CLEARED}
        left = (item for key, item in self.sides.found.by_key.items() if key not in gone)
        return Sides(self.sides.wanted, Snapshot("postgresql", left, self.found.owner))

    def there_is(self, difference: Difference) -> SchemaObject | None:
        """Return what is there of an object that should be, whatever it was called."""
        wanted = difference.object
        key = (wanted.kind, wanted.name)
        is_one_more = difference.change == MISSING and key in self.found.by_key
        return None if is_one_more else self.sides.found.by_key.get(key) or self._adopted(wanted)

    def _adopted(self, wanted: SchemaObject) -> SchemaObject | None:
        """Return the sequence that is there under the name, and another column's or nobody's."""
        if wanted.kind != "sequence":
            return None
        sequences = (each for each in self.extra if each.kind == "sequence")
        return next((each for each in sequences if each.own_name == wanted.own_name), None)

    def is_taken_over(self, item: SchemaObject) -> bool:
        """Whether a sequence stays, and becomes another column's or nobody's."""
        other = self.missing.get(item.own_name)
        return (
            other is not None
            and other.kind == "sequence"
            and not objects.is_identity(self.sides, other)
        )

    def goes_with_column(self, sequence: SchemaObject) -> bool:
        """Whether a sequence goes with its column, or with what gives that its values."""
        key = ("column", str(sequence.properties.get("of")))
        wanted, found = self.sides.wanted.by_key.get(key), self.sides.found.by_key.get(key)
        if found is None:
            return False
        return wanted is None or ("identity" in wanted.properties) != (
            "identity" in found.properties
        )

    def comes_with_parent(self, column: SchemaObject) -> bool:
        """Whether a missing column is added to the table that it is inherited from."""
        parent = self.sides.inherited(column)
        if parent is None or ("column", parent.name) in self.sides.found.by_key:
            return False
        return self.sides.inherits(column.parent, parent.parent)

    def goes_with_parent(self, column: SchemaObject) -> bool:
        """Whether a column too many is dropped of the table that it is inherited from."""
        return any(
            each.kind == "column"
            and each.own_name == column.own_name
            and self.sides.inherits(column.parent, each.parent)
            for each in self.extra
        )

    @cached_property
    def attached(self) -> frozenset[str]:
        """The tables that become partitions, and those that they become partitions of."""
        names: set[str] = set()
        for each in self.differences:
            wanted, _ = each.properties.get("inherits", (None, None))
            if isinstance(wanted, tuple) and "bound" in each.object.properties:
                names |= {each.object.name, *wanted}
        return frozenset(names)

    def is_left_by_detaching(self, item: SchemaObject) -> bool:
        """Whether a partition has an index or a key of its own once it is none."""
        # A column of both may be renamed, or of the partitioned table only.
        return any(
            _is_of_parent(item, attached, self.sides.wanted)
            for attached in (self.found, self.sides.found)
        )

    def is_taken_by_attaching(self, item: SchemaObject) -> bool:
        """Whether an index or a key becomes part of that of the partitioned table."""
        return _is_of_parent(item, self.sides.wanted, self.sides.found)


def is_renamed(difference: Difference) -> bool:
    """Whether a difference is ended by another name."""
    return difference.change == RENAMED and renaming.can_be(difference)


def _is_of_parent(item: SchemaObject, attached: Snapshot, apart: Snapshot) -> bool:
    """Whether an index or a key is a partition's only while that is for itself."""
    if item.kind not in ("index", *CONSTRAINTS):
        return False
    table, other = (each.by_key.get(("table", item.parent)) for each in (attached, apart))
    if (
        table is None
        or other is None
        or "bound" not in table.properties
        or (other.properties.get("inherits") == table.properties.get("inherits"))
    ):
        return False
    mine = _without_table(item, item.parent)
    parents = table.properties["inherits"]
    assert isinstance(parents, tuple)
    return any(
        each.kind == item.kind
        and (each.kind != "check" or each.own_name == item.own_name)
        and each.parent in parents
        and _without_table(each, each.parent) == mine
        for each in attached
    )


def _without_table(item: SchemaObject, table: str) -> str:
    text = constraints.definition_of(item).replace(" ON ONLY ", " ON ", 1)
    return text.replace(f" ON {table} ", " ON ", 1)


def _places(differences: Iterable[Difference]) -> frozenset[str]:
    """Return what objects are called that share their names; a key is called as its index is."""
    items = [item for each in differences for item in (each.object, *each.contents)]
    return frozenset(
        f"{schema_of(item.parent)}.{item.own_name}" if item.kind in KEYS else item.own_name
        for item in items
        if item.kind in _OF_ONE_NAME
    )
