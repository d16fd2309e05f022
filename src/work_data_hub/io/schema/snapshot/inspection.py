"""Looks at a database: what is in it, as plain data that can be printed and compared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGInspector

from work_data_hub.domain.record.record import NAMES, VERSION_TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection
    from sqlalchemy.engine.reflection import Inspector

_NOT_THE_SCHEMA = {VERSION_TABLE, *NAMES}
COUNT_LIMIT = 1_000_000


def row_counts(connection: Connection) -> dict[str, int]:
    """Return the number of rows of every table but Alembic's and the framework's, by name.

    Counting stops at ``COUNT_LIMIT`` + 1 rows: a look at a database must not read all of it.
    """
    names = sorted(set(sa.inspect(connection).get_table_names()) - _NOT_THE_SCHEMA)
    return {name: _count(connection, name) for name in names}


def _count(connection: Connection, name: str) -> int:
    some_rows = sa.select(sa.literal(1)).select_from(sa.table(name)).limit(COUNT_LIMIT + 1)
    count = sa.select(sa.func.count()).select_from(some_rows.subquery())
    return int(connection.execute(count).scalar_one())


def snapshot(connection: Connection) -> dict[str, Any]:
    """Return the schema as nested dictionaries and lists: equal schemas give equal snapshots.

    Covers the default schema: tables, columns with type, default and comment, keys, checks,
    indexes with their expressions and conditions, views, PostgreSQL's enum types, and SQLite's
    triggers. Not covered: PostgreSQL's triggers, functions, sequences and other schemas.
    """
    inspector = sa.inspect(connection)
    tables = sorted(set(inspector.get_table_names()) - _NOT_THE_SCHEMA)
    return {
        "tables": {name: _table(inspector, name) for name in tables},
        "views": {
            name: _sql(inspector.get_view_definition(name))
            for name in sorted(inspector.get_view_names())
        },
        "triggers": _triggers(connection),
        "enums": inspector.get_enums() if isinstance(inspector, PGInspector) else [],
    }


def _table(inspector: Inspector, name: str) -> dict[str, Any]:
    return {
        "columns": [_column(inspector, column) for column in inspector.get_columns(name)],
        "primary_key": dict(inspector.get_pk_constraint(name)),
        "foreign_keys": _by_name(inspector.get_foreign_keys(name)),
        "unique": _by_name(inspector.get_unique_constraints(name)),
        "checks": _by_name(inspector.get_check_constraints(name)),
        "indexes": _by_name(inspector.get_indexes(name)),
        "comment": inspector.get_table_comment(name)["text"]
        if inspector.dialect.supports_comments
        else None,
    }


def _column(inspector: Inspector, column: Mapping[str, Any]) -> dict[str, Any]:
    # Compiled by the dialect: str() of a type leaves out the time zone.
    return {**column, "type": column["type"].compile(inspector.dialect)}


def _by_name(items: list[Any]) -> list[dict[str, Any]]:
    plain = [{key: _plain(value) for key, value in item.items()} for item in items]
    return sorted(plain, key=lambda item: (str(item.get("name")), str(item)))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return str(value) if isinstance(value, sa.ClauseElement) else value


def _triggers(connection: Connection) -> dict[str, str]:
    if connection.dialect.name != "sqlite":
        return {}
    rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    return {name: _sql(sql) for name, sql in rows}


def _sql(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").strip()
