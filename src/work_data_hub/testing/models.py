"""Makes what a project's models define, and compares it with what its migrations made."""

from __future__ import annotations

import contextlib
import re
from itertools import groupby
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from work_data_hub.domain.snapshot.ignored import Rule
from work_data_hub.domain.snapshot.models import made_differently
from work_data_hub.errors import CheckFoundError
from work_data_hub.io.schema.alembic_bridge.compared_models import read_compared_models
from work_data_hub.io.schema.engine import connect, foreign_keys_off, said
from work_data_hub.io.schema.snapshot.reader import schema_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import URL, Connection, Dialect

    from work_data_hub.domain.snapshot.difference import Difference
    from work_data_hub.domain.snapshot.schema import SchemaObject
    from work_data_hub.io.schema.alembic_bridge.compared_models import ComparedModels, Part
    from work_data_hub.testing.project import Project

_PARTS = {
    "column": "column",
    "index": "index",
    "unique": "unique_constraint",
    "foreign key": "foreign_key_constraint",
}
_IDENTIFIER = re.compile(r'"((?:[^"]|"")*)"|([^."]+)')


def compare_models(
    project: Project, url: URL, fresh: Callable[[], AbstractContextManager[URL]]
) -> list[Difference]:
    """Return how what ``create_all`` makes differs from what the migrations made.

    The models are made in a migrated database in place of their tables, so that the extensions,
    functions and schemas are there that they need.

    Args:
        project: whose env.py has the models, and the rules of what is compared.
        url: a migrated database; it is only read.
        fresh: gives another one, to be changed.

    Raises:
        UsageError: env.py gives no tables to compare with.
        CheckFoundError: the models cannot be made.
        WorkDataHubError: as ``Project.upgrade``.
    """
    models = _models(project, url)
    on_sqlite = url.get_backend_name() == "sqlite"
    # On SQLite a schema is another file, which env.py attaches to its own connection.
    tables = [table for table in models.tables if not (on_sqlite and table.schema)]
    with fresh() as copy:
        with connect(copy) as connection, foreign_keys_off(connection):
            default_schema = connection.dialect.default_schema_name
            _drop(connection, tables)
        bare = schema_of(copy)
        with connect(copy) as connection:
            _create(connection, tables)
        made = schema_of(copy)
    hidden = {_known(part, default_schema, on_sqlite=on_sqlite) for part in models.hidden}
    untyped = Rule("column", "type", "*", "compare_type is off")
    return made_differently(
        bare,
        made,
        schema_of(url),
        is_hidden=lambda item: _as_part(item, on_sqlite=on_sqlite) in hidden,
        rules=project.models_excused if models.types else [*project.models_excused, untyped],
    )


def _models(project: Project, url: URL) -> ComparedModels:
    found: list[ComparedModels] = []
    project.run(url, lambda config: found.append(read_compared_models(config)))
    return found[0]


def _drop(connection: Connection, tables: Sequence[sa.Table]) -> None:
    """Drop what ``create_all`` makes; what something else needs stays, and is not compared."""
    preparer = connection.dialect.identifier_preparer
    cascade = " CASCADE" if connection.dialect.name == "postgresql" else ""
    for table in tables:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {preparer.format_table(table)}{cascade}")
    for item in _beside(tables, connection.dialect):
        with contextlib.suppress(sa.exc.DBAPIError), connection.begin_nested():
            item.drop(connection, checkfirst=True)
    connection.commit()


def _create(connection: Connection, tables: Sequence[sa.Table]) -> None:
    # An index may be built CONCURRENTLY, which no transaction may be around.
    connection = connection.execution_options(isolation_level="AUTOCOMMIT")
    try:
        for _, group in groupby(tables, lambda table: id(table.metadata)):
            some = [*group]
            some[0].metadata.create_all(connection, tables=some)
        connection.commit()
    except sa.exc.SQLAlchemyError as error:
        raise CheckFoundError(
            f"the tables of the models cannot be made: {said(error)}",
            hint="correct the models, or make in a revision what they need",
        ) from error


def _beside(tables: Iterable[sa.Table], dialect: Dialect) -> Iterator[Any]:
    """Yield the types and sequences that ``create_all`` makes for columns."""
    for column in (column for table in tables for column in table.columns):
        type_ = _plain(column.type, dialect)
        if isinstance(type_, postgresql.ENUM | postgresql.DOMAIN) and type_.create_type:
            yield type_
        if isinstance(column.default, sa.Sequence) and dialect.supports_sequences:
            yield column.default


def _plain(type_: sa.types.TypeEngine[Any], dialect: Dialect) -> sa.types.TypeEngine[Any]:
    """Return what the engine has for a type, and for the items of an array."""
    if isinstance(type_, sa.types.TypeDecorator):
        return _plain(type_.load_dialect_impl(dialect), dialect)
    found = type_.dialect_impl(dialect)
    return _plain(found.item_type, dialect) if isinstance(found, sa.ARRAY) else found


def _known(part: Part, default_schema: str | None, *, on_sqlite: bool) -> tuple[str, ...]:
    if on_sqlite:
        return part.kind, part.table.lower(), part.name.lower()
    return part.kind, part.schema or str(default_schema), part.table, part.name


def _as_part(item: SchemaObject, *, on_sqlite: bool) -> tuple[str, ...]:
    """Return a part of a table as ``_known`` does."""
    kind = _PARTS.get(item.kind, "")
    if on_sqlite:
        return kind, item.parent, item.own_name.lower()
    return kind, *_identifiers(item.parent), *_identifiers(item.own_name)[-1:]


def _identifiers(name: str) -> tuple[str, ...]:
    """Return the names in one with dots, without quotes."""
    return tuple(plain or quoted.replace('""', '"') for quoted, plain in _IDENTIFIER.findall(name))
