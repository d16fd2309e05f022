"""A schema as a value: its objects with their properties, in no order."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Value = str | int | bool | tuple[str, ...] | None

OWNER = "(owner)"
"""Who owns most: whoever restores a database is that, and it is no difference."""
FORMAT = 1
"""Of a snapshot. Fingerprints of two formats say nothing about each other."""
KINDS = frozenset(
    {
        *("schema", "extension", "enum", "domain", "range", "composite type", "sequence"),
        *("table", "foreign table", "virtual table", "view", "materialized view", "column"),
        *("primary key", "unique", "exclude", "check", "foreign key", "index", "statistics"),
        *("function", "procedure", "aggregate", "trigger", "rule", "policy"),
    }
)
"""Of the objects of a schema."""
_SAID_BY_ABSENCE: tuple[Any, ...] = (None, False, "", ())


@dataclass(frozen=True)
class SchemaObject:
    """One object of a schema: a table, a column, an index, a grant's holder.

    Attributes:
        kind: in words: ``table``, ``column``, ``foreign key``.
        name: as it is written in SQL, with its schema and its table: ``public.orders.id``. What
            nobody gave a name has its structure instead: ``public.orders unique (a, b)``.
        properties: what it is, by name. What is not there and what is empty are the same, so
            that a property that is new in the catalogue of an engine changes nothing.
        parent: the name of the relation that it goes with.
        own_name: what it is called in the database, to drop it by; not compared.
        made_by: a statement that makes it, or for a column its line; not compared.
        shown: the name as it was written, where ``name`` is without the case that an engine
            does not look at; not compared.
        columns: of a view on PostgreSQL, with their types and in their order; not compared.
    """

    kind: str
    name: str
    properties: Mapping[str, Value]
    parent: str = ""
    own_name: str = ""
    made_by: str = ""
    shown: str = ""
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        told = {
            name: value
            for name, value in sorted(self.properties.items())
            if value not in _SAID_BY_ABSENCE or (value == 0 and value is not False)
        }
        object.__setattr__(self, "properties", MappingProxyType(told))

    def __str__(self) -> str:
        """Return it as people say it: ``column public.orders.id``."""
        return f"{self.kind} {self.shown or self.name}"


class Snapshot:
    """Every object of a schema; equal schemas are equal snapshots, whatever made them."""

    def __init__(self, engine: str, objects: Iterable[SchemaObject], owner: str = "") -> None:
        """Take the objects, in the order in which they can be made.

        Args:
            engine: ``postgresql`` or ``sqlite``.
            objects: of one kind and name there may be several only where nobody named them.
            owner: who ``(owner)`` is, where owners are known; not compared.
        """
        self.engine = engine
        self.owner = owner
        self._objects: dict[tuple[str, str], SchemaObject] = {}
        for item in objects:
            key, again = (item.kind, item.name), 2
            while key in self._objects:  # the same constraint twice
                key, again = (item.kind, f"{item.name} ({again})"), again + 1
            self._objects[key] = item

    def __iter__(self) -> Iterator[SchemaObject]:
        """Go through the objects, in the order in which they can be made."""
        return iter(self._objects.values())

    def __len__(self) -> int:
        """How many objects there are."""
        return len(self._objects)

    def __eq__(self, other: object) -> bool:
        """Whether nothing that is compared differs."""
        if not isinstance(other, Snapshot):
            return NotImplemented
        return self._compared() == other._compared()

    __hash__ = None  # type: ignore[assignment]

    @property
    def by_key(self) -> Mapping[tuple[str, str], SchemaObject]:
        """The objects by kind and name."""
        return MappingProxyType(self._objects)

    def without(self, ignored: Callable[[SchemaObject], bool]) -> Snapshot:
        """Return it without some objects and what goes with them."""
        gone = {item.name for item in self if ignored(item)}
        kept = (item for item in self if item.parent not in gone and not ignored(item))
        return Snapshot(self.engine, kept, self.owner)

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data, for a cache and for programs."""
        return {
            "format": FORMAT,
            "engine": self.engine,
            "owner": self.owner,
            "objects": [
                {
                    "kind": item.kind,
                    "name": item.name,
                    "properties": dict(item.properties),
                    "parent": item.parent,
                    "own_name": item.own_name,
                    "made_by": item.made_by,
                    "shown": item.shown,
                    "columns": item.columns,
                }
                for item in self
            ],
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Snapshot:
        """Return what ``as_data`` was made of.

        Raises:
            ValueError: it is of another format.
        """
        if data.get("format") != FORMAT:
            raise ValueError(f"a snapshot of format {data.get('format')}, not {FORMAT}")
        return cls(
            data["engine"],
            (
                SchemaObject(
                    **{
                        **item,
                        "properties": _with_tuples(item["properties"]),
                        "columns": tuple(item.get("columns", ())),  # a cache may be older
                    }
                )
                for item in data["objects"]
            ),
            data.get("owner", ""),
        )

    def _compared(self) -> list[Any]:
        return sorted(
            [*key, [[name, _plain(value)] for name, value in item.properties.items()]]
            for key, item in self._objects.items()
        )


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _with_tuples(properties: Mapping[str, Any]) -> dict[str, Value]:
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in properties.items()
    }
