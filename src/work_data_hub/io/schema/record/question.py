"""How PostgreSQL is asked for what a run must know of it: once, in one round trip."""

from __future__ import annotations

from work_data_hub.io.schema.pins import POSTGRESQL_PIN


def facts_question(schema: str, version_table: str, names: str) -> str:
    """Return the query for what a run must know of a PostgreSQL database.

    Args:
        schema: the expression of the schema that env.py gave, or of NULL.
        version_table: the expression of the version table's name, quoted as an identifier.
        names: the expression of the framework tables' names, an array.
    """
    return f"""
    SELECT current_database() AS name,
           current_user AS database_user,
           coalesce({schema}, version.relnamespace::regnamespace::name, current_schema()) AS schema,
           {POSTGRESQL_PIN} AS pin,
           pg_backend_pid() AS backend_pid,
           (SELECT coalesce(json_agg(json_build_array(n.nspname, c.relname)), '[]')
              FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE c.relname = ANY ({names}) AND c.relkind = 'r'
               AND has_table_privilege(c.oid, 'SELECT')) AS framework_tables
      FROM (SELECT to_regclass({version_table})::oid AS oid) AS wanted
      LEFT JOIN pg_class AS version ON version.oid = wanted.oid
    """  # noqa: S608  # placeholders and names of ours
