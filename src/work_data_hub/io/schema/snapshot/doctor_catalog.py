"""What PostgreSQL's catalogue is asked for in a check-up: one statement for each kind of fault.

Every name comes quoted where SQL wants it so. What belongs to the server or to an extension is not
asked for, nor what is somebody's temporary table.
"""

# ruff: noqa: S608  # each statement is put together of constants of this room

from __future__ import annotations

_OURS = """{schema}.nspname !~ '^pg_' AND {schema}.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend AS owned WHERE owned.deptype = 'e'
        AND owned.classid = 'pg_class'::regclass AND owned.objid = {relation}.oid)"""
_NAME = "format('%I.%I', {schema}.nspname, {relation}.relname)"


def _ours(schema: str, relation: str) -> str:
    return _OURS.format(schema=schema, relation=relation)


def _name(schema: str, relation: str) -> str:
    return _NAME.format(schema=schema, relation=relation)


_NOT_OF_BATCH = "NOT starts_with(relation.relname, '_alembic_tmp_')"
# Who may not see what other roles do, sees that somebody builds an index, and who has the table
# locked as such a build does.
_IS_BEING_BUILT = """EXISTS (
    SELECT FROM pg_stat_progress_create_index AS build
    LEFT JOIN pg_locks AS held ON held.pid = build.pid AND held.relation = ind.indrelid
        AND held.mode = 'ShareUpdateExclusiveLock'
        AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    WHERE build.datname = current_database()
        AND (build.relid = ind.indrelid OR (build.relid IS NULL AND held.pid IS NOT NULL)))"""
_BASE_NAME = r"regexp_replace(relation.relname, '_cc(new|old)[0-9]*$', '')"
# What REINDEX CONCURRENTLY leaves: a second index that is the same, with such an ending.
_IS_COPY = f"""(relation.relname <> {_BASE_NAME} AND EXISTS (
    SELECT FROM pg_index AS other JOIN pg_class AS named ON named.oid = other.indexrelid
    WHERE other.indrelid = ind.indrelid AND other.indexrelid <> ind.indexrelid
        AND starts_with(named.relname, {_BASE_NAME})
        AND named.relname !~ '_cc(new|old)[0-9]*$'
        AND other.indisunique = ind.indisunique
        AND other.indkey::text = ind.indkey::text AND other.indclass::text = ind.indclass::text
        AND other.indoption::text = ind.indoption::text
        AND other.indcollation::text = ind.indcollation::text
        AND pg_get_expr(other.indexprs, other.indrelid)
            IS NOT DISTINCT FROM pg_get_expr(ind.indexprs, ind.indrelid)
        AND pg_get_expr(other.indpred, other.indrelid)
            IS NOT DISTINCT FROM pg_get_expr(ind.indpred, ind.indrelid)))"""

INVALID_INDEXES = f"""
SELECT ind.indexrelid, {_name("place", "relation")} AS name,
    {_name("home", "indexed")} AS of_table, relation.relkind = 'I' AS is_partitioned,
    ind.indisunique AS is_unique, ind.indisexclusion AS is_exclusion,
    NOT ind.indislive OR {_IS_COPY} AS is_left_over,
    ARRAY(SELECT pg_get_indexdef(ind.indexrelid, number, false)
        FROM generate_series(1, ind.indnkeyatts) AS number ORDER BY number) AS keys,
    pg_get_expr(ind.indpred, ind.indrelid) AS condition,
    coalesce((to_jsonb(ind) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_are_equal,
    pg_is_in_recovery() AS is_replica
FROM pg_index AS ind
JOIN pg_class AS relation ON relation.oid = ind.indexrelid
JOIN pg_namespace AS place ON place.oid = relation.relnamespace
JOIN pg_class AS indexed ON indexed.oid = ind.indrelid
JOIN pg_namespace AS home ON home.oid = indexed.relnamespace
WHERE NOT (ind.indisvalid AND ind.indisready) AND {_ours("place", "relation")}
    AND NOT {_IS_BEING_BUILT}
ORDER BY 2
"""

