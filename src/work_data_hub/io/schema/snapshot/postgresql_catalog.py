"""What PostgreSQL's catalogue is asked for: one statement for each kind of thing.

Every name comes quoted where SQL wants it so. What belongs to an extension is not asked for, nor
what the server makes by itself: types of tables, triggers behind foreign keys.
"""

# ruff: noqa: S608  # each statement is put together of constants of this room

from __future__ import annotations

_NOT_OF_ANOTHER = """NOT EXISTS (SELECT FROM pg_depend AS owned WHERE owned.deptype = ANY('{kinds}')
    AND owned.classid = '{catalogue}'::regclass AND owned.objid = {oid})"""
_GRANTS = """CASE WHEN {acl} IS NOT NULL THEN ARRAY(
    SELECT format('%s%s to %s%s', given.sign, given.privilege_type,
        CASE given.grantee WHEN 0 THEN 'PUBLIC' WHEN {owner} THEN '{{owner}}'
            ELSE quote_ident(pg_get_userbyid(given.grantee)) END,
        CASE WHEN given.is_grantable AND given.grantee <> {owner} THEN ' with grant option' ELSE ''
            END)
    FROM (
        (SELECT '+' AS sign, privilege_type, grantee, is_grantable FROM aclexplode({acl})
            EXCEPT SELECT '+', privilege_type, grantee, is_grantable
            FROM aclexplode(acldefault('{letter}', {owner})))
        UNION ALL
        (SELECT '-', privilege_type, grantee, false FROM aclexplode(acldefault('{letter}', {owner}))
            EXCEPT SELECT '-', privilege_type, grantee, false FROM aclexplode({acl}))
    ) AS given ORDER BY 1) END"""


def _grants(letter: str, acl: str, owner: str) -> str:
    """Return what is granted beyond what an owner has from the start, and what was revoked."""
    return _GRANTS.format(letter=letter, acl=acl, owner=owner)


def _free(catalogue: str, oid: str, kinds: str = "{e}") -> str:
    """Return a condition: it is no member of an extension, or whatever kind of dependency."""
    return _NOT_OF_ANOTHER.format(catalogue=catalogue, oid=oid, kinds=kinds)


_COLUMN_NAMES = """ARRAY(SELECT named.attname::text
    FROM unnest({keys}) WITH ORDINALITY AS key (number, place)
    JOIN pg_attribute AS named ON named.attrelid = {relation} AND named.attnum = key.number
    ORDER BY key.place)"""

SCHEMAS = """
SELECT oid, quote_ident(nspname), nspname, pg_get_userbyid(nspowner), {grants}
FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY nspname
""".format(grants=_grants("n", "nspacl", "nspowner"))

EXTENSIONS = """
SELECT extension.oid, quote_ident(extname), quote_ident(nspname), extversion
FROM pg_extension AS extension JOIN pg_namespace AS place ON place.oid = extnamespace
WHERE extname <> 'plpgsql' ORDER BY extname
"""

RELATIONS = f"""
SELECT relation.oid, relation.relnamespace, quote_ident(relation.relname), relation.relname,
    relation.relkind::text, relation.relpersistence::text, pg_get_userbyid(relation.relowner),
    relation.reloptions, toast.reloptions, relation.relrowsecurity, relation.relforcerowsecurity,
    relation.relreplident::text, relation.relispopulated, method.amname::text,
    quote_ident(place.spcname),
    CASE WHEN relation.relkind IN ('v', 'm') THEN pg_get_viewdef(relation.oid) END,
    CASE WHEN relation.relkind = 'p' THEN pg_get_partkeydef(relation.oid) END,
    CASE WHEN relation.relispartition THEN pg_get_expr(relation.relpartbound, relation.oid) END,
    ARRAY(SELECT inhparent::regclass::text FROM pg_inherits
        WHERE inhrelid = relation.oid ORDER BY inhseqno),
    {_grants("r", "relation.relacl", "relation.relowner")}
FROM pg_class AS relation
LEFT JOIN pg_class AS toast ON toast.oid = relation.reltoastrelid
LEFT JOIN pg_am AS method ON method.oid = relation.relam AND method.amname <> 'heap'
LEFT JOIN pg_tablespace AS place ON place.oid = relation.reltablespace
WHERE relation.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
    AND relation.relnamespace = ANY({{schemas}})
    AND {_free("pg_class", "relation.oid")}
ORDER BY relation.oid
"""

