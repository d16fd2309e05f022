"""Constraints of PostgreSQL's tables and domains, in the form that does not block a table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.postgresql_mends import shared
from work_data_hub.domain.snapshot.postgresql_mends.names import bare, free_name, schema_of
from work_data_hub.domain.snapshot.step import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.domain.snapshot.postgresql_mends.sides import Change, Sides
    from work_data_hub.domain.snapshot.schema import SchemaObject

_COLUMNS = r'(?:"(?:[^"]|"")*"|[^()"])*'
_KEY = (
    rf"(?P<kind>PRIMARY KEY|UNIQUE)(?P<nulls> NULLS NOT DISTINCT)? \((?P<columns>{_COLUMNS})\)"
    rf"(?P<include> INCLUDE \({_COLUMNS}\))?(?P<ending>(?: DEFERRABLE)?(?: INITIALLY DEFERRED)?)"
)
_FAILS = "a row that breaks it makes it fail"


def definition_of(item: SchemaObject) -> str:
    """Return what a constraint says, without its name."""
    told = item.properties.get("definition")
    return str(told) if told is not None else item.name.removeprefix(f"{item.parent} ")


def target_of(foreign_key: SchemaObject) -> str:
    """Return the table and the columns that a foreign key references: ``public.t(id)``."""
    found = re.search(rf" REFERENCES (.*?\({_COLUMNS}\))", definition_of(foreign_key), re.DOTALL)
    return found[1] if found else ""


def as_target(key: SchemaObject) -> str:
    """Return a key as a foreign key that needs it writes it."""
    text = definition_of(key)
    index = rf"CREATE UNIQUE INDEX .*? USING btree \((?P<columns>{_COLUMNS})\)"
    found = re.match(_KEY, text, re.DOTALL) or re.match(index, text, re.DOTALL)
    return f"{key.parent}({found['columns']})" if found else ""


def made(sides: Sides, item: SchemaObject, *, is_new: bool) -> Iterator[Step]:
    """Yield what adds a constraint.

    Args:
        sides: what is around it.
        item: the constraint.
        is_new: its table has no rows.
    """
    text = definition_of(item)
    table = f"{_alter(sides, item)} ADD CONSTRAINT {item.own_name}"
    key = re.fullmatch(_KEY, text, re.DOTALL)
    if item.properties.get("not valid"):
        yield Step(f"{table} {text} NOT VALID")
    elif is_new or sides.is_partitioned(item.parent) or "NOT ENFORCED" in text:
        yield Step(f"{table} {text}")
    elif item.kind in ("check", "foreign key"):
        yield Step(f"{table} {text} NOT VALID", is_alone=True, note=_FAILS)
        yield validated(sides, item)
    elif key is None:
        yield Step(f"{table} {text}", note=f"nobody writes to the table meanwhile; {_FAILS}")
    else:
        yield Step(
            f"CREATE UNIQUE INDEX CONCURRENTLY {item.own_name} ON {item.parent}"
            f" ({key['columns']}){key['include'] or ''}{key['nulls'] or ''}",
            is_alone=True,
            note=f"{_FAILS} and leaves an invalid index, to be dropped",
        )
        kind, ending = key["kind"], key["ending"]
        yield Step(f"{table} {kind} USING INDEX {item.own_name}{ending}", is_alone=True)


def free(sides: Sides, item: SchemaObject) -> str:
    """Return what a missing constraint is called: where nobody named it, as nothing else is."""
    is_named = "definition" in item.properties
    return item.own_name if is_named else free_name(item.own_name, sides.taken(item))


def validated(sides: Sides, item: SchemaObject) -> Step:
    """Return what looks whether the rows that are there keep to it."""
    return Step(f"{_alter(sides, item)} VALIDATE CONSTRAINT {item.own_name}", is_alone=True)


def dropped(sides: Sides, item: SchemaObject) -> Step:
    """Return what drops a constraint."""
    return Step(f"{_alter(sides, item)} DROP CONSTRAINT {item.own_name}")


def is_remade(change: Change) -> bool:
    """Whether a constraint can only be dropped and added again."""
    made_not_valid = change.pair("not valid") == (True, None)
    enforced = change.pair("not enforced by triggers") == (None, True)
    return change.differs("definition") or made_not_valid or enforced


def not_valid(change: Change) -> Iterator[Step]:
    """Yield what validates it."""
    yield validated(change.sides, change.wanted)._replace(note=_FAILS)


def not_enforced(change: Change) -> Iterator[Step]:
    """Say that nobody should want this."""
    how = f"ALTER TABLE {change.wanted.parent} DISABLE TRIGGER ALL"
    yield Step(note=f"only a superuser can have it not enforced, with all triggers: {how}")


def invalid(change: Change) -> Iterator[Step]:
    """Yield what builds the index again that is behind it."""
    item = change.wanted
    if item.properties.get("invalid"):
        yield Step(note="its index should be invalid, which no statement makes it")
        return
    index = f"{schema_of(item.parent)}.{item.own_name}"
    if item.kind == "exclude":
        yield Step(f"REINDEX INDEX {index}", note="nobody writes to the table meanwhile")
    else:
        yield Step(f"REINDEX INDEX CONCURRENTLY {index}", is_alone=True, note=_FAILS)


def clustered(change: Change) -> Iterator[Step]:
    """Yield what says by which index a table is clustered."""
    item = change.wanted
    others = change.sides.children(item.parent)
    if item.properties.get("clustered"):
        yield Step(f"ALTER TABLE {item.parent} CLUSTER ON {bare(item.own_name)}")
    elif not any(other.properties.get("clustered") for other in others):
        yield Step(f"ALTER TABLE {item.parent} SET WITHOUT CLUSTER")


def replica_identity(change: Change) -> Iterator[Step]:
    """Yield what has the rows of a table known by an index; another way is the table's matter."""
    item = change.wanted
    if item.properties.get("replica identity"):
        name = bare(item.own_name)
        yield Step(f"ALTER TABLE {item.parent} REPLICA IDENTITY USING INDEX {name}")


def _alter(sides: Sides, item: SchemaObject) -> str:
    return f"ALTER {'DOMAIN' if sides.is_domain(item.parent) else 'TABLE'} {item.parent}"


PROPERTIES = {
    "not valid": not_valid,
    "not enforced by triggers": not_enforced,
    "invalid": invalid,
    "clustered": clustered,
    "replica identity": replica_identity,
    "comment": shared.comment,
}
"""What alters them."""
