"""How what models make differs from what migrations make, as far as models can say it at all."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.difference import differences
from work_data_hub.domain.snapshot.ignored import less, mapped, without_ignored
from work_data_hub.domain.snapshot.schema import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from work_data_hub.domain.snapshot.difference import Difference
    from work_data_hub.domain.snapshot.ignored import Rule
    from work_data_hub.domain.snapshot.schema import SchemaObject

_PARTS = frozenset(
    {"column", "primary key", "unique", "exclude", "check", "foreign key", "index", "sequence"}
)
_MADE = _PARTS | {"table", "enum", "domain"}
# What no model says; who says it by a statement of its own says it in a revision.
_UNSAID = frozenset(
    {
        *("owner", "grants", "row security", "row security forced", "replica identity"),
        *("clustered", "statistics", "storage", "compression", "access method"),
    }
)
# Of SQLite, what means the same: as SQLAlchemy reads it, too.
_TYPES = {"INT": "INTEGER", "BOOL": "BOOLEAN", "DECIMAL": "NUMERIC"}


def made_differently(
    bare: Snapshot,
    made: Snapshot,
    migrated: Snapshot,
    *,
    is_hidden: Callable[[SchemaObject], bool],
    rules: Sequence[Rule],
) -> list[Difference]:
    """Compare what models make with what migrations make of the same tables.

    What models leave to the engine is no difference: the name of what they do not name, and who
    may do what. What migrations make beside the tables of the models is none either.

    Args:
        bare: a database without what the models make.
        made: the same with it.
        migrated: what the migrations make.
        is_hidden: what is not compared, by the project's own rules of autogenerate.
        rules: what is excused.
    """
    wanted = _said(made, lambda item: item.kind in _MADE and _key(item) not in bare.by_key)
    tables = {item.name for item in wanted if not item.parent}
    found = _said(
        migrated,
        lambda item: _key(item) in wanted.by_key or (item.kind in _PARTS and item.parent in tables),
    )
    found = _with_names_of(wanted, _with_own_sequences(wanted, found))
    sides = (without_ignored(side.without(is_hidden), rules) for side in (wanted, found))
    return differences(*sides)


def _said(snapshot: Snapshot, is_meant: Callable[[SchemaObject], bool]) -> Snapshot:
    """Return what of a schema is compared, in the words of models."""
    on_sqlite = snapshot.engine == "sqlite"
    kept = Snapshot(snapshot.engine, filter(is_meant, snapshot))
    return mapped(kept, lambda item: _in_short(less(item, _UNSAID), on_sqlite=on_sqlite))


def _in_short(item: SchemaObject, *, on_sqlite: bool) -> SchemaObject:
    """Return a column with its type and its default as both engines take them."""
    if item.kind != "column":
        return item
    told = dict(item.properties)
    type_, default = str(told.get("type", "")), told.get("default")
    if on_sqlite:
        told["type"] = re.sub(r"^\w+", lambda word: _TYPES.get(word[0], word[0]), type_)
        if default and type_ and "BLOB" not in type_:
            # The type of the column makes a number or a text of it.
            told["default"] = re.sub(r"^'(0|-?[1-9]\d*)'$", r"\1", str(default))
    elif default == "now()":
        told["default"] = "CURRENT_TIMESTAMP"
    return replace(item, properties=told)


def _with_own_sequences(wanted: Snapshot, found: Snapshot) -> Snapshot:
    """Return what was found with the sequences of columns called so.

    A table that got another name has a sequence of the old one.
    """
    own = {
        item.own_name: f"{item.properties['of']} sequence"
        for item in found
        if item.kind == "sequence"
        and ("sequence", f"{item.properties.get('of')} sequence") in wanted.by_key
    }
    defaults = {
        "nextval('{}'::regclass)".format(name.replace("'", "''")): f"nextval({called})"
        for name, called in own.items()
    }

    def called(item: SchemaObject) -> SchemaObject:
        if item.kind == "sequence" and item.own_name in own:
            return replace(item, name=own[item.own_name])
        default = item.properties.get("default")
        if item.kind == "column" and default in defaults:
            return replace(item, properties={**item.properties, "default": defaults[str(default)]})
        return item

    return mapped(found, called)


def _with_names_of(wanted: Snapshot, found: Snapshot) -> Snapshot:
    """Return what was found, with what the models do not name called as they have it."""
    unnamed: dict[object, list[SchemaObject]] = {}
    for item in wanted:
        if _key(item) not in found.by_key and item.name.startswith(f"{item.parent} "):
            unnamed.setdefault(_meaning(wanted, item), []).append(item)

    def called() -> Iterator[SchemaObject]:
        for item in found:
            alike = [] if _key(item) in wanted.by_key else unnamed.get(_meaning(found, item), [])
            yield alike.pop(0) if alike else item

    return Snapshot(found.engine, called())


def _key(item: SchemaObject) -> tuple[str, str]:
    return item.kind, item.name


def _meaning(snapshot: Snapshot, item: SchemaObject) -> object:
    """Return what an object is but for its name, which may be all there is of one without any."""
    told = dict(item.properties)
    text = told.pop("definition", None)
    if text is None and snapshot.engine == "postgresql":
        text = item.name.removeprefix(f"{item.parent} ")
    return item.kind, item.parent, text, tuple(told.items())
