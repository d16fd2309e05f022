"""Both schemas, as far as a statement has to look around in them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.snapshot.postgresql_mends.names import bare, literal, schema_of
from work_data_hub.domain.snapshot.postgresql_mends.order import sequence_in
from work_data_hub.domain.snapshot.schema import OWNER
from work_data_hub.domain.sql.lexer import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from work_data_hub.domain.snapshot.schema import SchemaObject, Snapshot, Value

KEYS = ("primary key", "unique", "exclude")
CONSTRAINTS = (*KEYS, "check", "foreign key")
VIEWS = ("view", "materialized view")
RELATIONS = ("table", "foreign table", *VIEWS, "composite type", "domain")


class Change(NamedTuple):
    """An object that is to be altered.

    Attributes:
        sides: what is around it.
        wanted: as it should be, called what it is called in the database.
        found: as it is.
    """

    sides: Sides
    wanted: SchemaObject
    found: SchemaObject

    def pair(self, name: str) -> tuple[Value, Value]:
        """Return what a property should be, and what it is."""
        return self.wanted.properties.get(name), self.found.properties.get(name)

    def differs(self, *names: str) -> bool:
        """Whether one of some properties is not as it should be."""
        return any(wanted != found for wanted, found in map(self.pair, names))


class Sides:
    """Both schemas: as it should be, and as it is once the renames are done."""

    def __init__(self, wanted: Snapshot, found: Snapshot) -> None:
        """Take both."""
        self.wanted = wanted
        self.found = found

    def role(self, name: str) -> str:
        """Return a role as SQL wants it: the owner of most where that is meant."""
        if name != OWNER:
            return name
        return quoted(self.found.owner) if self.found.owner else "CURRENT_USER"

    def owner_of(self, item: SchemaObject) -> str:
        """Return who owns an object, as SQL wants it."""
        if item.kind == "column":
            item = self.relation(item.parent) or item
        owner = item.properties.get("owner")
        return self.role(OWNER) if owner is None else quoted(str(owner))

    def relation(self, name: str) -> SchemaObject | None:
        """Return a relation or a domain, as it should be, else as it is."""
        return self._relations.get(name)

    def children(self, name: str) -> Sequence[SchemaObject]:
        """Return what should go with a relation."""
        return self._children.get(name, ())

    def children_found(self, name: str) -> Sequence[SchemaObject]:
        """Return what goes with a relation."""
        return self._children_found.get(name, ())

    def is_partitioned(self, name: str) -> bool:
        """Whether a table has partitions, by its key."""
        item = self._relations.get(name)
        return item is not None and "partitioned by" in item.properties

    def is_domain(self, name: str) -> bool:
        """Whether a constraint's parent is one."""
        item = self._relations.get(name)
        return item is not None and item.kind == "domain"

    def inherited(self, column: SchemaObject) -> SchemaObject | None:
        """Return the column of a parent table, which has all its children's in common."""
        table = self.wanted.by_key.get(("table", column.parent))
        for parent in _names(table, "inherits"):
            found = self.wanted.by_key.get(("column", f"{parent}.{column.own_name}"))
            if found is not None:
                return found
        return None

    def inherits(self, table: str, parent: str) -> bool:
        """Whether a table has another as its parent, and should."""
        tables = (side.by_key.get(("table", table)) for side in (self.found, self.wanted))
        return all(parent in _names(each, "inherits") for each in tables)

    def sequence_of(self, column: SchemaObject) -> SchemaObject | None:
        """Return the sequence that should be a column's own."""
        return self._sequences.get(column.name)

    def default_of(self, column: SchemaObject) -> str:
        """Return the default that a column should have, in which sequences are called by name."""
        text = str(column.properties.get("default") or "")
        sequence = sequence_in(text)
        if not sequence:
            return text
        key = ("sequence", sequence)
        item = self.found.by_key.get(key) or self.wanted.by_key[key]
        return f"nextval({literal(item.own_name)}::regclass)"

    def taken(self, item: SchemaObject) -> set[str]:
        """Return the names that a constraint or a relation beside what there is cannot have."""
        relations = self._taken.get(schema_of(item.name), set())
        inner = self.children_found(item.parent)
        return relations | {each.own_name for each in inner if each.kind in CONSTRAINTS}

    @cached_property
    def enums(self) -> frozenset[str]:
        """The names of types whose values are cast to no type but text."""
        return frozenset(each.name for each in (*self.found, *self.wanted) if each.kind == "enum")

    @cached_property
    def _taken(self) -> Mapping[str, set[str]]:
        """The names of relations by their schema; a key is one too."""
        found: dict[str, set[str]] = {}
        for each in self.found:
            if each.kind in (*RELATIONS, "index", "sequence", *KEYS):
                found.setdefault(schema_of(each.name), set()).add(bare(each.own_name))
        return found

    @cached_property
    def _relations(self) -> Mapping[str, SchemaObject]:
        both = (*self.found, *self.wanted)
        return {item.name: item for item in both if item.kind in RELATIONS}

    @cached_property
    def _children(self) -> Mapping[str, Sequence[SchemaObject]]:
        return _by_parent(self.wanted)

    @cached_property
    def _children_found(self) -> Mapping[str, Sequence[SchemaObject]]:
        return _by_parent(self.found)

    @cached_property
    def _sequences(self) -> Mapping[str, SchemaObject]:
        return {
            str(item.properties["of"]): item
            for item in self.wanted
            if item.kind == "sequence" and "of" in item.properties
        }


def _by_parent(snapshot: Snapshot) -> dict[str, list[SchemaObject]]:
    found: dict[str, list[SchemaObject]] = {}
    for item in snapshot:
        if item.parent:
            found.setdefault(item.parent, []).append(item)
    return found


def _names(item: SchemaObject | None, name: str) -> Iterator[str]:
    value = None if item is None else item.properties.get(name)
    if isinstance(value, tuple):
        yield from value
