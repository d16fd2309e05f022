"""What of a project's models autogenerate compares with a database, by the project's own rules."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from alembic.autogenerate import RevisionContext
from alembic.autogenerate.api import AutogenContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext

# What Alembic asks the rules about, with what it calls it; it does not ask about a CHECK.
_PARTS = (
    (sa.Index, "index"),
    (sa.UniqueConstraint, "unique_constraint"),
    (sa.ForeignKeyConstraint, "foreign_key_constraint"),
)


class Part(NamedTuple):
    """A part of a table.

    Attributes:
        kind: as Alembic calls it: ``column``, ``index``, ``unique_constraint``,
            ``foreign_key_constraint``.
        schema: of the table; None for the default one.
        table: its name.
        name: of the part.
    """

    kind: str
    schema: str | None
    table: str
    name: str


class ComparedModels(NamedTuple):
    """What is compared.

    Attributes:
        tables: of the models, as they can be made one after the other.
        hidden: parts of them that ``include_name`` or ``include_object`` hides, in the models or
            in the database.
        types: whether the types of columns are compared.
    """

    tables: tuple[sa.Table, ...]
    hidden: frozenset[Part]
    types: bool


def read_compared_models(config: Config) -> ComparedModels:
    """Run env.py as `alembic check` does, and return what it would compare with the database.

    Raises:
        CommandError: env.py gives no tables to compare with.
    """
    scripts = ScriptDirectory.from_config(config)
    found: list[ComparedModels] = []

    def read(_heads: Any, context: MigrationContext) -> list[Any]:
        found.append(_compared(AutogenContext(context)))
        return []

    wanted = dict.fromkeys(
        ("message", "branch_label", "version_path", "rev_id", "depends_on"), None
    )
    asked = {**wanted, "autogenerate": True, "sql": False, "head": "head", "splice": False}
    revision_context = RevisionContext(config, scripts, asked)
    with EnvironmentContext(
        config,
        scripts,
        fn=read,
        as_sql=False,
        template_args=revision_context.template_args,
        revision_context=revision_context,
    ):
        scripts.run_env()
    return found[0]


def _compared(context: AutogenContext) -> ComparedModels:
    reflected = _reflected(context)
    tables = [table for table in context.sorted_tables if _is_compared(context, table, reflected)]
    hidden = frozenset(
        part for table in tables for part in _hidden(context, table, reflected.get(table))
    )
    types = context.opts.get("compare_type", True) is not False
    return ComparedModels(tuple(tables), hidden, types)


def _reflected(context: AutogenContext) -> dict[sa.Table, sa.Table]:
    """Return the tables of the models as they are in the database, which the rules are given."""
    found, metadata = {}, sa.MetaData()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)  # of what only the database has
        for table in context.sorted_tables:
            if context.inspector.has_table(table.name, schema=table.schema):
                found[table] = sa.Table(table.name, metadata, schema=table.schema)
                context.inspector.reflect_table(found[table], None, resolve_fks=False)
    return found


def _is_compared(
    context: AutogenContext, table: sa.Table, reflected: dict[sa.Table, sa.Table]
) -> bool:
    run = context.migration_context
    if (table.schema, table.name) == (run.version_table_schema, run.version_table):
        return False
    schema = _schema(context, table)
    there = reflected.get(table)
    return context.run_name_filters(
        table.name, "table", {"schema_name": schema}
    ) and context.run_object_filters(table, table.name, "table", False, there)


def _hidden(context: AutogenContext, table: sa.Table, there: sa.Table | None) -> Iterator[Part]:
    schema = _schema(context, table)
    models, database = dict(_parts(table)), {} if there is None else dict(_parts(there))
    for (kind, name), item in {**database, **models}.items():
        is_reflected = (kind, name) not in models
        other = None if is_reflected else database.get((kind, name))
        names: Any = {"schema_name": schema, "table_name": table.name}
        by_name = (kind, name) not in database or context.run_name_filters(name, kind, names)
        if not (by_name and context.run_object_filters(item, name, kind, is_reflected, other)):
            yield Part(kind, table.schema, table.name, name)


def _parts(table: sa.Table) -> Iterator[tuple[tuple[Any, str], Any]]:
    for column in table.columns:
        yield ("column", column.name), column
    for item in (*table.indexes, *table.constraints):
        for class_, kind in _PARTS:
            if isinstance(item, class_) and item.name is not None:
                yield (kind, str(item.name)), item


def _schema(context: AutogenContext, table: sa.Table) -> str | None:
    """Return the schema as Alembic tells the rules: None for the default one."""
    is_default = table.schema == context.dialect.default_schema_name
    return None if is_default else table.schema
