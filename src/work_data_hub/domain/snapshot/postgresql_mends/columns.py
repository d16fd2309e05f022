"""Columns of PostgreSQL's tables, views and composite types: added, altered, dropped."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.postgresql_mends import shared
from work_data_hub.domain.snapshot.postgresql_mends.names import bare, free_name, literal
from work_data_hub.domain.snapshot.postgresql_mends.sequences import options_of
from work_data_hub.domain.snapshot.postgresql_mends.sides import VIEWS, Change
from work_data_hub.domain.snapshot.postgresql_mends.types import is_wider, needs_using
from work_data_hub.domain.snapshot.step import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.domain.snapshot.postgresql_mends.sides import Sides
    from work_data_hub.domain.snapshot.schema import SchemaObject

_STORAGE = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
_COMPRESSION = {"p": "pglz", "l": "lz4"}
_LOCKS = "the table is rewritten, and nobody reads it meanwhile"
MADE_WITH = ("type", "not null", "default", "generated", "stored", "identity", "collation")
"""The properties that a column has from the start."""


def line_of(sides: Sides, column: SchemaObject) -> str:
    """Return a column as CREATE TABLE wants it."""
    told = column.properties
    clauses = [column.own_name, str(told["type"])]
    if "collation" in told:
        clauses.append(f"COLLATE {told['collation']}")
    if "generated" in told:
        ending = "STORED" if told.get("stored") else "VIRTUAL"
        clauses.append(f"GENERATED ALWAYS AS ({told['generated']}) {ending}")
    elif "identity" in told:
        clauses.append(f"GENERATED {_identity(sides, column)}")
    elif "default" in told:
        clauses.append(f"DEFAULT {sides.default_of(column)}")
    if told.get("not null"):
        clauses.append("NOT NULL")
    return " ".join(clauses)


def added(sides: Sides, column: SchemaObject) -> Iterator[Step]:
    """Yield what adds a column to a table or a composite type that there is."""
    relation = sides.relation(column.parent)
    if relation is not None and relation.kind == "composite type":
        yield Step(f"ALTER TYPE {column.parent} ADD ATTRIBUTE {line_of(sides, column)} CASCADE")
    elif relation is None or relation.kind not in VIEWS:
        needs_value = column.properties.get("not null") and not (
            column.properties.keys() & {"default", "generated", "identity"}
        )
        note = "a row that is there has no value for it, and makes it fail: " if needs_value else ""
        note += "add it without NOT NULL, fill it, and set that" if needs_value else ""
        yield Step(f"ALTER TABLE {column.parent} ADD COLUMN {line_of(sides, column)}", note=note)
        yield from owned(sides, column)


def owned(sides: Sides, column: SchemaObject) -> Iterator[Step]:
    """Yield what gives a new column the sequence that is made for it."""
    sequence = sides.sequence_of(column)
    if sequence is not None and "identity" not in column.properties:
        yield Step(f"ALTER SEQUENCE {sequence.own_name} OWNED BY {column.name}")


def dropped(sides: Sides, column: SchemaObject) -> Iterator[Step]:
    """Yield what drops a column."""
    relation = sides.relation(column.parent)
    if relation is not None and relation.kind == "composite type":
        sql = f"ALTER TYPE {column.parent} DROP ATTRIBUTE {column.own_name} CASCADE"
        yield Step(sql, loses_data=True)
    else:
        sql = f"ALTER TABLE {column.parent} DROP COLUMN {column.own_name}"
        yield Step(sql, loses_data="generated" not in column.properties)


def is_remade(change: Change) -> bool:
    """Whether a column can only be dropped and added again."""
    wanted, found = change.pair("generated")
    if wanted is None and found is None:
        return False
    if wanted is None:
        return not change.found.properties.get("stored")
    return found is None or change.differs("stored")


def remade(change: Change) -> Iterator[Step]:
    """Yield what drops a column and adds it again."""
    is_computed = None not in change.pair("generated")
    for step in dropped(change.sides, change.found):
        yield step._replace(loses_data=not is_computed)
    yield from added(change.sides, change.wanted)


def generated(change: Change) -> Iterator[Step]:
    """Yield what makes of a generated column a plain one, or has it generated otherwise."""
    wanted, _ = change.pair("generated")
    if wanted is None:
        yield Step(f"{_alter(change)} DROP EXPRESSION")
    else:
        note = f"PostgreSQL 17 or newer; {_LOCKS}"
        yield Step(f"{_alter(change)} SET EXPRESSION AS ({wanted})", note=note)


def kind(change: Change) -> Iterator[Step]:
    """Yield what gives a column another type or collation, or an attribute of a composite type."""
    item, (wanted, found) = change.wanted, change.pair("type")
    new, old = str(wanted), str(found)
    relation = change.sides.relation(item.parent)
    ending = f" COLLATE {item.properties['collation']}" if "collation" in item.properties else ""
    if relation is not None and relation.kind == "composite type":
        sql = f"ALTER TYPE {item.parent} ALTER ATTRIBUTE {item.own_name} TYPE {new}{ending} CASCADE"
        yield Step(sql, note="fails where a table has a column of this type")
        return
    has_default = "default" in change.found.properties and new != old
    if has_default:
        yield Step(f"{_alter_only(change)} DROP DEFAULT")
    using = ""
    if needs_using(old, new) and "generated" not in item.properties:
        is_enum = bool(change.sides.enums & {old, new})
        using = f" USING {item.own_name}{'::text' if is_enum else ''}::{new}"
    is_kept = new == old or is_wider(old, new)
    note = "" if new == old or is_wider(old, new, is_in_place=True) else _LOCKS
    yield Step(f"{_alter(change)} TYPE {new}{ending}{using}", loses_data=not is_kept, note=note)
    if has_default and "default" in item.properties:
        yield from default(change)


def default(change: Change) -> Iterator[Step]:
    """Yield what sets or drops a default, of this table and not of those that inherit it."""
    text = change.sides.default_of(change.wanted)
    yield Step(f"{_alter_only(change)} {f'SET DEFAULT {text}' if text else 'DROP DEFAULT'}")


def identity(change: Change) -> Iterator[Step]:
    """Yield what makes of a column one with an identity, or not, or one of the other kind."""
    wanted, found = change.pair("identity")
    item = change.wanted
    if wanted is not None and found is not None:
        yield Step(f"{_alter(change)} SET GENERATED {str(wanted).upper()}")
    elif wanted is not None:
        yield from _from_default_to_identity(change)
    else:
        yield Step(f"{_alter(change)} DROP IDENTITY")
        sequence = change.sides.sequence_of(item)
        if sequence is not None:
            yield Step(sequence.made_by)
            yield from owned(change.sides, item)
            yield _caught_up(item, sequence.own_name)


def _from_default_to_identity(change: Change) -> Iterator[Step]:
    item = change.wanted
    if "default" in change.found.properties:
        yield Step(f"{_alter_only(change)} DROP DEFAULT")
    for each in change.sides.children_found(item.parent):
        if each.kind == "sequence" and each.properties.get("of") == item.name:
            yield Step(f"DROP SEQUENCE {each.own_name}")
    if change.differs("not null"):
        yield from not_null(change)
    yield Step(f"{_alter(change)} ADD GENERATED {_identity(change.sides, item)}")
    table, column = literal(item.parent), literal(_plain(item.own_name))
    yield _caught_up(item, f"pg_get_serial_sequence({table}, {column})", is_name=False)


def _caught_up(column: SchemaObject, sequence: str, *, is_name: bool = True) -> Step:
    """Return what has a new sequence go on where the rows are."""
    named = literal(sequence) if is_name else sequence
    largest = f"(SELECT coalesce(max({column.own_name}), 0) + 1 FROM {column.parent})"  # noqa: S608
    return Step(f"SELECT setval({named}, {largest}, false)")


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _identity(sides: Sides, column: SchemaObject) -> str:
    """Return ``ALWAYS AS IDENTITY (...)``."""
    said = f"{str(column.properties['identity']).upper()} AS IDENTITY"
    sequence = sides.sequence_of(column)
    if sequence is None:
        return said
    named = () if sequence.name.endswith(" sequence") else (f"SEQUENCE NAME {sequence.own_name}",)
    clauses = " ".join([*named, *options_of(sequence)])
    return f"{said} ({clauses})" if clauses else said


def not_null(change: Change) -> Iterator[Step]:
    """Yield what forbids NULL without a long lock: by a CHECK that is validated before."""
    item = change.wanted
    if not item.properties.get("not null"):
        yield Step(f"{_alter(change)} DROP NOT NULL")
        return
    taken = change.sides.taken(item)
    check = free_name(_joined(bare(item.parent), item.own_name), taken, "_not_null")
    table = f"ALTER TABLE {item.parent}"
    condition = f"CHECK ({item.own_name} IS NOT NULL)"
    note = "a NULL makes it fail"
    yield Step(f"{table} ADD CONSTRAINT {check} {condition} NOT VALID", is_alone=True, note=note)
    yield Step(f"{table} VALIDATE CONSTRAINT {check}", is_alone=True)
    yield Step(f"{_alter(change)} SET NOT NULL", is_alone=True)
    yield Step(f"{table} DROP CONSTRAINT {check}", is_alone=True)


def _joined(table: str, column: str) -> str:
    """Return one name of two, quoted where one of them is."""
    joined = f"{_plain(table)}_{_plain(column)}"
    is_quoted = '"' in (table[0], column[0])
    return '"' + joined.replace('"', '""') + '"' if is_quoted else joined


def storage(change: Change) -> Iterator[Step]:
    """Yield what sets how long values are kept."""
    letter, _ = change.pair("storage")
    said = (
        _STORAGE[str(letter)] if letter else _usual_storage(str(change.wanted.properties["type"]))
    )
    yield Step(f"{_alter_only(change)} SET STORAGE {said}")


def _usual_storage(of: str) -> str:
    """Return what SET STORAGE DEFAULT means, which PostgreSQL 15 does not know."""
    return "MAIN" if re.match(r"numeric|inet|cidr", of) and not of.endswith("]") else "EXTENDED"


def compression(change: Change) -> Iterator[Step]:
    """Yield what sets by what long values are compressed."""
    letter, _ = change.pair("compression")
    yield Step(f"{_alter_only(change)} SET COMPRESSION {_COMPRESSION.get(str(letter), 'default')}")


def statistics(change: Change) -> Iterator[Step]:
    """Yield what sets how many values ANALYZE looks at."""
    number, _ = change.pair("statistics")
    yield Step(f"{_alter_only(change)} SET STATISTICS {-1 if number is None else number}")


def options(change: Change) -> Iterator[Step]:
    """Yield what sets the options of a column, such as ``n_distinct``."""
    for clause in shared.option_clauses(*change.pair("options")):
        yield Step(f"{_alter_only(change)} {clause}")


def _alter(change: Change) -> str:
    return f"ALTER TABLE {change.wanted.parent} ALTER COLUMN {change.wanted.own_name}"


def _alter_only(change: Change) -> str:
    return f"ALTER TABLE ONLY {change.wanted.parent} ALTER COLUMN {change.wanted.own_name}"


def altered(change: Change) -> Iterator[Step]:
    """Yield what gives a column the properties that it should have."""
    relation = change.sides.relation(change.wanted.parent)
    if relation is not None and relation.kind in VIEWS:
        pass  # the query says what its columns are
    elif is_remade(change):
        yield from remade(change)
        made = {name: change.wanted.properties.get(name) for name in MADE_WITH}
        change = change._replace(found=replace(change.found, properties=made))
    else:
        yield from _defined(change)
    for name, handler in _REST.items():
        if change.differs(name):
            yield from handler(change)


def _defined(change: Change) -> Iterator[Step]:
    """Yield what alters what the values of a column are."""
    if change.differs("generated"):
        yield from generated(change)
    is_new_type = change.differs("type", "collation") and not _is_inherited(change, "type")
    if is_new_type:
        yield from kind(change)
    has_new_identity = change.differs("identity")
    if has_new_identity:
        yield from identity(change)
    has_lost_default = has_new_identity and change.pair("identity")[1] is None
    is_set_anew = is_new_type and change.differs("type") and "default" in change.found.properties
    if change.differs("default") and not (has_lost_default or is_set_anew):
        yield from default(change)
    if change.differs("not null") and not (has_lost_default or _is_inherited(change, "not null")):
        yield from not_null(change)


def _is_inherited(change: Change, name: str) -> bool:
    """Whether a property changes with that of the parent table's column."""
    sides, parent = change.sides, change.sides.inherited(change.wanted)
    if parent is None or not sides.inherits(change.wanted.parent, parent.parent):
        return False
    was = sides.found.by_key.get(("column", parent.name))
    if was is None:
        return False
    return (parent.properties.get(name), was.properties.get(name)) == change.pair(name)


_REST = {
    "storage": storage,
    "compression": compression,
    "statistics": statistics,
    "options": options,
    "comment": shared.comment,
    "grants": shared.grants,
}
