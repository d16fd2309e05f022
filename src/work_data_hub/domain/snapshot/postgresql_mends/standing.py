"""What of a PostgreSQL schema stands for itself: schemas, extensions, types, functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.postgresql_mends import sequences, shared, tables
from work_data_hub.domain.snapshot.postgresql_mends.names import literal
from work_data_hub.domain.snapshot.step import Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from work_data_hub.domain.snapshot.postgresql_mends.sides import Change
    from work_data_hub.domain.snapshot.schema import SchemaObject


def extension_schema(change: Change) -> Iterator[Step]:
    """Yield what moves an extension."""
    place, _ = change.pair("schema")
    yield Step(f"ALTER EXTENSION {change.wanted.own_name} SET SCHEMA {place}")


def extension_version(change: Change) -> Iterator[Step]:
    """Yield what gives an extension another version."""
    version, _ = change.pair("version")
    note = "the server has to have the files of that version"
    yield Step(
        f"ALTER EXTENSION {change.wanted.own_name} UPDATE TO {literal(str(version))}", note=note
    )


def extension(item: SchemaObject) -> Step:
    """Return what makes an extension."""
    told = item.properties
    version = literal(str(told["version"]))
    note = "the server has to have the files of that version"
    return Step(
        f"CREATE EXTENSION {item.own_name} WITH SCHEMA {told['schema']} VERSION {version}",
        note=note,
    )


def labels(change: Change) -> Iterator[Step]:
    """Yield what adds labels to an enum: none can be taken away, nor change places."""
    wanted, found = map(shared.told, change.pair("labels"))
    if [label for label in wanted if label in found] != list(found):
        note = (
            "an enum keeps its labels and their order: rename one (ALTER TYPE ... RENAME VALUE),"
            " or make another type and give it to the columns"
        )
        yield Step(note=note)
        return
    yield from _added(change.wanted.own_name, wanted, found)


def _added(name: str, wanted: Sequence[str], found: Sequence[str]) -> Iterator[Step]:
    for position, label in enumerate(wanted):
        if label in found:
            continue
        behind = [each for each in wanted[position:] if each in found]
        place = f" BEFORE {literal(behind[0])}" if behind else ""
        yield Step(f"ALTER TYPE {name} ADD VALUE {literal(label)}{place}", is_alone=True)


def domain_default(change: Change) -> Iterator[Step]:
    """Yield what sets or drops the default of a domain."""
    text, _ = change.pair("default")
    ending = "DROP DEFAULT" if text is None else f"SET DEFAULT {text}"
    yield Step(f"ALTER DOMAIN {change.wanted.own_name} {ending}")


def domain_not_null(change: Change) -> Iterator[Step]:
    """Yield what forbids NULL in a domain, or does not."""
    is_set = bool(change.wanted.properties.get("not null"))
    note = "a NULL makes it fail" if is_set else ""
    verb = "SET" if is_set else "DROP"
    yield Step(f"ALTER DOMAIN {change.wanted.own_name} {verb} NOT NULL", note=note)


def another_type(change: Change) -> Iterator[Step]:
    """Say that there is no way."""
    what = f"what a {change.wanted.kind} is made of stays"
    yield Step(note=f"{what}: make another, give it to the columns, and drop this one")


def is_other_function(change: Change) -> bool:
    """Whether another cannot be put in the place of a function: its head is another.

    What it returns, and the names and defaults of its arguments, are in the first two lines that
    the server writes.
    """
    wanted, found = (str(text or "").split("\n")[:2] for text in change.pair("definition"))
    return wanted != found


def function(change: Change) -> Iterator[Step]:
    """Yield what puts another function in the place of one."""
    yield Step(str(change.wanted.properties["definition"]).rstrip())


def aggregate(item: SchemaObject, *, is_replaced: bool = False) -> Step:
    """Return what makes an aggregate."""
    made_of = shared.told(item.properties.get("made of"))
    step, kind, start, final, combine = made_of
    clauses = [f"SFUNC = {_function_name(step)}", f"STYPE = {kind}"]
    clauses += [f"INITCOND = {literal(start)}"] if start else []
    clauses += [f"FINALFUNC = {_function_name(final)}"] if final not in ("", "-") else []
    clauses += [f"COMBINEFUNC = {_function_name(combine)}"] if combine not in ("", "-") else []
    verb = "CREATE OR REPLACE" if is_replaced else "CREATE"
    name = shared.aggregate_name(item)
    note = "without the clauses that are not compared, such as PARALLEL"
    return Step(f"{verb} AGGREGATE {name} ({', '.join(clauses)})", note=note)


def _function_name(signature: str) -> str:
    """Return a function without its arguments."""
    return signature[: signature.rindex("(")]


def made_of(change: Change) -> Iterator[Step]:
    """Yield what puts another aggregate in the place of one."""
    yield aggregate(change.wanted, is_replaced=True)


def counting(change: Change) -> Iterator[Step]:
    """Yield what has a sequence count otherwise."""
    yield from sequences.counting(change)


def sequence_owner(change: Change) -> Iterator[Step]:
    """Yield what gives a sequence to its owner; one of a column has that of the table."""
    if "of" not in change.wanted.properties:
        yield from shared.owner(change)


_OWNED = {"owner": shared.owner, "comment": shared.comment, "grants": shared.grants}
PROPERTIES = {
    "schema": _OWNED,
    "extension": {
        "schema": extension_schema,
        "version": extension_version,
        "comment": shared.comment,
    },
    "enum": {"labels": labels, **_OWNED},
    "domain": {
        "type": another_type,
        "default": domain_default,
        "not null": domain_not_null,
        **_OWNED,
    },
    "range": {"of": another_type, **_OWNED},
    "composite type": _OWNED,
    "sequence": {
        **dict.fromkeys(sequences.OPTIONS, counting),
        "unlogged": tables.unlogged,
        "of": sequences.of,
        **_OWNED,
        "owner": sequence_owner,
    },
    "function": {"definition": function, **_OWNED},
    "procedure": {"definition": function, **_OWNED},
    "aggregate": {"made of": made_of, **_OWNED},
}
"""What alters them, by kind."""
