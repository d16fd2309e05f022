"""What is in the way of a change on PostgreSQL, and not dropped anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.postgresql_mends import constraints
from work_data_hub.domain.snapshot.postgresql_mends.order import texts_of
from work_data_hub.domain.snapshot.postgresql_mends.sides import VIEWS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from work_data_hub.domain.snapshot.schema import SchemaObject, Snapshot

    Key = tuple[str, str]

_OF_A_COLUMN = ("trigger", "policy", "rule")
_MAY_CALL = ("check", "exclude", "index")
_GO_WITH_A_COLUMN = ("index", "primary key", "unique", "check", "exclude", "statistics")


class Way:
    """A schema, in which something is looked for by the names in its text."""

    def __init__(self, found: Snapshot, cleared: Collection[tuple[str, str]]) -> None:
        """Take the schema, and the kinds and names of what is dropped anyway."""
        self._found = found
        self._cleared = cleared
        self._names: dict[tuple[str, str], set[str]] = {}

    def of_key(self, key: SchemaObject) -> Iterator[SchemaObject]:
        """Yield the foreign keys that need a key."""
        target = constraints.as_target(key)
        for item in self._found:
            is_about = item.kind == "foreign key" and constraints.target_of(item) == target
            if is_about and not self._is_cleared(item):
                yield item

    def of_column(self, column: SchemaObject, *, is_remade: bool) -> Iterator[SchemaObject]:
        """Yield what is about a column, and what keeps it from being altered or added again."""
        kinds = (*_OF_A_COLUMN, *_GO_WITH_A_COLUMN) if is_remade else _OF_A_COLUMN
        yield from self._generated_of(column)
        for item in self._found:
            if item.kind not in (*VIEWS, *kinds) or self._is_cleared(item):
                continue
            names = self._names_in(item)
            is_elsewhere = item.kind not in VIEWS and item.parent != column.parent
            if column.parent not in names or is_elsewhere:
                continue
            text = str(item.properties.get("definition", ""))
            if column.own_name in names or ".*" in text:
                yield item
                if item.kind in VIEWS:
                    yield from self.of_name(item.name)

    def _generated_of(self, column: SchemaObject) -> Iterator[SchemaObject]:
        """Yield the columns that are made of a column, and what is about them."""
        for item in self._found:
            is_made_of = item.parent == column.parent and "generated" in item.properties
            if is_made_of and column.own_name in self._names_in(item) and item.name != column.name:
                yield item
                yield from self.of_column(item, is_remade=True)

    def of_name(self, name: str) -> Iterator[SchemaObject]:
        """Yield what a relation or a function is in the text of, and so on."""
        kinds = (*VIEWS, *_OF_A_COLUMN, *_MAY_CALL)
        for item in self._found:
            if item.kind not in kinds or item.name == name or self._is_cleared(item):
                continue
            if item.kind not in VIEWS and item.parent == name:
                continue  # it goes with it
            if name in self._names_in(item):
                yield item
                if item.kind in VIEWS:
                    yield from self.of_name(item.name)

    def _names_in(self, item: SchemaObject) -> set[str]:
        key = (item.kind, item.name)
        if key not in self._names:
            self._names[key] = texts_of(item)
        return self._names[key]

    def _is_cleared(self, item: SchemaObject) -> bool:
        return (item.kind, item.name) in self._cleared


def in_order(items: Mapping[Key, SchemaObject]) -> list[SchemaObject]:
    """Return objects, each behind what its text is about."""
    done: dict[Key, SchemaObject] = {}
    begun: set[Key] = set()

    def visit(key: Key, item: SchemaObject) -> None:
        if key in begun:
            return
        begun.add(key)
        names = texts_of(item)
        for other_key, other in items.items():
            if other.name in names:
                visit(other_key, other)
        done[key] = item

    for key, item in sorted(items.items(), key=lambda pair: pair[0][0] != "column"):
        visit(key, item)
    return list(done.values())
