"""What of a PostgreSQL schema stands for itself: schemas, types, sequences, functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.schema import SchemaObject
from work_data_hub.io.schema.snapshot import postgresql_catalog as catalogue
from work_data_hub.io.schema.snapshot.postgresql_reading import Relation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.domain.snapshot.schema import Value
    from work_data_hub.io.schema.snapshot.postgresql_reading import Reading


def schemas_and_extensions(reading: Reading) -> Iterator[SchemaObject]:
    """Yield the schemas but for public, and the extensions."""
    for oid, name, bare, owner, grants in reading.schema_rows:
        told = reading.told("pg_namespace", oid, owner=owner, grants=grants)
        if bare != "public":
            yield SchemaObject("schema", name, told, "", name, f"CREATE SCHEMA {name}")
    for oid, name, place, version in reading.rows(catalogue.EXTENSIONS):
        told = {**reading.told("pg_extension", oid), "schema": place, "version": version}
        made_by = f"CREATE EXTENSION {name} WITH SCHEMA {place}"
        yield SchemaObject("extension", name, told, "", name, made_by)


def types(reading: Reading) -> Iterator[SchemaObject]:
    """Yield enums, domains and ranges."""
    for row in reading.rows(catalogue.TYPES):
        oid, schema, bare, letter, owner, labels, base, not_null, default, of, grants = row
        name = f"{reading.schemas[schema]}.{bare}"
        told = reading.told("pg_type", oid, owner=owner, grants=grants)
        if letter == "e":
            literals = ", ".join("'" + label.replace("'", "''") + "'" for label in labels)
            made_by = f"CREATE TYPE {name} AS ENUM ({literals})"
            told["labels"] = tuple(labels)
            yield SchemaObject("enum", name, told, "", name, made_by)
        elif letter == "d":
            told |= {"type": base, "not null": not_null, "default": default}
            ending = f"{f' DEFAULT {default}' if default else ''}"
            made_by = f"CREATE DOMAIN {name} AS {base}{ending}"
            made_by += " NOT NULL" if not_null else ""
            yield SchemaObject("domain", name, told, "", name, made_by)
            reading.relations[oid] = Relation(name, bare, "domain")
        else:
            made_by = f"CREATE TYPE {name} AS RANGE (subtype = {of})"
            yield SchemaObject("range", name, {**told, "of": of}, "", name, made_by)


def sequences(reading: Reading) -> Iterator[SchemaObject]:
    """Yield the sequences, with those of columns."""
    for row in reading.sequences:
        oid, schema, bare, _, owner, persistence, kind, start, step, least, most = row[:11]
        own_name = f"{reading.schemas[schema]}.{bare}"
        relation = reading.relations.get(row[13])
        if row[13] and relation is None:
            continue  # of a table that is no part of the schema
        column = reading.column_names.get((row[13], row[14]))
        told: dict[str, Value] = {
            **reading.told("pg_class", oid, owner=owner, grants=row[15]),
            "type": kind,
            "start": start,
            "increment": step,
            "minimum": least,
            "maximum": most,
            "cache": row[11],
            "cycle": row[12],
            "unlogged": persistence == "u",
            "of": f"{relation.name}.{column[0]}" if relation and column else None,
        }
        made_by = (
            f"CREATE SEQUENCE {own_name} AS {kind} INCREMENT {step} MINVALUE {least}"
            f" MAXVALUE {most} START {start} CACHE {row[11]}{' CYCLE' if row[12] else ''}"
        )
        name = reading.given_sequences.get(own_name, own_name)
        yield SchemaObject(
            "sequence", name, told, relation.name if relation else "", own_name, made_by
        )


def functions(reading: Reading) -> Iterator[SchemaObject]:
    """Yield functions, procedures and aggregates."""
    for row in reading.rows(catalogue.FUNCTIONS):
        oid, schema, bare, arguments, letter, owner, definition, aggregate, grants = row
        name = f"{reading.schemas[schema]}.{bare}({arguments})"
        kind = {"a": "aggregate", "p": "procedure"}.get(letter, "function")
        told = {
            **reading.told("pg_proc", oid, owner=owner, grants=grants),
            "definition": definition,
            "made of": tuple(part or "" for part in aggregate or ()),
        }
        yield SchemaObject(kind, name, told, "", name, definition or "")