COLUMNS = f"""
SELECT col.attrelid, col.attnum, quote_ident(col.attname), col.attname,
    format_type(col.atttypid, col.atttypmod), col.attnotnull,
    pg_get_expr(standard.adbin, standard.adrelid),
    col.attidentity::text, col.attgenerated::text,
    CASE WHEN col.attcollation <> kind.typcollation THEN
        (SELECT format('%I.%I', nspname, collname) FROM pg_collation
            JOIN pg_namespace AS place ON place.oid = collnamespace
            WHERE pg_collation.oid = col.attcollation) END,
    CASE WHEN col.attstorage <> kind.typstorage THEN col.attstorage::text END,
    nullif(col.attcompression::text, ''), nullif(col.attstattarget, -1), col.attoptions,
    {_grants("c", "col.attacl", "relation.relowner")}
FROM pg_attribute AS col
JOIN pg_class AS relation ON relation.oid = col.attrelid
JOIN pg_type AS kind ON kind.oid = col.atttypid
LEFT JOIN pg_attrdef AS standard ON standard.adrelid = col.attrelid AND standard.adnum = col.attnum
WHERE col.attnum > 0 AND NOT col.attisdropped
    AND relation.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
    AND relation.relnamespace = ANY({{schemas}})
ORDER BY col.attrelid, col.attnum
"""

CONSTRAINTS = f"""
SELECT con.oid, con.conrelid, con.contypid, quote_ident(con.conname), con.conname,
    con.contype::text, pg_get_constraintdef(con.oid), con.convalidated,
    {_COLUMN_NAMES.format(keys="con.conkey", relation="con.conrelid")},
    EXISTS (SELECT FROM pg_trigger WHERE tgconstraint = con.oid AND tgisinternal
        AND tgenabled = 'D'),
    backing.indisvalid, backing.indisclustered, backing.indisreplident
FROM pg_constraint AS con
LEFT JOIN pg_index AS backing
    ON backing.indexrelid = con.conindid AND con.contype IN ('p', 'u', 'x')
WHERE con.contype IN ('p', 'u', 'f', 'c', 'x') AND con.connamespace = ANY({{schemas}})
    AND (con.conislocal OR con.coninhcount = 0) AND con.conparentid = 0
ORDER BY position(con.contype::text IN 'puxcf'), con.oid
"""

INDEXES = """
SELECT idx.indexrelid, idx.indrelid, quote_ident(named.relname), named.relname,
    quote_ident(place.nspname), pg_get_indexdef(idx.indexrelid), idx.indisvalid,
    idx.indisclustered, idx.indisreplident, quote_ident(space.spcname),
    -- A part keeps the name that its column had; behind it is a number where a column comes twice.
    ARRAY(SELECT CASE WHEN rtrim(part.attname, '0123456789') = col.attname
            THEN part.attname ELSE coalesce(col.attname, part.attname) END::text
        FROM pg_attribute AS part LEFT JOIN pg_attribute AS col
            ON col.attrelid = idx.indrelid AND col.attnum > 0
            AND col.attnum = idx.indkey[part.attnum - 1]
        WHERE part.attrelid = idx.indexrelid ORDER BY part.attnum)
FROM pg_index AS idx
JOIN pg_class AS named ON named.oid = idx.indexrelid
JOIN pg_namespace AS place ON place.oid = named.relnamespace
LEFT JOIN pg_tablespace AS space ON space.oid = named.reltablespace
WHERE named.relnamespace = ANY({schemas}) AND NOT named.relispartition
    AND NOT EXISTS (SELECT FROM pg_constraint
        WHERE conindid = idx.indexrelid AND contype IN ('p', 'u', 'x'))
ORDER BY idx.indexrelid
"""

