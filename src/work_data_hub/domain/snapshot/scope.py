"""What of two schemas is compared: what migrations are about, and no rule leaves out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.snapshot.difference import Difference, differences
from work_data_hub.domain.snapshot.ignored import (
    DECIDED_ELSEWHERE,
    DEFAULT_SCHEMA,
    NOT_POPULATED,
    Rule,
    less,
    mapped,
    without_ignored,
)
from work_data_hub.domain.snapshot.schema import OWNER
from work_data_hub.domain.sql.lexer import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from work_data_hub.domain.snapshot.schema import SchemaObject, Snapshot
_VIEWS = ("view", "materialized view")


class Ignored(NamedTuple):
    """A difference that does not count, and the rule that says so."""

    difference: Difference
    rule: Rule


class Compared(NamedTuple):
    """Two schemas, as far as they are compared.

    Attributes:
        wanted: as it should be.
        found: as it is.
        ignored: what differs and is left out by a rule.
        left_out: what is not compared, and why, a line for each.
    """

    wanted: Snapshot
    found: Snapshot
    ignored: tuple[Ignored, ...]
    left_out: tuple[str, ...]


def in_scope(
    wanted: Snapshot,
    found: Snapshot,
    rules: Sequence[Rule],
    default_schema: str = DEFAULT_SCHEMA,
) -> Compared:
    """Return what of two schemas is compared.

    Left out are schemas of PostgreSQL that no revision makes or uses, owners, grants and CLUSTER
    where no revision decides on any, that a materialized view was filled, and what a rule covers.

    Args:
        wanted: as it should be.
        found: as it is.
        rules: of the project.
        default_schema: of a PostgreSQL database: where a name without a schema is.
    """
    wanted = _given_to_others(_filled(wanted, found), found.owner)
    strangers = _schemas(found) - _schemas(wanted)
    # Every database has it, whether or not anybody uses it.
    uses_public = any(item.name.startswith(f"{DEFAULT_SCHEMA}.") for item in wanted)
    has_public = any(item.name.startswith(f"{DEFAULT_SCHEMA}.") for item in found)
    if default_schema not in ("", DEFAULT_SCHEMA) and has_public and not uses_public:
        strangers.add(DEFAULT_SCHEMA)
    ours = found.without(lambda item: item.kind == "schema" and item.name in strangers)
    ours = ours.without(lambda item: any(item.name.startswith(f"{each}.") for each in strangers))
    undecided = [
        name
        for name in DECIDED_ELSEWHERE
        if not any(name in item.properties for item in wanted)
        and any(name in item.properties for item in ours)
    ]
    ours = mapped(ours, lambda item: less(item, undecided))
    left_out = [f"schema {name}: no revision makes it" for name in sorted(strangers)]
    left_out += [f"{name}: no revision decides on any" for name in undecided]
    kept = without_ignored(wanted, rules), without_ignored(ours, rules)
    return Compared(*kept, tuple(_ignored(wanted, ours, rules)), tuple(left_out))


def other_views(wanted: Snapshot, found: Snapshot) -> dict[str, str]:
    """Return the texts of views that are written otherwise than they should be, by name.

    Those of SQLite are not texts: what was typed was taken apart.
    """
    return {
        item.name: str(item.properties["definition"])
        for key, item in found.by_key.items()
        if item.kind in _VIEWS
        and key in wanted.by_key
        and item.properties.get("definition") != wanted.by_key[key].properties.get("definition")
    }


def with_views(snapshot: Snapshot, texts: Mapping[str, str]) -> Snapshot:
    """Return a schema in which views have other texts."""

    def written(item: SchemaObject) -> SchemaObject:
        if item.kind not in _VIEWS or item.name not in texts:
            return item
        return replace(item, properties={**item.properties, "definition": texts[item.name]})

    return mapped(snapshot, written)


def _filled(wanted: Snapshot, found: Snapshot) -> Snapshot:
    """Return what is wanted, with the data that materialized views have."""
    has_data = {
        item.name
        for item in found
        if item.kind == "materialized view" and NOT_POPULATED not in item.properties
    }
    return mapped(
        wanted, lambda item: less(item, [NOT_POPULATED]) if item.name in has_data else item
    )


def _given_to_others(wanted: Snapshot, owner: str) -> Snapshot:
    """Return what is wanted, without what is granted to who owns the schema that was found.

    Whoever owns it has it anyway; what is wanted was made by somebody else.
    """
    names = owner, quoted(owner)  # SQL has quotes where a name needs them
    own = tuple(f" to {name}{more}" for name in names for more in ("", " with grant option"))

    def without_owner(item: SchemaObject) -> SchemaObject:
        told = dict(item.properties)
        if item.kind == "policy":
            roles = told.get("to")
            assert isinstance(roles, tuple)
            told["to"] = tuple(OWNER if role in names else role for role in roles)
        if isinstance(grants := told.get("grants"), tuple):
            told["grants"] = tuple(each for each in grants if not each.endswith(own))
        return replace(item, properties=told)

    return mapped(wanted, without_owner) if owner else wanted


def _schemas(snapshot: Snapshot) -> set[str]:
    return {item.name for item in snapshot if item.kind == "schema"}


def _ignored(wanted: Snapshot, found: Snapshot, rules: Sequence[Rule]) -> Iterator[Ignored]:
    """Yield what differs and the rules leave out, each with the first rule that does."""
    whole = [rule for rule in rules if not rule.property]
    owned = {
        item.name: rule
        for item in (*wanted, *found)
        for rule in reversed(whole)
        if rule.covers(item)
    }
    for difference in differences(wanted, found):
        items = [item for item in (difference.wanted, difference.found) if item is not None]
        owner = next(
            (owned[key] for each in items for key in (each.name, each.parent) if key in owned), None
        )
        if owner is not None:
            yield Ignored(difference, owner)
            continue
        for rule in rules:
            if rule.property in difference.properties and any(map(rule.covers, items)):
                yield Ignored(_only(difference, rule.property), rule)


def _only(difference: Difference, name: str) -> Difference:
    """Return what differs in one property."""
    assert difference.wanted is not None
    assert difference.found is not None
    others = difference.properties.keys() - {name}
    wanted, found = (less(each, others) for each in (difference.wanted, difference.found))
    return replace(difference, wanted=wanted, found=found)
