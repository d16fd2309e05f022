"""What goes with a PostgreSQL table: constraints, indexes, triggers, policies, statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.postgresql_names import is_given
from work_data_hub.domain.snapshot.postgresql_text import canonical, in_no_order
from work_data_hub.domain.snapshot.schema import OWNER, SchemaObject
from work_data_hub.io.schema.snapshot import postgresql_catalog as catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.domain.snapshot.schema import Value
    from work_data_hub.io.schema.snapshot.postgresql_reading import Reading

_CONSTRAINTS = {
    "p": ("primary key", "pkey"),
    "u": ("unique", "key"),
    "x": ("exclude", "excl"),
    "c": ("check", "check"),
    "f": ("foreign key", "fkey"),
}
_ENABLED = {"D": "disabled", "R": "on replicas", "A": "always"}
_COMMANDS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE", "*": "ALL"}


def constraints(reading: Reading) -> Iterator[SchemaObject]:
    """Yield the constraints of tables and of domains."""
    for row in reading.rows(catalogue.CONSTRAINTS):
        oid, relation_oid, type_oid, own_name, bare, letter, definition, is_valid = row[:8]
        relation = reading.relations.get(relation_oid or type_oid)
        if relation is None or definition is None:  # dropped meanwhile
            continue
        kind, label = _CONSTRAINTS[letter]
        text = canonical(definition).removesuffix(" NOT VALID")
        # A check of several columns has the name of none.
        columns = [] if kind == "check" and len(row[8]) > 1 else row[8]
        given = is_given(bare, relation.bare, columns, label)
        name = f"{relation.name} {text}" if given else f"{relation.name}.{own_name}"
        told = {
            **reading.told("pg_constraint", oid),
            "definition": None if given else text,
            "not valid": not is_valid,
            "not enforced by triggers": row[9],
            "invalid": row[10] is False,
            "clustered": row[11],
            "replica identity": row[12],
        }
        what = "DOMAIN" if relation.kind == "domain" else "TABLE"
        made_by = f"ALTER {what} {relation.name} ADD CONSTRAINT {own_name} {definition}"
        yield SchemaObject(kind, name, told, relation.name, own_name, made_by)


def indexes(reading: Reading) -> Iterator[SchemaObject]:
    """Yield the indexes that are behind no constraint."""
    for row in reading.rows(catalogue.INDEXES):
        oid, relation_oid, own_name, bare, place, definition = row[:6]
        relation = reading.relations.get(relation_oid)
        if relation is None or definition is None:  # dropped meanwhile
            continue
        text = canonical(definition).replace(f"INDEX {own_name} ON", "INDEX ON", 1)
        given = is_given(bare, relation.bare, row[10], "idx")
        told = {
            **reading.told("pg_class", oid),
            "definition": None if given else text,
            "invalid": not row[6],
            "clustered": row[7],
            "replica identity": row[8],
            "tablespace": row[9],
        }
        name = f"{relation.name} {text}" if given else f"{place}.{own_name}"
        yield SchemaObject("index", name, told, relation.name, f"{place}.{own_name}", definition)


def triggers(reading: Reading) -> Iterator[SchemaObject]:
    """Yield triggers and rules."""
    for oid, relation_oid, own_name, kind, definition, enabled, table in reading.rows(
        catalogue.TRIGGERS
    ):
        relation = reading.relations.get(relation_oid)
        if relation is not None and definition is not None:  # else dropped meanwhile
            told = {
                **reading.told(table, oid),
                "definition": canonical(definition),
                "enabled": _ENABLED.get(enabled),
            }
            name = f"{relation.name}.{own_name}"
            yield SchemaObject(kind, name, told, relation.name, own_name, definition)


def policies(reading: Reading) -> Iterator[SchemaObject]:
    """Yield the policies of row-level security."""
    for row in reading.rows(catalogue.POLICIES):
        oid, relation_oid, own_name, letter, is_permissive, roles, using, check, owner = row
        relation = reading.relations.get(relation_oid)
        if relation is None:
            continue
        command = _COMMANDS[letter]
        told: dict[str, Value] = {
            **reading.told("pg_policy", oid),
            "for": command,
            "restrictive": not is_permissive,
            "to": tuple(OWNER if role == owner else role for role in roles),
            "using": None if using is None else canonical(using),
            "with check": None if check is None else canonical(check),
        }
        made_by = (
            f"CREATE POLICY {own_name} ON {relation.name}"
            f"{'' if is_permissive else ' AS RESTRICTIVE'} FOR {command} TO {', '.join(roles)}"
            f"{f' USING ({using})' if using else ''}"
            f"{f' WITH CHECK ({check})' if check else ''}"
        )
        name = f"{relation.name}.{own_name}"
        yield SchemaObject("policy", name, told, relation.name, own_name, made_by)


def statistics(reading: Reading) -> Iterator[SchemaObject]:
    """Yield the statistics objects."""
    for oid, relation_oid, schema, own_name, definition, target in reading.rows(
        catalogue.STATISTICS
    ):
        relation = reading.relations.get(relation_oid)
        if relation is not None and definition is not None:  # else dropped meanwhile
            name = f"{reading.schemas[schema]}.{own_name}"
            told = reading.told("pg_statistic_ext", oid)
            told |= {"definition": in_no_order(canonical(definition)), "target": target}
            yield SchemaObject("statistics", name, told, relation.name, name, definition)
