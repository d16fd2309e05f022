"""A PostgreSQL schema as a snapshot: a change is found as what it is, and nothing else is."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa
from tests.postgresql_changes import CHANGES, SCHEMA

from work_data_hub.domain.snapshot.difference import differences
from work_data_hub.domain.snapshot.fingerprint import fingerprint_of
from work_data_hub.domain.snapshot.postgresql_names import is_given
from work_data_hub.domain.snapshot.postgresql_text import canonical
from work_data_hub.io.schema.ephemeral.postgres_binaries import prepare_postgres
from work_data_hub.io.schema.snapshot import postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import URL, Connection

    from work_data_hub.domain.snapshot.schema import Snapshot


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
    # An index keeps the name of a column until it is restored.
    renamed = "CREATE INDEX ON renamed (a); ALTER TABLE renamed RENAME a TO b"
    execute(urls[0], f"{SCHEMA}CREATE TABLE renamed (a integer); {renamed}")
    restored(urls[0], urls[1])
    restored(urls[1], urls[2])
    first, second, third = (look(url) for url in urls)
    assert said(first, second) == []
    assert said(first, third) == []
    assert (
        fingerprint_of(first).whole == fingerprint_of(second).whole == fingerprint_of(third).whole
    )


def test_a_dump_and_a_restore_know_a_renamed_column_as_it_was(
    make_postgresql_url: Callable[[], URL],
) -> None:
    first, second = make_postgresql_url(), make_postgresql_url()
    execute(
        first,
        "CREATE TABLE t (a integer UNIQUE, b text); CREATE INDEX ON t (a, lower(b), a) INCLUDE (b);"
        "CREATE INDEX ON t (b); ALTER TABLE t RENAME a TO c",
    )
    restored(first, second)
    assert said(look(first), look(second)) == []
    names = [item.name for item in look(first) if item.kind == "index"]
    assert names == [
        "public.t_a_lower_a1_b_idx",  # it is not what the server would call it
        "public.t CREATE INDEX ON public.t USING btree (b)",
    ]


def test_the_order_of_columns_does_not_count_for_statistics(
    make_postgresql_url: Callable[[], URL],
) -> None:
    first, second = make_postgresql_url(), make_postgresql_url()
    statistics = 'CREATE STATISTICS s ON a, "b, c", lower(d), (e || d) FROM t'
    execute(first, f'CREATE TABLE t (a text, "b, c" text, d text, e text); {statistics}')
    execute(second, f'CREATE TABLE t (d text, "b, c" text, e text, a text); {statistics}')
    assert said(look(first), look(second)) == []
    assert [item for item in look(first) if item.kind == "statistics"]


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
