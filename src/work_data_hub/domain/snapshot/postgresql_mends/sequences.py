"""Sequences of PostgreSQL, with those of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.step import Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from work_data_hub.domain.snapshot.postgresql_mends.sides import Change
    from work_data_hub.domain.snapshot.schema import SchemaObject, Value

_LARGEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}
_CLAUSES = {
    "type": "AS",
    "increment": "INCREMENT",
    "minimum": "MINVALUE",
    "maximum": "MAXVALUE",
    "start": "START",
    "cache": "CACHE",
    "cycle": "CYCLE",
}
OPTIONS = tuple(_CLAUSES)
"""What a sequence counts by."""


def options_of(sequence: SchemaObject) -> list[str]:
    """Return the clauses of a new sequence; what it has anyway is left out, and its type."""
    told = sequence.properties
    is_up = int(str(told["increment"])) > 0
    largest = _LARGEST[str(told["type"])]
    least, most = (1, largest) if is_up else (-largest - 1, -1)
    usual: dict[str, Value] = {"increment": 1, "minimum": least, "maximum": most, "cache": 1}
    usual |= {"type": told["type"], "start": told["minimum" if is_up else "maximum"]}
    return list(_clauses(told, usual))


def counting(change: Change) -> Iterator[Step]:
    """Yield what has a sequence count otherwise; its value stays."""
    clauses = " ".join(_clauses(change.wanted.properties, change.found.properties))
    if clauses:
        yield Step(f"ALTER SEQUENCE {change.wanted.own_name} {clauses}")


def of(change: Change) -> Iterator[Step]:
    """Yield what gives a sequence to a column, or to none."""
    column, _ = change.pair("of")
    yield Step(f"ALTER SEQUENCE {change.wanted.own_name} OWNED BY {column or 'NONE'}")


def _clauses(wanted: Mapping[str, Value], found: Mapping[str, Value]) -> Iterator[str]:
    for name, word in _CLAUSES.items():
        value = wanted.get(name)
        if value == found.get(name):
            continue
        yield f"{word} {value}" if name != "cycle" else f"{'' if value else 'NO '}CYCLE"
