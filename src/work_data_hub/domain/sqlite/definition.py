"""What a SQLite schema's statements define, as plain values that do not show how it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.sqlite.canonical import canonical, canonical_name, string
from work_data_hub.domain.sqlite.items import Item, behind, divided, items_of
from work_data_hub.domain.sqlite.text import folded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from work_data_hub.domain.sqlite.ddl import Clause, Column, Table

    Properties = Mapping[str, str | bool | tuple[str, ...] | None]


class Definition(NamedTuple):
    """One object.

    Attributes:
        kind: in words: ``table``, ``column``, ``foreign key``.
        name: as it is written; None when nobody gave it one.
        properties: what it is, by name.
        structure: what tells it from the others of its table where it has no name.
        made_by: a column's own line.
    """

    kind: str
    name: str | None
    properties: Properties
    structure: str = ""
    made_by: str = ""


def of_table(table: Table, keys: Mapping[str, Sequence[str]]) -> Iterator[Definition]:
    """Yield the table, its columns and its constraints.

    Args:
        table: a CREATE TABLE, taken apart.
        keys: the primary keys of all tables, folded: what a foreign key without columns means.
    """
    options = {
        "strict": table.is_strict,
        "without rowid": not table.has_rowid,
        "autoincrement": table.autoincrements,
    }
    yield Definition("table", table.name, options)
    for column in table.columns:
        yield _column(table, column)
    # The order of what has the same structure must not tell which is the first of them.
    constraints = (_constraint(table, clause, keys) for clause in table.clauses)
    yield from sorted(
        filter(None, constraints), key=lambda c: (c.kind, c.structure, str(c.properties))
    )


def of_virtual_table(sql: str) -> Properties:
    """Return what a CREATE VIRTUAL TABLE says; arguments are the module's own language."""
    name, *arguments = behind(items_of(sql), "USING")
    listed = divided(arguments[0].items) if arguments else ()
    return {
        "module": canonical_name(name.name),
        "arguments": tuple(_as_written(argument) for argument in listed),
    }


def of_index(sql: str, table: Table | None) -> Properties:
    """Return what a CREATE INDEX says.

    Args:
        sql: the statement.
        table: that it is on, where that could be taken apart.
    """
    items = items_of(sql)
    opening = next(i for i, item in enumerate(items) if item.kind == "group")
    columns = None if table is None else _names(table)
    return {
        "table": canonical_name(items[opening - 1].name),
        "unique": items[1].word == "UNIQUE",
        "columns": tuple(_key_part(part, table) for part in divided(items[opening].items)),
        "where": canonical(behind(items[opening:], "WHERE"), columns),
    }


def of_view(sql: str) -> Properties:
    """Return what a CREATE VIEW says."""
    items = items_of(sql)
    query = behind(items[3:], "AS")
    columns = items[3].items if items[3].kind == "group" else ()
    return {
        "columns": tuple(canonical_name(name[0].name) for name in divided(columns)),
        "query": canonical(query),
    }


def of_trigger(sql: str) -> Properties:
    """Return what a CREATE TRIGGER says."""
    items = items_of(sql)[3:]
    on = next(i for i, item in enumerate(items) if item.word == "ON")
    begin = next(i for i, item in enumerate(items) if i > on and item.word == "BEGIN")
    words = [item.word for item in items[:on]]
    events = [word for word in words[:3] if word in ("INSERT", "UPDATE", "DELETE")]
    times = [word for word in words[:1] if word in ("AFTER", "INSTEAD")]
    named = divided(behind(items[:on], events[0], "OF"))
    return {
        "time": {"INSTEAD": "INSTEAD OF"}.get(*times, *times) if times else "BEFORE",
        "event": events[0],
        "columns": tuple(sorted(canonical_name(name[0].name) for name in named)),
        "condition": canonical(behind(items[on + 2 : begin], "WHEN")),
        "body": canonical(items[begin + 1 : -1]),
    }


def of_anything(sql: str) -> Properties:
    """Return all of a statement that could not be taken apart."""
    return {"definition": canonical(items_of(sql))}


def _column(table: Table, column: Column) -> Definition:
    default, generated = column.clause("DEFAULT"), column.clause("GENERATED")
    not_null = column.clause("NOT NULL")
    is_number = column is table.rowid_alias
    expression = () if generated is None else behind(items_of(generated.text), "AS")
    properties: Properties = {
        "type": _type(column),
        "not null": not_null is not None or is_number or _is_in_strict_key(table, column),
        # Instead of NULL such a column gets a number.
        "not null on conflict": "" if not_null is None or is_number else _on_conflict(not_null),
        "default": None if default is None else _default(default),
        "collation": _collation(column),
        "generated": canonical(expression[:1], _names(table)),
        "stored": "STORED" in [item.word for item in expression[1:]],
    }
    line = " ".join([column.written, column.type, *(clause.text for clause in column.clauses)])
    return Definition("column", column.name, properties, made_by=line)


def _constraint(
    table: Table, clause: Clause, keys: Mapping[str, Sequence[str]]
) -> Definition | None:
    if clause.kind in ("PRIMARY KEY", "UNIQUE"):
        return _key(table, clause)
    if clause.kind == "FOREIGN KEY":
        return _foreign_key(clause, keys)
    if clause.kind == "CHECK":
        condition = canonical(behind(items_of(clause.text), "CHECK")[:1], _names(table))
        return Definition("check", clause.name, {"condition": condition}, f"check ({condition})")
    return None


