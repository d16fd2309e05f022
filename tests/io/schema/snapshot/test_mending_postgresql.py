"""The statements that mend a PostgreSQL schema make of it what it should be, either way."""

from __future__ import annotations

import contextlib
import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from tests.postgresql_changes import CHANGES, MORE_CHANGES, SCHEMA

from work_data_hub.domain.snapshot.difference import differences
from work_data_hub.domain.snapshot.mending import mends
from work_data_hub.io.schema.snapshot import postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import URL, Connection

    from work_data_hub.domain.snapshot.mending import Mend
    from work_data_hub.domain.snapshot.schema import Snapshot

    CopyOf = Callable[..., AbstractContextManager[Connection]]

ROWS = """
INSERT INTO customer (email, state) VALUES ('a@x', 'new'), ('b@x', 'new');
INSERT INTO orders (customer_id, amount, note, code, mood, during)
    VALUES (1, 5, 'a', 'c1', 'sad', '[1,3)'), (2, 7, NULL, 'c2', 'ok', '[3,5)'),
    (2, 1, 'x', NULL, NULL, NULL);
INSERT INTO logs VALUES ('2026-05-01', 'first');
REFRESH MATERIALIZED VIEW totals;
"""


@contextmanager
def connected(url: URL) -> Iterator[Connection]:
    with (
        sa.create_engine(url, poolclass=sa.NullPool).connect() as connection,
        connection.execution_options(isolation_level="AUTOCOMMIT"),
    ):
        yield connection


@pytest.fixture
def copy_of(make_postgresql_url: Callable[[], URL]) -> CopyOf:
    """Give connections to databases of some scripts: copies of one that they have made."""
    templates: dict[tuple[str, ...], URL] = {}
    numbers = itertools.count()

    @contextmanager
    def give(*scripts: str) -> Iterator[Connection]:
        if scripts not in templates:
            templates[scripts] = make_postgresql_url()
            with connected(templates[scripts]) as connection:
                run(connection, *scripts)
        template = templates[scripts]
        name = f"{template.database}_copy_{next(numbers)}"
        with connected(template.set(database="postgres")) as server:
            run(server, f"CREATE DATABASE {name} TEMPLATE {template.database}")
            try:
                with connected(template.set(database=name)) as connection:
                    yield connection
            finally:
                run(server, f"DROP DATABASE {name}")

    return give