# The partitions of a table that have no index which is a part of that of the whole table, and what
# makes such a one: `CREATE INDEX name ON ONLY table USING ...` says it.
MISSING_PARTS = f"""
SELECT {_name("place", "part")} AS name,
    regexp_replace(pg_get_indexdef(ind.indexrelid), '^.*? USING ', '') AS structure,
    ind.indisunique AS is_unique, part.relname || '_' || named.relname AS wanted,
    format('%I', place.nspname) AS schema, part.relkind = 'p' AS is_partitioned
FROM pg_index AS ind
JOIN pg_class AS named ON named.oid = ind.indexrelid
JOIN pg_inherits AS parts ON parts.inhparent = ind.indrelid
JOIN pg_class AS part ON part.oid = parts.inhrelid
JOIN pg_namespace AS place ON place.oid = part.relnamespace
WHERE ind.indexrelid = {{index}} AND NOT EXISTS (
    SELECT FROM pg_index AS own JOIN pg_inherits AS attached ON attached.inhrelid = own.indexrelid
    WHERE own.indrelid = part.oid AND attached.inhparent = ind.indexrelid)
ORDER BY 1
"""

# What is attached to the index of a partitioned table, what is INVALID first.
ATTACHED_PARTS = f"""
SELECT {_name("place", "named")} AS name, ind.indisvalid
FROM pg_inherits AS attached
JOIN pg_index AS ind ON ind.indexrelid = attached.inhrelid
JOIN pg_class AS named ON named.oid = ind.indexrelid
JOIN pg_namespace AS place ON place.oid = named.relnamespace
WHERE attached.inhparent = {{index}}
ORDER BY 2, 1 LIMIT 1
"""

_REFERENCE = """(SELECT string_agg(format('referencing.%I IS NULL', own.attname), ' OR ')
        || format(' OR EXISTS (SELECT FROM %I.%I AS referenced WHERE ', far.nspname, target.relname)
        || string_agg(format('referenced.%I OPERATOR(%I.%s) referencing.%I', other.attname,
            meant.nspname, operator.oprname, own.attname), ' AND ') || ')'
    FROM unnest(con.conkey, con.confkey, con.conpfeqop) AS pair (own, other, operator)
    JOIN pg_attribute AS own ON own.attrelid = con.conrelid AND own.attnum = pair.own
    JOIN pg_attribute AS other ON other.attrelid = con.confrelid AND other.attnum = pair.other
    JOIN pg_operator AS operator ON operator.oid = pair.operator
    JOIN pg_namespace AS meant ON meant.oid = operator.oprnamespace)"""

# A constraint of PostgreSQL 18 that is NOT ENFORCED is not valid by intent.
NOT_VALID = f"""
SELECT CASE con.contypid WHEN 0 THEN {_name("place", "relation")}
        ELSE format('%I.%I', home.nspname, domain.typname) END AS owner,
    format('%I', con.conname) AS name, con.contypid <> 0 AS is_of_domain,
    CASE con.contype
        WHEN 'c' THEN pg_get_expr(con.conbin, con.conrelid)
        WHEN 'n' THEN (SELECT format('%I IS NOT NULL', attname) FROM pg_attribute
            WHERE attrelid = con.conrelid AND attnum = con.conkey[1])
        WHEN 'f' THEN {_REFERENCE} END AS promise
FROM pg_constraint AS con
LEFT JOIN pg_class AS relation ON relation.oid = con.conrelid
LEFT JOIN pg_namespace AS place ON place.oid = relation.relnamespace
LEFT JOIN pg_type AS domain ON domain.oid = con.contypid
LEFT JOIN pg_namespace AS home ON home.oid = domain.typnamespace
LEFT JOIN pg_class AS target ON target.oid = con.confrelid
LEFT JOIN pg_namespace AS far ON far.oid = target.relnamespace
WHERE NOT con.convalidated AND con.contype IN ('c', 'f', 'n') AND con.conparentid = 0
    AND (con.conislocal OR con.coninhcount = 0)
    AND coalesce((to_jsonb(con) ->> 'conenforced')::boolean, true)
    AND coalesce(place.nspname, home.nspname) !~ '^pg_'
    AND (relation.oid IS NULL OR {_ours("place", "relation")})
ORDER BY 1, 2
"""

