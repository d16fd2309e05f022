"""What was renamed on PostgreSQL: the statements, and everything else as it is behind them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.postgresql_mends import shared
from work_data_hub.domain.snapshot.postgresql_mends.names import path, with_names
from work_data_hub.domain.snapshot.postgresql_mends.sides import CONSTRAINTS
from work_data_hub.domain.snapshot.step import Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from work_data_hub.domain.snapshot.difference import Difference
    from work_data_hub.domain.snapshot.postgresql_mends.sides import Sides
    from work_data_hub.domain.snapshot.schema import SchemaObject, Snapshot, Value

    Key = tuple[str, str]

_NO_NAMES = ("comment", "labels", "grants", "owner", "options", "version")
_SIGNED = ("function", "procedure", "aggregate")


def can_be(difference: Difference) -> bool:
    """Whether there is a statement that renames."""
    wanted, found = difference.wanted, difference.found
    assert wanted is not None
    assert found is not None
    if wanted.kind in _SIGNED:
        return _arguments(wanted) == _arguments(found)
    return wanted.kind != "extension"


def statements(sides: Sides, wanted: SchemaObject, found: SchemaObject) -> Iterator[Step]:
    """Yield what gives an object another name, and puts it where it should be."""
    kind = wanted.kind
    new, old = wanted.own_name, found.own_name
    if kind == "column":
        relation = sides.relation(wanted.parent)
        is_type = relation is not None and relation.kind == "composite type"
        what, ending = ("ATTRIBUTE", " CASCADE") if is_type else ("COLUMN", "")
        on = "TYPE" if is_type else "TABLE"
        yield Step(f"ALTER {on} {found.parent} RENAME {what} {old} TO {new}{ending}")
    elif kind in CONSTRAINTS:
        on = "DOMAIN" if sides.is_domain(wanted.parent) else "TABLE"
        yield Step(f"ALTER {on} {wanted.parent} RENAME CONSTRAINT {old} TO {new}")
    elif kind in ("trigger", "rule", "policy"):
        yield Step(f"ALTER {kind.upper()} {old} ON {wanted.parent} RENAME TO {new}")
    elif kind == "schema":
        yield Step(f"ALTER SCHEMA {old} RENAME TO {new}")
    else:
        yield from _moved_and_renamed(wanted, found)


def _moved_and_renamed(wanted: SchemaObject, found: SchemaObject) -> Iterator[Step]:
    word = shared.word_of(wanted)
    signature = _arguments(wanted) if wanted.kind in _SIGNED else ""
    place, name = path(wanted.own_name.removesuffix(signature))
    old_place, old_name = path(found.own_name.removesuffix(signature))
    if place != old_place:
        yield Step(f"ALTER {word} {found.own_name} SET SCHEMA {place}")
    if name != old_name:
        yield Step(f"ALTER {word} {place}.{old_name}{signature} RENAME TO {name}")


def _arguments(item: SchemaObject) -> str:
    return item.name[item.name.index("(") :]


def renamed(found: Snapshot, renames: Iterable[Difference]) -> dict[Key, SchemaObject]:
    """Return every object as it is called and written behind some renames, by what it was."""
    names: dict[str, str] = {}
    columns: dict[str, dict[str, str]] = {}
    for each in renames:
        assert each.wanted is not None
        assert each.found is not None
        if each.wanted.kind == "column":
            of_table = columns.setdefault(each.found.parent, {})
            of_table[each.found.own_name] = each.wanted.own_name
        names[each.found.name] = each.wanted.name
    if not names:
        return dict(found.by_key)
    return {
        key: _item(item, {**names, **columns.get(item.parent or item.name, {})})
        for key, item in found.by_key.items()
    }


def _item(item: SchemaObject, names: Mapping[str, str]) -> SchemaObject:
    is_function = item.kind in _SIGNED  # its body stays as it was written
    properties = {
        name: value if name in _NO_NAMES or is_function else _value(value, names)
        for name, value in item.properties.items()
    }
    name = with_names(item.name, names)
    return replace(
        item,
        name=name,
        parent=with_names(item.parent, names),
        properties=properties,
        own_name=_own_name(item, name, names),
    )


def _own_name(item: SchemaObject, name: str, names: Mapping[str, str]) -> str:
    if item.name in names:
        return name if item.own_name == item.name else path(name)[-1]
    return with_names(item.own_name, names) if "." in item.own_name else item.own_name


def _value(value: Value, names: Mapping[str, str]) -> Value:
    if isinstance(value, str):
        return with_names(value, names)
    if isinstance(value, tuple):
        return tuple(with_names(text, names) for text in value)
    return value


def followers(
    moved: Mapping[Key, SchemaObject], wanted: Snapshot
) -> Iterator[tuple[Key, SchemaObject]]:
    """Yield what is called after an object that has another name now, by what it was.

    Nobody named the constraint `t_a_key`; but where its table is renamed, somebody seems to have.
    """
    done = set()
    for key, item in moved.items():
        other = wanted.by_key.get((item.kind, item.name))
        is_new = key[1] != item.name and (item.kind, item.name) not in done
        if is_new and other is not None and other.own_name != item.own_name:
            done.add((item.kind, item.name))
            yield key, other
