"""What many kinds of PostgreSQL object have in common: address, comment, owner, grants, options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.postgresql_mends.names import literal
from work_data_hub.domain.snapshot.postgresql_mends.sides import CONSTRAINTS
from work_data_hub.domain.snapshot.schema import OWNER
from work_data_hub.domain.snapshot.step import Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from work_data_hub.domain.snapshot.postgresql_mends.sides import Change, Sides
    from work_data_hub.domain.snapshot.schema import SchemaObject, Value

_WORDS = {"enum": "TYPE", "range": "TYPE", "composite type": "TYPE"}
_GRANTED_ON = {
    **_WORDS,
    "schema": "SCHEMA",
    "domain": "DOMAIN",
    "sequence": "SEQUENCE",
    "function": "FUNCTION",
    "procedure": "PROCEDURE",
    "aggregate": "FUNCTION",
}
_OPTION = " with grant option"


def word_of(item: SchemaObject) -> str:
    """Return what a kind is called in SQL."""
    return _WORDS.get(item.kind, item.kind.upper())


def address(sides: Sides, item: SchemaObject) -> str:
    """Return an object as COMMENT and DROP want it: ``INDEX public.i``."""
    if item.kind == "column":
        return f"COLUMN {item.parent}.{item.own_name}"
    if item.kind in CONSTRAINTS:
        of = "DOMAIN " if sides.is_domain(item.parent) else ""
        return f"CONSTRAINT {item.own_name} ON {of}{item.parent}"
    if item.kind in ("trigger", "rule", "policy"):
        return f"{word_of(item)} {item.own_name} ON {item.parent}"
    if item.kind == "aggregate":
        return f"AGGREGATE {aggregate_name(item)}"
    return f"{word_of(item)} {item.own_name}"


def aggregate_name(item: SchemaObject) -> str:
    """Return an aggregate with its arguments; of one without any SQL wants a star."""
    return f"{item.name[:-2]}(*)" if item.name.endswith("()") else item.name


def comment(change: Change) -> Iterator[Step]:
    """Yield what sets the comment, or takes it away."""
    text, _ = change.pair("comment")
    said = "NULL" if text is None else literal(str(text))
    yield Step(f"COMMENT ON {address(change.sides, change.wanted)} IS {said}")


def owner(change: Change) -> Iterator[Step]:
    """Yield what gives it to its owner."""
    item = change.wanted
    of = address(change.sides, item)
    yield Step(f"ALTER {of} OWNER TO {change.sides.owner_of(item)}")


def grants(change: Change) -> Iterator[Step]:
    """Yield what grants and revokes; it is done by the owner."""
    wanted, found = map(told, change.pair("grants"))
    gone = [text for text in found if text not in wanted]
    new = [text for text in wanted if text not in found]
    # A revoke of the option takes what is granted with it, so that comes first.
    for is_back, texts in ((True, gone), (False, new)):
        for (sign, role, option), privileges in _grouped(texts).items():
            yield Step(_grant(change, (sign == "+") != is_back, privileges, role, option))


def told(value: Value) -> tuple[str, ...]:
    """Return a property that is a list."""
    return value if isinstance(value, tuple) else ()


def _grouped(texts: Iterable[str]) -> dict[tuple[str, str, str], list[str]]:
    """Return the privileges by sign, role and option."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for text in texts:
        privilege, _, role = text[1:].partition(" to ")
        option = _OPTION if role.endswith(_OPTION) else ""
        key = (text[0], role.removesuffix(_OPTION), option)
        found.setdefault(key, []).append(privilege)
    return found


def _grant(change: Change, is_given: bool, names: list[str], role: str, option: str) -> str:
    item = change.wanted
    if item.kind == "column":
        what, on = ", ".join(f"{name} ({item.own_name})" for name in names), item.parent
    else:
        what, on = ", ".join(names), item.own_name
    if item.kind == "aggregate":
        on = item.name  # as of a function
    kind = _GRANTED_ON.get(item.kind, "TABLE")
    if role == OWNER:
        role = change.sides.owner_of(item)
    if is_given:
        return f"GRANT {what} ON {kind} {on} TO {role}{option.upper()}"
    return f"REVOKE {what} ON {kind} {on} FROM {role}"


def options(change: Change) -> Iterator[Step]:
    """Yield what sets storage options and takes some away."""
    of = address(change.sides, change.wanted)
    for clause in option_clauses(*change.pair("options")):
        yield Step(f"ALTER {of} {clause}")


def option_clauses(wanted: Value, found: Value) -> Iterator[str]:
    """Yield ``RESET (...)`` and ``SET (...)``."""
    new, old = _by_name(wanted), _by_name(found)
    gone = [name for name in old if name not in new]
    if gone:
        yield f"RESET ({', '.join(gone)})"
    put = [f"{name} = {literal(value)}" for name, value in new.items() if old.get(name) != value]
    if put:
        yield f"SET ({', '.join(put)})"


def _by_name(value: Value) -> dict[str, str]:
    pairs = (text.partition("=") for text in told(value))
    return {name: setting for name, _, setting in pairs}