# What a partition has of its table's follows that.
TRIGGERS = f"""
SELECT {_name("place", "relation")} AS owner, format('%I', trig.tgname) AS name,
    trig.tgenabled = 'R' AS is_for_replicas, trig.tgisinternal AS is_internal,
    quote_ident(con.conname) AS behind,
    CASE WHEN target.oid IS NOT NULL THEN {_name("far", "target")} END AS of_table
FROM pg_trigger AS trig
JOIN pg_class AS relation ON relation.oid = trig.tgrelid
JOIN pg_namespace AS place ON place.oid = relation.relnamespace
LEFT JOIN pg_trigger AS above ON above.oid = trig.tgparentid
LEFT JOIN pg_constraint AS con ON con.oid = trig.tgconstraint
LEFT JOIN pg_class AS target ON target.oid = con.conrelid
LEFT JOIN pg_namespace AS far ON far.oid = target.relnamespace
WHERE trig.tgenabled IN ('D', 'R') AND {_ours("place", "relation")}
    AND (above.oid IS NULL OR above.tgenabled <> trig.tgenabled)
ORDER BY trig.tgconstraint, 1, 2
"""

REPLICA_SESSIONS = """
SELECT sets.setrole = 0 AS is_of_all,
    CASE WHEN sets.setrole = 0 THEN 'every role' ELSE format('the role %I', role.rolname) END,
    CASE WHEN sets.setrole = 0 THEN format('ALTER DATABASE %I', current_database())
        WHEN sets.setdatabase = 0 THEN format('ALTER ROLE %I', role.rolname)
        ELSE format('ALTER ROLE %I IN DATABASE %I', role.rolname, current_database()) END
FROM pg_db_role_setting AS sets LEFT JOIN pg_roles AS role ON role.oid = sets.setrole
WHERE sets.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    AND 'session_replication_role=replica' = ANY (sets.setconfig)
ORDER BY 2
"""

_HAS_INDEX = """EXISTS (SELECT FROM pg_index AS ind
    JOIN pg_class AS shape ON shape.oid = ind.indexrelid
    JOIN pg_am AS method ON method.oid = shape.relam AND method.amname IN ('btree', 'hash')
    WHERE ind.indrelid = con.conrelid AND ind.indislive
        AND ind.indnkeyatts >= cardinality(con.conkey)
        AND (ind.indkey::smallint[])[0:cardinality(con.conkey) - 1] @> con.conkey
        AND (ind.indpred IS NULL OR pg_get_expr(ind.indpred, ind.indrelid) = (
            SELECT format('(%I IS NOT NULL)', attname) FROM pg_attribute
            WHERE attrelid = con.conrelid AND attnum = con.conkey[1])))"""

UNINDEXED_REFERENCES = f"""
SELECT {_name("place", "relation")} AS of_table, format('%I', con.conname) AS name,
    (SELECT string_agg(format('%I', attname), ', ' ORDER BY key.place)
        FROM unnest(con.conkey) WITH ORDINALITY AS key (number, place)
        JOIN pg_attribute ON attrelid = con.conrelid AND attnum = key.number) AS columns,
    relation.relkind = 'p' AS is_partitioned, {_name("far", "target")} AS target
FROM pg_constraint AS con
JOIN pg_class AS relation ON relation.oid = con.conrelid
JOIN pg_namespace AS place ON place.oid = relation.relnamespace
JOIN pg_class AS target ON target.oid = con.confrelid
JOIN pg_namespace AS far ON far.oid = target.relnamespace
WHERE con.contype = 'f' AND con.conparentid = 0 AND {_ours("place", "relation")}
    AND {_NOT_OF_BATCH} AND NOT {_HAS_INDEX}
ORDER BY 1, 2
"""

