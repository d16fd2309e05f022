"""How PostgreSQL is asked for what a run must know of it: once, in one round trip."""

from __future__ import annotations

from work_data_hub.domain.record.pin import POSTGRESQL_PIN


def facts_question(schema: str, version_table: str, names: str) -> str:
    """Return the query for what a run must know of a PostgreSQL database.

    Args:
        schema: the expression of the schema that env.py gave, or of NULL.
        version_table: the expression of the version table's name, quoted as an identifier.
        names: the expression of the framework tables' names, an array.

    Each of the framework's tables comes with its schema, and whether the role may read it; a
    temporary one is nobody's record. Of the other tables those of initdb do not count (16384 is
    PostgreSQL's FirstNormalObjectId), nor do those of extensions.
    """
    return f"""
    SELECT current_database() AS name,
           current_user AS database_user,
           coalesce({schema}, found.nspname, current_schema()) AS schema,
           {POSTGRESQL_PIN} AS pin,
           pg_backend_pid() AS backend_pid,
           (SELECT coalesce(json_agg(json_build_array(
                       n.nspname, c.relname,
                       has_schema_privilege(n.oid, 'USAGE')
                       AND has_table_privilege(c.oid, 'SELECT'))), '[]')
              FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE c.relname = ANY ({names}) AND c.relkind = 'r' AND c.relpersistence <> 't'
           ) AS framework_tables,
           EXISTS (
               SELECT FROM pg_class AS c
                WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
                  AND c.relname <> ALL ({names})
                  AND NOT EXISTS (
                      SELECT FROM pg_depend AS d
                       WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                         AND d.deptype = 'e')
           ) AS has_tables
      FROM (SELECT to_regclass({version_table})::oid AS oid) AS wanted
      LEFT JOIN pg_class AS version ON version.oid = wanted.oid
      LEFT JOIN pg_namespace AS found ON found.oid = version.relnamespace
    """  # noqa: S608  # placeholders and names of ours