def _key(table: Table, clause: Clause) -> Definition:
    items = behind(items_of(clause.text), *clause.kind.split())
    kind = clause.kind.lower()
    if kind == "primary key" and table.rowid_alias is not None:
        parts = [canonical_name(table.rowid_alias.name)]  # which has no order of its own
    elif items and items[0].kind == "group":
        parts = [_key_part(part, table) for part in divided(items[0].items)]
    else:
        is_descending = bool(items) and items[0].word == "DESC"
        parts = [canonical_name(clause.columns[0]) + (" DESC" if is_descending else "")]
    properties: Properties = {"columns": tuple(parts), "on conflict": _on_conflict(clause)}
    # A table has one primary key: it is the same one, with other columns.
    structure = kind if kind == "primary key" else f"{kind} ({', '.join(parts)})"
    return Definition(kind, clause.name, properties, structure)


def _foreign_key(clause: Clause, keys: Mapping[str, Sequence[str]]) -> Definition:
    words = [item.word for item in behind(items_of(clause.text), "REFERENCES")]
    columns = _names_of(clause.columns)
    target_columns = clause.target_columns or keys.get(folded(clause.target), ())
    properties: Properties = {
        "columns": columns,
        "target": canonical_name(clause.target),
        "target columns": _names_of(target_columns),
        "on delete": _action(words, "DELETE"),
        "on update": _action(words, "UPDATE"),
        "deferrable": _deferrable(words),
    }
    structure = f"foreign key ({', '.join(columns)})"
    return Definition("foreign key", clause.name, properties, structure)


def _action(words: Sequence[str], event: str) -> str:
    found = ""
    for position, word in enumerate(words):
        if word == "ON" and words[position + 1] == event:
            action = words[position + 2 : position + 4]
            found = " ".join(action if action[0] in ("SET", "NO") else action[:1])
    return "" if found == "NO ACTION" else found


def _deferrable(words: Sequence[str]) -> str:
    """Return what of it SQLite acts by (sqlite.org/foreignkeys, 4.2), or others may."""
    if "DEFERRABLE" not in words or words[words.index("DEFERRABLE") - 1] == "NOT":
        return ""
    return "initially deferred" if "DEFERRED" in words else "initially immediate"


def _on_conflict(clause: Clause) -> str:
    found = behind(items_of(clause.text), "ON", "CONFLICT")
    return "" if not found or found[0].word == "ABORT" else found[0].word


def _default(clause: Clause) -> str | None:
    items = behind(items_of(clause.text), "DEFAULT")
    items = items[: 2 if items[0].text in ("+", "-") else 1]
    items = _bare(items)
    if len(items) == 1 and items[0].word in _VALUES:
        return _VALUES[items[0].word]
    if len(items) == 1 and items[0].kind in ("word", "quoted") and items[0].word not in _NOW:
        return string(items[0].name)  # SQLite takes a name for one
    if len(items) == 2 and items[0].text == "+" and items[1].kind == "number":
        items = items[1:]
    return canonical(items, ())


def _collation(column: Column) -> str:
    clause = column.clause("COLLATE")
    if clause is None:
        return ""
    name = folded(behind(items_of(clause.text), "COLLATE")[0].name).upper()
    return "" if name == "BINARY" else name


def _type(column: Column) -> str:
    words = [
        f"({', '.join(_as_written(part).upper() for part in divided(item.items))})"
        if item.kind == "group"
        else folded(item.name).upper()
        for item in items_of(column.type)
    ]
    return " ".join(words).replace(" (", "(")


def _key_part(items: Sequence[Item], table: Table | None) -> str:
    """Return a column or an expression of a key, with its collation and order if they are told."""
    is_descending = items[-1].word == "DESC"
    if items[-1].word in ("ASC", "DESC") and len(items) > 1:
        items = items[:-1]
    collation = ""
    items = _bare(items)
    if len(items) > 2 and items[-2].word == "COLLATE":
        collation, items = folded(items[-1].name).upper(), _bare(items[:-2])
    if len(items) == 1 and items[0].kind == "string":  # SQLite takes it for a name
        items = [Item("quoted", items[0].text)]
    columns = None if table is None else _names(table)
    text = canonical(items, columns)
    column = table.column(items[0].name) if table is not None and len(items) == 1 else None
    usual = "BINARY" if column is None else _collation(column) or "BINARY"
    told = f" COLLATE {collation}" if collation not in ("", usual) else ""
    return f"{text}{told}{' DESC' if is_descending else ''}"


def _bare(items: Sequence[Item]) -> Sequence[Item]:
    """Return what is in the parentheses that are around all of it."""
    while len(items) == 1 and items[0].kind == "group":
        items = items[0].items
    return items


def _is_in_strict_key(table: Table, column: Column) -> bool:
    """Whether it may not be NULL because of the key that it is in (sqlite.org/withoutrowid)."""
    key = table.primary_key
    if key is None or (table.has_rowid and not table.is_strict):
        return False
    return folded(column.name) in map(folded, key.columns)


def _names(table: Table) -> frozenset[str]:
    return frozenset((*(folded(c.name) for c in table.columns), "rowid", "oid", "_rowid_"))


def _names_of(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(canonical_name, names))


def _as_written(items: Sequence[Item]) -> str:
    return " ".join(
        item.text or f"({', '.join(map(_as_written, divided(item.items)))})" for item in items
    )


_VALUES = {"NULL": None, "TRUE": "1", "FALSE": "0"}
_NOW = ("CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP")