# Alembic cuts the name of such a table (`_calc_temp_name`).
TEMPORARY_TABLES = f"""
SELECT {_name("place", "relation")} AS name,
    (SELECT format('%I.%I', place.nspname, min(other.relname)) FROM pg_class AS other
        WHERE other.relnamespace = relation.relnamespace AND other.relkind IN ('r', 'p')
            AND left('_alembic_tmp_' || other.relname, 50) = relation.relname
        HAVING count(*) > 0) AS original,
    format('%I', substr(relation.relname, 14)) AS meant
FROM pg_class AS relation JOIN pg_namespace AS place ON place.oid = relation.relnamespace
WHERE relation.relkind IN ('r', 'p') AND starts_with(relation.relname, '_alembic_tmp_')
    AND {_ours("place", "relation")}
ORDER BY 1
"""

UNPOPULATED_VIEWS = f"""
SELECT {_name("place", "relation")}
FROM pg_class AS relation JOIN pg_namespace AS place ON place.oid = relation.relnamespace
WHERE relation.relkind = 'm' AND NOT relation.relispopulated AND {_ours("place", "relation")}
ORDER BY 1
"""

VERSION_COLUMNS = f"""
SELECT {_name("place", "relation")}, col.atttypmod - 4
FROM pg_attribute AS col
JOIN pg_class AS relation ON relation.oid = col.attrelid
JOIN pg_namespace AS place ON place.oid = relation.relnamespace
WHERE place.nspname = {{schema}} AND relation.relname = {{table}} AND col.attname = 'version_num'
    AND col.atttypid = 'varchar'::regtype AND col.atttypmod > 0
"""

# A column is served by the sequence that is its identity's, or whose next value is its default: to
# read that is to wait for whoever has locked the table, so it is left to the question of each. A
# sequence that begins again gives values twice by intent.
SEQUENCES = f"""
SELECT DISTINCT seq.seqrelid AS number, {_name("home", "counter")} AS name,
    relation.oid AS of_table_oid, {_name("place", "relation")} AS of_table,
    format('%I', col.attname) AS column_name, seq.seqincrement AS increment,
    served.of_default,
    EXISTS (SELECT FROM pg_index AS ind JOIN pg_class AS shape ON shape.oid = ind.indexrelid
        JOIN pg_am AS method ON method.oid = shape.relam AND method.amname = 'btree'
        WHERE ind.indrelid = relation.oid AND ind.indisvalid AND ind.indpred IS NULL
            AND ind.indkey[0] = col.attnum) AS is_indexed,
    EXISTS (SELECT FROM pg_index AS ind WHERE ind.indrelid = relation.oid AND ind.indisunique
        AND ind.indnkeyatts = 1 AND ind.indkey[0] = col.attnum) AS is_unique
FROM pg_sequence AS seq
JOIN pg_class AS counter ON counter.oid = seq.seqrelid
JOIN pg_namespace AS home ON home.oid = counter.relnamespace
JOIN (
    SELECT objid AS sequence, refobjid AS relation, refobjsubid AS number, NULL::oid AS of_default
    FROM pg_depend
    WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
        AND deptype = 'i' AND refobjsubid > 0
    UNION ALL
    SELECT needed.refobjid, standard.adrelid, standard.adnum, standard.oid
    FROM pg_depend AS needed JOIN pg_attrdef AS standard ON standard.oid = needed.objid
    WHERE needed.classid = 'pg_attrdef'::regclass AND needed.refclassid = 'pg_class'::regclass
) AS served ON served.sequence = seq.seqrelid
JOIN pg_class AS relation ON relation.oid = served.relation AND relation.relkind IN ('r', 'p')
    AND NOT relation.relispartition
JOIN pg_namespace AS place ON place.oid = relation.relnamespace
JOIN pg_attribute AS col ON col.attrelid = relation.oid AND col.attnum = served.number
WHERE NOT seq.seqcycle AND {_ours("place", "relation")} AND {_NOT_OF_BATCH}
    AND col.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
ORDER BY 2, 4, 5
"""

IS_NEXT_VALUE = r"""(SELECT pg_get_expr(adbin, adrelid) ~ '^nextval\(''.*''::regclass\)$'
    FROM pg_attrdef WHERE oid = {default})"""
