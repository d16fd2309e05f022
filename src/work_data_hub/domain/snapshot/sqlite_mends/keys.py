"""Whether what foreign keys of SQLite reference is a key: PRAGMA foreign_key_check fails else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from work_data_hub.domain.snapshot.schema import SchemaObject, Snapshot


def can_be_checked(snapshot: Snapshot, table: str) -> bool | None:
    """Return whether the foreign keys of a table all reference keys; None when it has none."""
    mine = [item for item in snapshot if item.kind == "foreign key" and item.parent == table]
    keys = {
        (item.parent, _columns_of(item, "columns"))
        for item in snapshot
        if item.kind in ("primary key", "unique")
        or (item.properties.get("unique") and "where" not in item.properties)
    }
    return all(_target_of(item) in keys for item in mine) if mine else None


def _target_of(item: SchemaObject) -> tuple[str, frozenset[str]] | None:
    """Return what a foreign key references; None where it has not as many columns as that."""
    columns = _columns_of(item, "target columns")
    if len(columns) != len(_columns_of(item, "columns")):
        return None
    return str(item.properties.get("target")), columns


def _columns_of(item: SchemaObject, name: str) -> frozenset[str]:
    """Return the columns that a property names, whatever their order."""
    value = item.properties.get(name)
    columns = value if isinstance(value, tuple) else ()
    return frozenset(column.removesuffix(" DESC") for column in columns)