SEQUENCES = f"""
SELECT seq.oid, seq.relnamespace, quote_ident(seq.relname), seq.relname,
    pg_get_userbyid(seq.relowner), seq.relpersistence::text, format_type(told.seqtypid, NULL),
    told.seqstart, told.seqincrement, told.seqmin, told.seqmax, told.seqcache, told.seqcycle,
    owned.refobjid, owned.refobjsubid, {_grants("s", "seq.relacl", "seq.relowner")}
FROM pg_sequence AS told
JOIN pg_class AS seq ON seq.oid = told.seqrelid
LEFT JOIN pg_depend AS owned ON owned.classid = 'pg_class'::regclass AND owned.objid = seq.oid
    AND owned.refclassid = 'pg_class'::regclass AND owned.deptype IN ('a', 'i')
WHERE seq.relnamespace = ANY({{schemas}})
    AND {_free("pg_class", "seq.oid")}
ORDER BY seq.oid
"""

TYPES = f"""
SELECT kind.oid, kind.typnamespace, quote_ident(kind.typname), kind.typtype::text,
    pg_get_userbyid(kind.typowner),
    ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = kind.oid ORDER BY enumsortorder),
    CASE WHEN kind.typtype = 'd' THEN format_type(kind.typbasetype, kind.typtypmod) END,
    kind.typnotnull, kind.typdefault,
    (SELECT format_type(rngsubtype, NULL) FROM pg_range WHERE rngtypid = kind.oid),
    {_grants("T", "kind.typacl", "kind.typowner")}
FROM pg_type AS kind
WHERE kind.typtype IN ('e', 'd', 'r') AND kind.typnamespace = ANY({{schemas}})
    AND {_free("pg_type", "kind.oid")}
ORDER BY kind.oid
"""

FUNCTIONS = f"""
SELECT function.oid, function.pronamespace, quote_ident(function.proname),
    pg_get_function_identity_arguments(function.oid), function.prokind::text,
    pg_get_userbyid(function.proowner),
    CASE WHEN function.prokind <> 'a' THEN pg_get_functiondef(function.oid) END,
    (SELECT ARRAY[aggtransfn::regprocedure::text, aggtranstype::regtype::text, agginitval,
            aggfinalfn::oid::regprocedure::text, aggcombinefn::oid::regprocedure::text]
        FROM pg_aggregate WHERE aggfnoid = function.oid),
    {_grants("f", "function.proacl", "function.proowner")}
FROM pg_proc AS function
WHERE function.pronamespace = ANY({{schemas}}) AND {_free("pg_proc", "function.oid", "{e,i}")}
ORDER BY function.oid
"""

TRIGGERS = """
SELECT oid, tgrelid, quote_ident(tgname), 'trigger', pg_get_triggerdef(oid), tgenabled::text,
    'pg_trigger'
FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0
UNION ALL
SELECT oid, ev_class, quote_ident(rulename), 'rule', pg_get_ruledef(oid), ev_enabled::text,
    'pg_rewrite'
FROM pg_rewrite WHERE rulename <> '_RETURN'
ORDER BY 1
"""

POLICIES = """
SELECT policy.oid, polrelid, quote_ident(polname), polcmd::text, polpermissive,
    ARRAY(SELECT CASE role WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(role)) END
        FROM unnest(polroles) AS role ORDER BY 1),
    pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid),
    quote_ident(pg_get_userbyid(relation.relowner))
FROM pg_policy AS policy JOIN pg_class AS relation ON relation.oid = polrelid ORDER BY policy.oid
"""

STATISTICS = """
SELECT oid, stxrelid, stxnamespace, quote_ident(stxname), pg_get_statisticsobjdef(oid),
    nullif(stxstattarget, -1)
FROM pg_statistic_ext WHERE stxnamespace = ANY({schemas}) ORDER BY oid
"""

# A cast to regclass would look each name up again.
COMMENTS = """
SELECT relname::text, objoid, objsubid, description
FROM pg_description JOIN pg_class AS catalogue ON catalogue.oid = classoid
WHERE objoid >= 16384
"""
