"""The pins of a database, what its copy cannot inherit; and how PostgreSQL is asked for its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def file_pin(file: Path) -> str:
    """Return what tells a SQLite file from its copy: a copy is another inode."""
    return f"sqlite:{file.stat().st_ino}"


def facts_question(schema: str, version_table: str, names: str) -> str:
    """Return the query for what a run must know of a PostgreSQL database.

    Args:
        schema: the expression of the schema that env.py gave, or of NULL.
        version_table: the expression of the version table's name, quoted as an identifier.
        names: the expression of the framework tables' names, an array.
    """
    return f"""
    SELECT current_user AS database_user,
           coalesce({schema}, version.relnamespace::regnamespace::name, current_schema()) AS schema,
           (SELECT system_identifier FROM pg_control_system()) AS system_identifier,
           (SELECT oid FROM pg_database WHERE datname = current_database()) AS database_oid,
           pg_backend_pid() AS backend_pid,
           (SELECT coalesce(json_agg(json_build_array(n.nspname, c.relname)), '[]')
              FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE c.relname = ANY ({names}) AND c.relkind = 'r'
               AND has_table_privilege(c.oid, 'SELECT')) AS framework_tables
      FROM (SELECT to_regclass({version_table})::oid AS oid) AS wanted
      LEFT JOIN pg_class AS version ON version.oid = wanted.oid
    """  # noqa: S608  # placeholders and names of ours


def postgresql_pin(system_identifier: object, database_oid: object) -> str:
    """Return what a copy of a PostgreSQL database cannot inherit."""
    return f"postgresql:{system_identifier}:{database_oid}"
