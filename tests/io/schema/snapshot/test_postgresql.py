"""A PostgreSQL schema as a snapshot: a change is found as what it is, and nothing else is."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

from work_data_hub.domain.snapshot.difference import differences
from work_data_hub.domain.snapshot.postgresql_names import is_given
from work_data_hub.domain.snapshot.postgresql_text import canonical
from work_data_hub.io.schema.ephemeral.postgres_binaries import prepare_postgres
from work_data_hub.io.schema.snapshot import postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import URL, Connection

    from work_data_hub.domain.snapshot.schema import Snapshot

SCHEMA = """
CREATE SCHEMA other;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a integer, b text);
CREATE TYPE span AS RANGE (subtype = integer);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE SEQUENCE free START 5;
CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE AGGREGATE total(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '0');
CREATE TABLE customer (
    id serial PRIMARY KEY, email text NOT NULL UNIQUE, state varchar(9) DEFAULT 'new',
    CONSTRAINT known_state CHECK (state IN ('new', 'old') AND (email <> '' AND id > 0))
);
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customer ON DELETE CASCADE,
    amount numeric(10, 2) DEFAULT 0 CHECK (amount >= 0),
    gross numeric GENERATED ALWAYS AS (amount * 2) STORED,
    note text COLLATE "C", code varchar(9), mood mood, at timestamptz DEFAULT now(),
    during int4range,
    CONSTRAINT apart EXCLUDE USING gist (during WITH &&)
);
CREATE INDEX ON orders (customer_id);
CREATE INDEX orders_note ON orders (lower(note) DESC) INCLUDE (at) WHERE amount BETWEEN 1 AND 9;
CREATE TABLE logs (at date, what text) PARTITION BY RANGE (at);
CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX ON logs (at);
CREATE VIEW paid AS SELECT o.id, c.email FROM orders o JOIN customer c ON c.id = o.customer_id
    WHERE c.state IN ('new', 'old') AND (o.amount > 1 AND twice(o.id::integer) > 2);
CREATE MATERIALIZED VIEW totals AS SELECT customer_id, sum(amount) AS all_of_it FROM orders
    GROUP BY customer_id;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE ON orders FOR EACH ROW
    WHEN (OLD.note IN ('a', 'b')) EXECUTE FUNCTION touch();