def run(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def look(connection: Connection) -> Snapshot:
    run(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ")
    found = postgresql.read(connection)
    run(connection, "COMMIT")
    return found


def mend(connection: Connection, planned: Sequence[Mend]) -> None:
    """Run what may be in a transaction in as few as there can be."""
    for is_outside, group in itertools.groupby(planned, key=lambda each: each.outside_transaction):
        statements = [statement for each in group for statement in each.statements]
        run(connection, *(statements if is_outside else ["BEGIN", *statements, "COMMIT"]))


def rows(connection: Connection) -> dict[str, int]:
    counts = connection.exec_driver_sql(
        "SELECT format('SELECT %L, count(*) FROM %s', oid::regclass, oid::regclass)"
        " FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
        execution_options={"no_parameters": True},
    ).scalars()
    ask = " UNION ALL ".join(counts) or "SELECT '', 0"
    found = connection.exec_driver_sql(ask, execution_options={"no_parameters": True})
    return {str(row[0]): row[1] for row in found if row[0]}


def mended(connection: Connection, wanted: Snapshot, found: Snapshot) -> list[str]:
    """Make of a database what is wanted, and return what is left to be done, and why."""
    before = rows(connection)
    planned = mends(wanted, found)
    assert len(planned) == len(differences(wanted, found))
    mend(connection, planned)
    if not any(each.loses_data for each in planned):
        after = rows(connection)
        assert {name: after.get(name) for name in before} == before
    left = {str(each.object) for each in differences(wanted, look(connection))}
    told = {str(each.difference.object): each.note for each in planned}
    return [f"{name}: {told.get(name)}" for name in sorted(left)]


WITHOUT_A_STATEMENT = {
    "on to UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_note'::regclass": [
        "index public.orders_note: it should be invalid, which no statement makes it"
    ],
    "on to UPDATE pg_index SET indisvalid = false"
    " WHERE indexrelid = 'customer_email_key'::regclass": [
        "unique public.customer UNIQUE (email): its index should be invalid, which no statement"
        " makes it"
    ],
    "on to ALTER TABLE customer DISABLE TRIGGER ALL": [
        "foreign key public.orders FOREIGN KEY (customer_id) REFERENCES public.customer(id)"
        " ON DELETE CASCADE: only a superuser can have it not enforced, with all triggers:"
        " ALTER TABLE public.orders DISABLE TRIGGER ALL"
    ],
    "back from ALTER TYPE mood ADD VALUE 'fine'": [
        "enum public.mood: an enum keeps its labels and their order: rename one (ALTER TYPE ..."
        " RENAME VALUE), or make another type and give it to the columns"
    ],
}


def test_each_change_by_hand_is_undone_and_made_by_the_statements(copy_of: CopyOf) -> None:
    left = {}
    forever = "ALTER TYPE mood ADD VALUE 'fine'"  # so it comes last
    with copy_of(SCHEMA, ROWS) as connection:
        wanted = look(connection)
        for change in sorted(CHANGES, key=lambda each: each == forever):
            run(connection, change)
            changed = look(connection)
            left[f"back from {change}"] = mended(connection, wanted, changed)
            if change != forever:
                left[f"on to {change}"] = mended(connection, changed, wanted)
                mend(connection, mends(wanted, changed))
    with copy_of(SCHEMA, ROWS) as connection:
        left[f"on to {forever}"] = mended(connection, changed, wanted)
    assert {change: what for change, what in left.items() if what} == WITHOUT_A_STATEMENT


@pytest.mark.parametrize("part", range(4))
def test_other_changes_are_undone_and_made_too(copy_of: CopyOf, part: int) -> None:
    left = {}
    for change in MORE_CHANGES[part::4]:
        with copy_of(SCHEMA, ROWS) as connection:
            wanted = look(connection)
            run(connection, change)
            changed = look(connection)
            assert changed != wanted
            left[f"back from {change}"] = mended(connection, wanted, changed)
            left[f"on to {change}"] = mended(connection, changed, wanted)
    assert {change: what for change, what in left.items() if what} == {}


def test_many_changes_at_once_are_mended_at_once(copy_of: CopyOf) -> None:
    with copy_of(SCHEMA) as connection:
        wanted, made = look(connection), 0
        for change in [*CHANGES, *MORE_CHANGES[2:]]:
            if change.startswith(("UPDATE pg_index", "ALTER TYPE mood ADD", "DROP TABLE")):
                continue
            if "PARTITION BY LIST (what)" in change:
                continue  # of which no column can be altered
            with contextlib.suppress(sa.exc.DBAPIError):  # another change was in its way
                run(connection, change)
                made += 1
        changed = look(connection)
        assert made > 60
        assert mended(connection, wanted, changed) == []
        assert mended(connection, changed, wanted) == []


@pytest.mark.parametrize("name", ['a"b', "new\nline", "ü" * 31, "select", "it's", "a.b", "(x)"])
def test_odd_names_are_written_as_sql_wants_them(copy_of: CopyOf, name: str) -> None:
    odd = '"' + name.replace('"', '""') + '"'
    small = f"CREATE TABLE {odd} ({odd} serial PRIMARY KEY, b text, c int);"
    large = f"""
        CREATE TYPE "t{name.replace('"', "")}" AS ENUM ('it''s');
        CREATE TABLE {odd} (
            {odd} bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            b varchar(9) NOT NULL UNIQUE, c int REFERENCES {odd} CHECK ({odd} > 0), {odd[:-2]}d" int
        );
        CREATE INDEX ON {odd} ({odd}, c);
        CREATE INDEX {odd[:-2]}i" ON {odd} (lower(b));
        CREATE VIEW {odd[:-2]}v" AS SELECT {odd} FROM {odd};
        COMMENT ON COLUMN {odd}.{odd} IS 'it''s';
        CREATE TRIGGER {odd} BEFORE UPDATE OF {odd} ON {odd} FOR EACH ROW
            EXECUTE FUNCTION suppress_redundant_updates_trigger();
        GRANT SELECT ({odd}) ON {odd} TO PUBLIC;
    """
    with copy_of(small) as one, copy_of(large) as other:
        run(one, f"INSERT INTO {odd} (b) VALUES ('x')")
        first, second = look(one), look(other)
        assert mended(one, second, first) == []
        assert mended(other, first, second) == []


UNBLOCKED = {
    "ALTER TABLE orders ALTER at SET NOT NULL": [
        "ALTER TABLE public.orders ADD CONSTRAINT orders_at_not_null CHECK (at IS NOT NULL)"
        " NOT VALID",
        "ALTER TABLE public.orders VALIDATE CONSTRAINT orders_at_not_null",
        "ALTER TABLE public.orders ALTER COLUMN at SET NOT NULL",
        "ALTER TABLE public.orders DROP CONSTRAINT orders_at_not_null",
    ],
    "ALTER TABLE orders ADD CONSTRAINT short CHECK (length(code) < 5)": [
        "ALTER TABLE public.orders ADD CONSTRAINT short CHECK ((length((code)::text) < 5))"
        " NOT VALID",
        "ALTER TABLE public.orders VALIDATE CONSTRAINT short",
    ],
    "ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customer (id)": [
        "ALTER TABLE public.orders ADD CONSTRAINT orders_customer_id_fkey1"
        " FOREIGN KEY (customer_id) REFERENCES public.customer(id) NOT VALID",
        "ALTER TABLE public.orders VALIDATE CONSTRAINT orders_customer_id_fkey1",
    ],
    "ALTER TABLE orders ADD CONSTRAINT uq UNIQUE (code) DEFERRABLE": [
        "CREATE UNIQUE INDEX CONCURRENTLY uq ON public.orders (code)",
        "ALTER TABLE public.orders ADD CONSTRAINT uq UNIQUE USING INDEX uq DEFERRABLE",
    ],
    "CREATE INDEX by_code ON orders (code)": [
        "CREATE INDEX CONCURRENTLY by_code ON public.orders USING btree (code)"
    ],
    "DROP INDEX orders_note": ["DROP INDEX CONCURRENTLY public.orders_note"],
    "ALTER INDEX orders_note SET (fillfactor = 50)": [
        "CREATE INDEX CONCURRENTLY orders_note_new ON public.orders USING btree (lower(note) DESC)"
        " INCLUDE (at) WITH (fillfactor='50')"
        " WHERE ((amount >= (1)::numeric) AND (amount <= (9)::numeric))",
        "DROP INDEX CONCURRENTLY public.orders_note",
        "ALTER INDEX public.orders_note_new RENAME TO orders_note",
    ],
}


@pytest.mark.parametrize("change", UNBLOCKED)
def test_a_big_table_is_not_blocked(copy_of: CopyOf, change: str) -> None:
    with copy_of(SCHEMA) as connection:
        found = look(connection)
        run(connection, change)
        (planned,) = mends(look(connection), found)
    assert list(planned.statements) == UNBLOCKED[change]
    assert planned.outside_transaction
    assert not planned.loses_data


@pytest.mark.parametrize(
    ("change", "loses_data"),
    [
        ("ALTER TABLE orders DROP code", True),
        ("ALTER TABLE orders ALTER code TYPE varchar(3)", True),
        ("ALTER TABLE orders ALTER code TYPE varchar(30)", False),
        ("ALTER TABLE orders ALTER code TYPE text", False),
        ("ALTER TABLE orders ALTER at TYPE text", False),
        ("ALTER TABLE orders ALTER at TYPE date", True),
        ("ALTER TABLE orders ADD more integer", False),
        ("DROP TABLE logs", True),
        ("DROP VIEW paid", False),
        ("DROP MATERIALIZED VIEW totals", False),
        ("DROP SEQUENCE free", True),
        ("ALTER TABLE logs DETACH PARTITION logs_1", False),
        ("ALTER TABLE orders ALTER gross SET EXPRESSION AS (amount * 3)", False),
        ("ALTER TABLE orders ALTER gross DROP EXPRESSION", False),
    ],
)
def test_what_loses_data_says_so(copy_of: CopyOf, change: str, loses_data: bool) -> None:
    with copy_of(SCHEMA) as connection:
        found = look(connection)
        run(connection, change)
        planned = mends(look(connection), found)
    assert any(each.loses_data for each in planned) is loses_data


def test_a_column_that_becomes_a_generated_one_loses_what_was_in_it(copy_of: CopyOf) -> None:
    with copy_of(SCHEMA) as connection:
        wanted = look(connection)
        run(connection, "ALTER TABLE orders ALTER gross DROP EXPRESSION")
        (planned,) = mends(wanted, look(connection))
    assert planned.loses_data


def test_a_text_that_is_too_long_fails_and_is_not_cut_off(copy_of: CopyOf) -> None:
    with copy_of(SCHEMA, ROWS) as connection:
        found = look(connection)
        run(connection, "ALTER TABLE orders ALTER code TYPE varchar(3)")
        wanted = look(connection)
    with copy_of(SCHEMA, ROWS) as connection:
        run(connection, "UPDATE orders SET code = 'too long'")
        (planned,) = mends(wanted, found)
        with pytest.raises(sa.exc.DataError, match="too long"):
            mend(connection, [planned])


def test_no_statement_is_run_for_what_does_not_differ(copy_of: CopyOf) -> None:
    with copy_of(SCHEMA) as connection:
        found = look(connection)
        run(connection, "COMMENT ON TABLE orders IS 'x'")
        assert mends(found, found) == []
        (planned,) = mends(look(connection), found)
    assert planned.statements == ("COMMENT ON TABLE public.orders IS 'x'",)
    assert (planned.loses_data, planned.outside_transaction, planned.note) == (False, False, "")


def test_changes_that_the_same_view_is_in_the_way_of_are_run_together_or_not_at_all(
    copy_of: CopyOf,
) -> None:
    with copy_of(SCHEMA) as connection:
        found = look(connection)
        run(connection, "DROP VIEW paid; DROP MATERIALIZED VIEW totals")
        run(connection, "ALTER TABLE orders ALTER customer_id TYPE bigint")
        run(connection, "ALTER TABLE customer ALTER email TYPE varchar(9)")
        run(
            connection,
            SCHEMA[SCHEMA.index("CREATE VIEW paid") : SCHEMA.index("CREATE FUNCTION touch")],
        )
        run(connection, "COMMENT ON TABLE logs IS 'x'")
        planned = mends(look(connection), found)
    said = {str(each.difference.object): each for each in planned if each.statements}
    narrow, wide = said["column public.customer.email"], said["column public.orders.customer_id"]
    together = [*narrow.statements, *wide.statements]
    assert "DROP VIEW public.paid" in together
    assert any(statement.startswith("CREATE VIEW public.paid") for statement in together)
    assert narrow.loses_data
    assert wide.loses_data
    assert not said["table public.logs"].loses_data