CREATE RULE nothing AS ON DELETE TO customer DO ALSO NOTHING;
ALTER TABLE customer ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON customer USING (state IN ('new', 'old'));
CREATE STATISTICS related ON customer_id, mood FROM orders;
COMMENT ON TABLE orders IS 'what was bought';
GRANT SELECT ON orders TO PUBLIC;
"""
CHANGES = {
    "DROP INDEX orders_note": ["index public.orders_note is missing"],
    "DROP INDEX orders_customer_id_idx": [
        "index public.orders CREATE INDEX ON public.orders USING btree (customer_id) is missing"
    ],
    "CREATE INDEX more ON orders (at)": ["index public.more is extra"],
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_note'::regclass": [
        "index public.orders_note: invalid"
    ],
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'customer_email_key'::regclass": [
        "unique public.customer UNIQUE (email): invalid"
    ],
    "ALTER INDEX orders_note RENAME TO notes": [
        "index public.orders_note is missing; it may have been renamed: public.notes"
    ],
    "ALTER INDEX orders_note SET (fillfactor = 50)": ["index public.orders_note: definition"],
    "DROP INDEX orders_note; CREATE INDEX orders_note ON orders (lower(note)) INCLUDE (at)"
    " WHERE amount BETWEEN 1 AND 9": ["index public.orders_note: definition"],
    "COMMENT ON INDEX orders_note IS 'x'": ["index public.orders_note: comment"],
    "CLUSTER customer USING customer_pkey": [
        "primary key public.customer PRIMARY KEY (id): clustered"
    ],
    "ALTER TABLE orders CLUSTER ON orders_customer_id_idx": [
        "index public.orders CREATE INDEX ON public.orders USING btree (customer_id): clustered"
    ],
    "ALTER TABLE orders ALTER mood TYPE text; DROP TYPE mood": [
        "enum public.mood is missing",
        "column public.orders.mood: type",
    ],
    "ALTER TABLE orders ALTER code TYPE varchar(12)": ["column public.orders.code: type"],
    "ALTER TABLE orders ALTER customer_id DROP NOT NULL": [
        "column public.orders.customer_id: not null"
    ],
    "ALTER TABLE orders ALTER at SET NOT NULL": ["column public.orders.at: not null"],
    "ALTER TABLE orders ALTER amount SET DEFAULT 1": ["column public.orders.amount: default"],
    "ALTER TABLE orders ALTER at DROP DEFAULT": ["column public.orders.at: default"],
    "ALTER TABLE orders ALTER id SET GENERATED BY DEFAULT": ["column public.orders.id: identity"],
    "ALTER TABLE orders ALTER gross DROP EXPRESSION": [
        "column public.orders.gross: generated, stored"
    ],
    "ALTER TABLE orders ALTER gross SET EXPRESSION AS (amount * 3)": [
        "column public.orders.gross: generated"
    ],
    "ALTER TABLE orders ALTER code SET STATISTICS 7": ["column public.orders.code: statistics"],
    "ALTER TABLE orders ALTER amount SET (n_distinct = 5)": [
        "column public.orders.amount: options"
    ],
    "ALTER TABLE customer ALTER email SET STORAGE EXTERNAL": [
        "column public.customer.email: storage"
    ],
    "ALTER TABLE customer ALTER email SET COMPRESSION pglz": [
        "column public.customer.email: compression"
    ],
    'ALTER TABLE orders ALTER code TYPE varchar(9) COLLATE "C"': [
        "column public.orders.code: collation"
    ],
    "COMMENT ON COLUMN orders.note IS 'x'": ["column public.orders.note: comment"],
    "GRANT UPDATE (note) ON orders TO PUBLIC": ["column public.orders.note: grants"],
    "ALTER TABLE orders DROP note CASCADE": [
        "column public.orders.note is missing",
        "index public.orders_note is missing",
        "trigger public.orders.touched is missing",
    ],
    "ALTER TABLE orders ADD more integer": ["column public.orders.more is extra"],
    "ALTER TABLE orders RENAME mood TO temper": [
        "column public.orders.mood is missing; it may have been renamed: public.orders.temper",
        "statistics public.related: definition",
    ],
    "ALTER TABLE orders DROP CONSTRAINT orders_amount_check": [
        "check public.orders CHECK ((amount >= (0)::numeric)) is missing"
    ],
    "ALTER TABLE customer DROP CONSTRAINT known_state": [
        "check public.customer.known_state is missing"
    ],
    "ALTER TABLE customer DROP CONSTRAINT known_state; ALTER TABLE customer ADD CONSTRAINT"
    " known_state CHECK (state IN ('new', 'old') AND email <> '' AND id > 0) NOT VALID": [
        "check public.customer.known_state: not valid"
    ],
    "ALTER TABLE customer DROP CONSTRAINT known_state; ALTER TABLE customer ADD CONSTRAINT"
    " known_state CHECK (state IN ('new') AND email <> '' AND id > 0)": [
        "check public.customer.known_state: definition"
    ],
    "ALTER TABLE orders DROP CONSTRAINT orders_customer_id_fkey": [
        "foreign key public.orders FOREIGN KEY (customer_id) REFERENCES public.customer(id)"
        " ON DELETE CASCADE is missing"
    ],
    "ALTER TABLE orders ALTER CONSTRAINT orders_customer_id_fkey DEFERRABLE": [
        "foreign key public.orders FOREIGN KEY (customer_id) REFERENCES public.customer(id)"
        " ON DELETE CASCADE is missing",
        "foreign key public.orders FOREIGN KEY (customer_id) REFERENCES public.customer(id)"
        " ON DELETE CASCADE DEFERRABLE is extra",
    ],
    "ALTER TABLE customer DISABLE TRIGGER ALL": [
        "foreign key public.orders FOREIGN KEY (customer_id) REFERENCES public.customer(id)"
        " ON DELETE CASCADE: not enforced by triggers"
    ],
    "ALTER TABLE orders DROP CONSTRAINT apart": ["exclude public.orders.apart is missing"],
    "COMMENT ON CONSTRAINT apart ON orders IS 'x'": ["exclude public.orders.apart: comment"],
    "ALTER TABLE orders DISABLE TRIGGER touched": ["trigger public.orders.touched: enabled"],
    "DROP TRIGGER touched ON orders": ["trigger public.orders.touched is missing"],
    "ALTER TABLE customer DISABLE RULE nothing": ["rule public.customer.nothing: enabled"],
    "ALTER TABLE customer DISABLE ROW LEVEL SECURITY": ["table public.customer: row security"],
    "ALTER TABLE customer FORCE ROW LEVEL SECURITY": ["table public.customer: row security forced"],
    "ALTER POLICY own ON customer USING (state = 'new')": ["policy public.customer.own: using"],
    "ALTER POLICY own ON customer WITH CHECK (id > 0)": ["policy public.customer.own: with check"],
    "DROP POLICY own ON customer": ["policy public.customer.own is missing"],
    "COMMENT ON TABLE orders IS 'y'": ["table public.orders: comment"],
    "COMMENT ON TABLE orders IS NULL": ["table public.orders: comment"],
    "ALTER TABLE orders SET (fillfactor = 70)": ["table public.orders: options"],
    "ALTER TABLE orders SET (toast.autovacuum_enabled = off)": ["table public.orders: options"],
    "ALTER TABLE orders REPLICA IDENTITY FULL": ["table public.orders: replica identity"],
    "REVOKE SELECT ON orders FROM PUBLIC": ["table public.orders: grants"],
    "REVOKE DELETE ON customer FROM CURRENT_USER": ["table public.customer: grants"],
    "GRANT SELECT ON customer TO pg_monitor": ["table public.customer: grants"],
    "ALTER TABLE logs OWNER TO pg_monitor": ["table public.logs: owner"],
    "ALTER TABLE logs DETACH PARTITION logs_1": [
        "table public.logs_1: bound, inherits",
        "index public.logs_1 CREATE INDEX ON public.logs_1 USING btree (at) is extra",
    ],
    "CREATE TABLE logs_2 PARTITION OF logs FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')": [
        "table public.logs_2 is extra (with 2 columns)"
    ],
    "DROP TABLE logs": [
        "table public.logs is missing (with 2 columns, 1 index)",
        "table public.logs_1 is missing (with 2 columns)",
    ],
    "ALTER TYPE mood ADD VALUE 'fine'": ["enum public.mood: labels"],
    "ALTER TYPE pair ADD ATTRIBUTE c integer": ["column public.pair.c is extra"],
    "ALTER DOMAIN positive SET DEFAULT 1": ["domain public.positive: default"],
    "ALTER DOMAIN positive DROP CONSTRAINT positive_check": [
        "check public.positive CHECK ((VALUE > 0)) is missing"
    ],
    "DROP TYPE span": ["range public.span is missing"],
    "ALTER SEQUENCE free INCREMENT 7": ["sequence public.free: increment"],
    "ALTER SEQUENCE customer_id_seq CYCLE": ["sequence public.customer.id sequence: cycle"],
    "ALTER SEQUENCE customer_id_seq OWNED BY NONE": [
        "sequence public.customer.id sequence is missing",
        "column public.customer.id: default",
        "sequence public.customer_id_seq is extra",
    ],
    "ALTER VIEW paid SET (security_barrier = true)": ["view public.paid: options"],
    "CREATE OR REPLACE VIEW paid AS SELECT o.id, c.email FROM orders o"
    " JOIN customer c ON c.id = o.customer_id": ["view public.paid: definition"],
    "COMMENT ON COLUMN paid.email IS 'x'": ["column public.paid.email is extra"],
    "REFRESH MATERIALIZED VIEW totals WITH NO DATA": [
        "materialized view public.totals: not populated"
    ],
    "CREATE OR REPLACE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE"
    " AS 'SELECT n + n'": ["function public.twice(n integer): definition"],
    "ALTER FUNCTION twice(integer) STABLE": ["function public.twice(n integer): definition"],
    "REVOKE EXECUTE ON FUNCTION twice(integer) FROM PUBLIC": [
        "function public.twice(n integer): grants"
    ],
    "DROP AGGREGATE total(integer)": ["aggregate public.total(integer) is missing"],
    "ALTER STATISTICS related SET STATISTICS 50": ["statistics public.related: target"],
    "DROP STATISTICS related": ["statistics public.related is missing"],
    "CREATE TABLE other.more (id integer PRIMARY KEY)": [
        "table other.more is extra (with 1 column, 1 primary key)"
    ],
    "DROP SCHEMA other": ["schema other is missing"],
}


@contextmanager
def connected(url: URL) -> Iterator[Connection]:
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        yield connection


def look(url: URL) -> Snapshot:
    with connected(url) as connection, postgresql.consistent(connection):
        return postgresql.read(connection)


def execute(url: URL, script: str) -> None:
    with connected(url) as connection, connection.begin():
        connection.exec_driver_sql(script, execution_options={"no_parameters": True})


def said(wanted: Snapshot, found: Snapshot) -> list[str]:
    """Name each difference; of what is different, the properties."""
    return [
        f"{item.object}: {', '.join(item.properties)}" if item.properties else str(item)
        for item in differences(wanted, found)
    ]


def test_each_change_by_hand_is_found_as_what_it_is(postgresql_url: URL) -> None:
    execute(postgresql_url, SCHEMA)
    found = {}
    with connected(postgresql_url) as connection:
        before = postgresql.read(connection)
        connection.rollback()
        for change in CHANGES:
            connection.exec_driver_sql(change, execution_options={"no_parameters": True})
            found[change] = said(before, postgresql.read(connection))
            connection.rollback()
        assert postgresql.read(connection) == before
    assert found == CHANGES


def restored(source: URL, target: URL, *options: str, role: str = "postgres") -> None:
    """Dump one database, and load it into an empty one."""
    programs = prepare_postgres().executable.parent
    environment = {"PGPASSWORD": str(source.password), "PGOPTIONS": f"-c role={role}"}
    to, at = f"--host={source.host}", f"--port={source.port}"
    user = f"--username={source.username}"
    dump = subprocess.run(
        [programs / "pg_dump", to, at, user, *options, str(source.database)],
        env={"PGPASSWORD": environment["PGPASSWORD"]},
        check=True,
        capture_output=True,
    ).stdout
    subprocess.run(
        [programs / "psql", "--quiet", "--set=ON_ERROR_STOP=1", to, at, user, str(target.database)],
        env=environment,
        check=True,
        input=dump,
        capture_output=True,
    )


def test_a_dump_and_a_restore_change_nothing_and_neither_do_two(
    make_postgresql_url: Callable[[], URL],
) -> None:
    urls = [make_postgresql_url() for _ in range(3)]
    execute(urls[0], SCHEMA)
    restored(urls[0], urls[1])
    restored(urls[1], urls[2])
    first, second, third = (look(url) for url in urls)
    assert said(first, second) == []
    assert said(first, third) == []
    assert first.fingerprint() == second.fingerprint() == third.fingerprint()


def test_whoever_restores_a_database_owns_it(make_postgresql_url: Callable[[], URL]) -> None:
    url, copy = make_postgresql_url(), make_postgresql_url()
    execute(url, SCHEMA)
    role = f"heir_of_{copy.database}"
    execute(
        copy,
        f"CREATE ROLE {role}; GRANT ALL ON SCHEMA public TO {role};"
        f"GRANT CREATE ON DATABASE {copy.database} TO {role}",
    )
    try:
        restored(url, copy, "--no-owner", role=role)
        assert said(look(url), look(copy)) == []
    finally:
        execute(copy, f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def test_the_session_does_not_count(postgresql_url: URL) -> None:
    execute(postgresql_url, SCHEMA)
    before = look(postgresql_url)
    with connected(postgresql_url) as connection:
        connection.exec_driver_sql("SET search_path = other, public")
        connection.exec_driver_sql("SET DateStyle = German")
        connection.exec_driver_sql("SET quote_all_identifiers = on")
        connection.exec_driver_sql("SET TimeZone = 'Asia/Tokyo'")
        connection.commit()
        assert said(before, postgresql.read(connection)) == []
        assert connection.scalar(sa.text("SHOW search_path")) == "other, public"
        assert connection.scalar(sa.text("SHOW DateStyle")) == "German, DMY"


def test_a_vacuum_changes_nothing(postgresql_url: URL) -> None:
    execute(postgresql_url, SCHEMA)
    before = look(postgresql_url)
    with connected(postgresql_url) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("VACUUM FULL")
        connection.exec_driver_sql("REINDEX SCHEMA public")
    assert look(postgresql_url) == before


def test_the_frameworks_own_tables_and_other_schemas_are_left_out(postgresql_url: URL) -> None:
    execute(postgresql_url, SCHEMA + "CREATE TABLE other.more (id integer)")
    whole = look(postgresql_url)
    execute(postgresql_url, "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    assert look(postgresql_url) == whole
    with connected(postgresql_url) as connection:
        names = [item.name for item in postgresql.read(connection, ["public"])]
    assert names == ["other", "other.more", "other.more.id"]


def test_each_driver_reads_the_same(postgresql_url: URL) -> None:
    execute(postgresql_url, SCHEMA)
    by_psycopg2 = look(postgresql_url.set(drivername="postgresql+psycopg2"))
    assert by_psycopg2.as_data() == look(postgresql_url).as_data()


def test_odd_names_are_written_as_sql_wants_them(postgresql_url: URL) -> None:
    names = ['a"b', "new\nline", "ü" * 31, "select", "per%cent", "it's"]
    execute(
        postgresql_url,
        "".join(
            f"CREATE TABLE {quoted(name)} ({quoted(name)} serial PRIMARY KEY, b text UNIQUE);"
            for name in names
        ),
    )
    found = look(postgresql_url)
    # Made again from what the snapshot says, everything is there again.
    again = [item.made_by for item in found if item.kind in ("sequence", "table")]
    keys = [item.made_by for item in found if item.kind in ("primary key", "unique")]
    drop = "DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
    own = "".join(
        f"ALTER SEQUENCE {item.own_name} OWNED BY {item.properties['of']};"
        for item in found
        if item.kind == "sequence"
    )
    execute(postgresql_url, f"{drop}{';'.join([*again, *keys])};{own}")
    assert len(again) == len(keys) == 2 * len(names)
    assert said(found, look(postgresql_url)) == []


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


EXPRESSIONS = [
    "v IN ('a', 'b')",
    "v NOT IN ('a, b', 'c AND d', 'x''y', '(ARRAY[')",
    "v = ANY (ARRAY['a', 'b'])",
    "a BETWEEN 1 AND 5 AND b > 3 AND v <> 'x'",
    "a > 1 AND (b > 2 AND (a < 9 AND NOT yes))",
    "a > 1 OR b > 2 OR (a < 0 OR (b < 0 AND (yes AND a > 9)))",
    "CASE WHEN (a > 1 AND (b > 1 AND a < 9)) THEN v IN ('a', 'b') ELSE yes END",
    "(CASE WHEN yes THEN v ELSE s END) IN ('a', 'b')",
    "(ARRAY[d, d])::timestamp(3) without time zone[] = ARRAY[d::timestamp]",
    "(ARRAY[ARRAY[1, 2], ARRAY[3, 4]])::bigint[] = ARRAY[ARRAY[b]]",
    "(ARRAY[v, s])::varchar(3)[] = ARRAY['x']::varchar[]",
    "s::varchar IN ('a''[', 'b]')",
    "\"O dd\" IN ('a', 'b') AND (yes AND a > 1)",
    "(ARRAY[v, 'a'])[1] = 'x' AND (yes AND a > 1)",
    "s IN ('a', 'b') AND v LIKE ANY (ARRAY['a%', 'b%'])",
]


def test_the_server_reads_an_expression_back_as_the_canonical_text_has_it(
    postgresql_url: URL,
) -> None:
    columns = 'a int, b bigint, v varchar(20), s text, d date, yes bool, "O dd" varchar(5)'
    read = []
    with connected(postgresql_url) as connection:
        connection.exec_driver_sql(f"CREATE TABLE t ({columns})")
        for expression in EXPRESSIONS:
            definition, texts = f"CHECK ({expression})", []
            for _ in range(4):
                statement = f"ALTER TABLE t ADD CONSTRAINT c {definition}"
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
                ask = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'c'"
                definition = connection.exec_driver_sql(ask).scalar_one()
                texts.append(definition)
                connection.exec_driver_sql("ALTER TABLE t DROP CONSTRAINT c")
            (text,) = {canonical(text) for text in texts}
            assert canonical(text) == text
            read.append(len(set(texts)))
    assert max(read) > 1  # there is one that a restore changes


def test_the_servers_own_names_are_known(postgresql_url: URL) -> None:
    known = []
    with connected(postgresql_url) as connection:
        for table, one, other in [
            ("t", "a", "b"),
            ("t" * 63, "a", "b"),
            ("t" * 40, "a" * 40, "b"),
            ("t" * 10, "a" * 63, "b" * 63),
            ("ü" * 31, "ä" * 30, "b" * 20),
        ]:
            connection.exec_driver_sql(
                f'CREATE TABLE "{table}" ("{one}" int PRIMARY KEY, "{other}" int UNIQUE,'
                f' CHECK ("{other}" > 0), CHECK ("{other}" > 1), UNIQUE ("{one}", "{other}"),'
                f' FOREIGN KEY ("{other}") REFERENCES "{table}")'
            )
            rows = connection.exec_driver_sql(
                "SELECT conname, contype::text, ARRAY(SELECT attname::text FROM unnest(conkey)"
                " AS number JOIN pg_attribute ON attnum = number AND attrelid = conrelid)"
                " FROM pg_constraint WHERE contype <> 'n' AND connamespace = 'public'::regnamespace"
            )
            labels = {"p": "pkey", "u": "key", "c": "check", "f": "fkey"}
            known += [is_given(name, table, keys, labels[kind]) for name, kind, keys in rows]
            connection.rollback()
    assert known == [True] * 30
    assert not is_given("uq_t_a", "t", ["a"], "key")
    assert not is_given("t_a_key", "u", ["a"], "key")
