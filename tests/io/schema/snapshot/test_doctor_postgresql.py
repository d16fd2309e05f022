"""What is unhealthy about a PostgreSQL database is named, and goes by what its hint says."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.checkups import codes, execute, findings, treat
from tests.own_history import IDS
from tests.sessions import WAITING, wait_for_session

from work_data_hub.config import get_settings
from work_data_hub.domain.snapshot.checkup import Mended
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.snapshot import doctor_look, doctor_sequences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import URL

LONGEST = max(IDS, key=len)
ODD = '"a ""b""\'s"."c \'d"'
TABLE = (
    'CREATE SCHEMA "a ""b""\'s"',
    f'CREATE TABLE {ODD} (id int PRIMARY KEY, "e ""f" int, amount int)',
    f"INSERT INTO {ODD} VALUES (1, 1, 1), (2, 1, 0), (3, 2, 0), (4, NULL, 0), (5, NULL, 0)",
)
PARENT = (
    "CREATE TABLE parent (id int PRIMARY KEY)",
    "INSERT INTO parent VALUES (1)",
    "CREATE TABLE child (id int PRIMARY KEY, parent_id int)",
    "CREATE INDEX ON child (parent_id)",
    "INSERT INTO child VALUES (1, 1), (2, 2), (3, NULL)",
)
REFERENCE = "ALTER TABLE child ADD CONSTRAINT of_parent FOREIGN KEY (parent_id) REFERENCES parent"
FUNCTION = "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
PARTITIONED = (
    "CREATE TABLE parts (id int, note int) PARTITION BY RANGE (id)",
    "CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)",
    "CREATE TABLE part_2 PARTITION OF parts FOR VALUES FROM (10) TO (20)",
)


class Illness(NamedTuple):
    """How it is caught, how it is known, and what a person does before the hint's statement."""

    made_by: tuple[str, ...]
    code: str
    words: str
    corrections: tuple[str, ...] = ()
    severity: str = "error"


ILLNESSES = {
    "an index that failed": Illness(
        (*TABLE, f"CREATE INDEX CONCURRENTLY broken ON {ODD} ((1 / amount))"),
        "invalid-index",
        f'the index "a ""b""\'s".broken of {ODD} is INVALID: no query uses it',
        (f"UPDATE {ODD} SET amount = 1",),
    ),
    "a unique index that hides duplicates": Illness(
        (*TABLE, f'CREATE UNIQUE INDEX CONCURRENTLY "g h" ON {ODD} ("e ""f", (id > 0))'),
        "invalid-index",
        "no query uses it, and it hides 1 duplicate key",
        (f"DELETE FROM {ODD} WHERE id = 2",),
    ),
    "a unique index of which the duplicates are gone": Illness(
        (
            *TABLE,
            f'CREATE UNIQUE INDEX CONCURRENTLY u ON {ODD} ("e ""f") WHERE id < 3',
            f"DELETE FROM {ODD} WHERE id = 2",
        ),
        "invalid-index",
        "and there are no duplicates",
    ),
    "a unique index that counts nulls": Illness(
        (*TABLE, f"CREATE UNIQUE INDEX CONCURRENTLY u ON {ODD} (amount) NULLS NOT DISTINCT"),
        "invalid-index",
        "it hides 1 duplicate key",
        (f"UPDATE {ODD} SET amount = id",),
    ),
    "an index that a partition has no part of": Illness(
        (
            *PARTITIONED,
            'CREATE INDEX "i x" ON ONLY parts (note)',
            'CREATE INDEX "i 1" ON part_1 (note)',
            'ALTER INDEX "i x" ATTACH PARTITION "i 1"',
        ),
        "invalid-index",
        "is INVALID: 1 partition (public.part_2) has no part of it",
    ),
    "an index of a table without partitions": Illness(
        (*PARTITIONED, "CREATE INDEX i ON ONLY parts (note)", "DROP TABLE part_1, part_2"),
        "invalid-index",
        "there is no partition any more",
    ),
    "a check that rows break": Illness(
        (*TABLE, f'ALTER TABLE {ODD} ADD CONSTRAINT "i j" CHECK (amount > 0) NOT VALID'),
        "not-valid",
        f'the constraint "i j" of {ODD} is NOT VALID, and 4 rows of before break it',
        (f"UPDATE {ODD} SET amount = 1",),
    ),
    "a check that no row breaks": Illness(
        (*TABLE, f'ALTER TABLE {ODD} ADD CONSTRAINT "i j" CHECK (amount < 9) NOT VALID'),
        "not-valid",
        "is NOT VALID: no row breaks it",
        severity="warning",
    ),
    "a foreign key that a row breaks": Illness(
        (*PARENT, f"{REFERENCE} NOT VALID"),
        "not-valid",
        "the constraint of_parent of public.child is NOT VALID, and 1 row of before breaks it",
        ("DELETE FROM child WHERE id = 2",),
    ),
    "a check of a domain": Illness(
        ("CREATE DOMAIN short AS text", "ALTER DOMAIN short ADD CHECK (value < 'z') NOT VALID"),
        "not-valid",
        "the constraint short_check of public.short is NOT VALID",
        severity="warning",
    ),
    "a foreign key that is not enforced": Illness(
        (*PARENT, "DELETE FROM child", REFERENCE, "ALTER TABLE child DISABLE TRIGGER ALL"),
        "disabled-trigger",
        "the constraint of_parent of public.child is not enforced: its triggers are disabled",
    ),
    "a foreign key that is not enforced from either side": Illness(
        (
            *PARENT,
            "DELETE FROM child",
            REFERENCE,
            "ALTER TABLE child DISABLE TRIGGER ALL",
            "ALTER TABLE parent DISABLE TRIGGER ALL",
        ),
        "disabled-trigger",
        "the constraint of_parent of public.child is not enforced",
    ),
    "a trigger that is disabled": Illness(
        (
            *TABLE,
            FUNCTION,
            f'CREATE TRIGGER "k l" BEFORE INSERT ON {ODD} EXECUTE FUNCTION nothing()',
            f'ALTER TABLE {ODD} DISABLE TRIGGER "k l"',
        ),
        "disabled-trigger",
        f'the trigger "k l" of {ODD} is disabled',
        severity="warning",
    ),
    "a constraint trigger that is disabled": Illness(
        (
            *PARENT,
            FUNCTION,
            "CREATE CONSTRAINT TRIGGER held AFTER INSERT ON child DEFERRABLE"
            " FOR EACH ROW EXECUTE FUNCTION nothing()",
            "ALTER TABLE child DISABLE TRIGGER held",
        ),
        "disabled-trigger",
        "the trigger held of public.child is disabled",
    ),
    "a trigger of replicas": Illness(
        (
            *PARENT,
            FUNCTION,
            "CREATE TRIGGER held BEFORE INSERT ON child EXECUTE FUNCTION nothing()",
            "ALTER TABLE child ENABLE REPLICA TRIGGER held",
        ),
        "disabled-trigger",
        "the trigger held of public.child fires on replicas alone",
        severity="warning",
    ),
    "a trigger of a partition": Illness(
        (
            *PARTITIONED,
            FUNCTION,
            "CREATE TRIGGER held BEFORE INSERT ON parts FOR EACH ROW EXECUTE FUNCTION nothing()",
            "ALTER TABLE part_2 DISABLE TRIGGER held",
        ),
        "disabled-trigger",
        "the trigger held of public.part_2 is disabled",
        severity="warning",
    ),
    "a serial column": Illness(
        ("CREATE TABLE t (id serial PRIMARY KEY)", "INSERT INTO t VALUES (1), (2), (7)"),
        "sequence-behind",
        "the sequence public.t_id_seq is at 1, and public.t.id has 7 already: inserts fail",
    ),
    "an identity with odd names": Illness(
        (
            *TABLE,
            f"ALTER TABLE {ODD} ALTER id ADD GENERATED BY DEFAULT AS IDENTITY"
            ' (SEQUENCE NAME "m\'n")',
        ),
        "sequence-behind",
        f"and {ODD}.id has 5 already",
    ),
    "a sequence that counts down": Illness(
        (
            "CREATE SEQUENCE s INCREMENT -1",
            "CREATE TABLE t (id bigint PRIMARY KEY DEFAULT nextval('s'))",
            "INSERT INTO t VALUES (-3)",
        ),
        "sequence-behind",
        "the sequence public.s is at -1, and public.t.id has -3 already",
    ),
    "a sequence of one server of two": Illness(
        (
            "CREATE SEQUENCE s INCREMENT 2",
            "CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s'))",
            "INSERT INTO t VALUES (5), (8)",
        ),
        "sequence-behind",
        "the sequence public.s is at 1, and public.t.id has 5 already",
    ),
    "a sequence that serves two tables": Illness(
        (
            "CREATE SEQUENCE s",
            "CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s'))",
            "CREATE TABLE u (id int PRIMARY KEY DEFAULT nextval('s'))",
            "INSERT INTO t VALUES (5)",
            "INSERT INTO u VALUES (8)",
        ),
        "sequence-behind",
        "the sequence public.s is at 1, and public.u.id has 8 already",
    ),
    "a column that need not be unique": Illness(
        ("CREATE TABLE t (id serial)", "INSERT INTO t VALUES (3)"),
        "sequence-behind",
        "values are given twice",
        severity="warning",
    ),
    "a foreign key without an index": Illness(
        (*PARENT, "DELETE FROM child", REFERENCE, "DROP INDEX child_parent_id_idx"),
        "unindexed-reference",
        "the foreign key of_parent of public.child has no index: what is deleted from"
        " public.parent reads all of public.child",
        severity="warning",
    ),
    "an empty table of a batch": Illness(
        ("CREATE TABLE orders (id int)", "CREATE TABLE _alembic_tmp_orders (id serial)"),
        "left-of-batch",
        "public._alembic_tmp_orders is left of a batch_alter_table that was interrupted, and is"
        " empty",
    ),
    "a table of a batch with rows": Illness(
        (
            "CREATE TABLE orders (id int)",
            "CREATE TABLE _alembic_tmp_orders AS SELECT 1 AS id",
        ),
        "left-of-batch",
        "interrupted, and has rows",
    ),
    "a table of a batch that is the only copy": Illness(
        ('CREATE TABLE "_alembic_tmp_o p" AS SELECT 1 AS id',),
        "left-of-batch",
        "the table that it was to replace is not there: it may hold the only copy",
    ),
    "a view that was never filled": Illness(
        (f"{TABLE[0]}", 'CREATE MATERIALIZED VIEW "a ""b""\'s"."v w" AS SELECT 1 WITH NO DATA'),
        "not-populated",
        'the materialized view "a ""b""\'s"."v w" was never filled',
        severity="warning",
    ),
}


@pytest.fixture
def url(postgresql_url: URL) -> URL:
    """A healthy database."""
    migration_runner.upgrade(postgresql_url)
    migration_runner.seed(postgresql_url)
    assert findings(postgresql_url) == ()
    return postgresql_url


@pytest.mark.parametrize("name", ILLNESSES)
def test_what_is_unhealthy_is_named_and_goes_by_what_the_hint_says(name: str, url: URL) -> None:
    illness = ILLNESSES[name]
    for statement in illness.made_by:
        execute(url, statement, may_fail="CONCURRENTLY" in statement)
    (found,) = findings(url)
    assert (found.severity, found.code) == (illness.severity, illness.code)
    assert illness.words in found.message
    treat(url, found, *illness.corrections)
    assert findings(url) == ()


MENDED = {
    "a unique index of which the duplicates are gone": "REINDEX INDEX CONCURRENTLY",
    "a check that no row breaks": "ALTER TABLE",
    "a check of a domain": "ALTER DOMAIN",
    "a serial column": "SELECT setval",
    "an identity with odd names": "SELECT setval",
    "a sequence that counts down": "SELECT setval",
    "a sequence of one server of two": "SELECT setval",
    "a sequence that serves two tables": "SELECT setval",
    "a column that need not be unique": "SELECT setval",
    "an empty table of a batch": "DROP TABLE",
}


@pytest.mark.parametrize("name", ILLNESSES)
def test_what_can_do_no_harm_is_done_and_nothing_else(name: str, url: URL) -> None:
    for statement in ILLNESSES[name].made_by:
        execute(url, statement, may_fail="CONCURRENTLY" in statement)
    checkup = migration_runner.doctor(url)
    if name == "an index that failed":
        return  # it fails again: below
    if name not in MENDED:
        assert checkup.repairs == ()
        return
    (repair,) = checkup.repairs
    assert repair.statement.startswith(MENDED[name])
    assert f"`{repair.statement}`" in checkup.findings[0].hint
    assert migration_runner.repair(checkup, url) == (Mended(repair),)
    assert findings(url) == ()
    newest = migration_runner.journal(url)[-1]
    assert (newest.direction, newest.outcome) == ("fix", "done")
    assert (newest.revision, newest.detail) == (repair.code, repair.statement)


def test_what_fails_is_said_and_leaves_nothing(url: URL) -> None:
    for statement in ILLNESSES["an index that failed"].made_by:
        execute(url, statement, may_fail="CONCURRENTLY" in statement)
    execute(url, "CREATE TABLE t (id serial PRIMARY KEY)", "INSERT INTO t VALUES (5)")
    checkup = migration_runner.doctor(url)
    done = migration_runner.repair(checkup, url)
    assert [each.fault for each in done] == ["division by zero", ""]
    assert codes(findings(url)) == [("error", "invalid-index")]
    rows = [(each.revision, each.outcome) for each in migration_runner.journal(url)[-3:]]
    assert rows == [
        ("invalid-index", "failed"),
        ("left-over-index", "done"),
        ("sequence-behind", "done"),
    ]


def test_a_reindex_that_did_not_end_is_cleared_up(url: URL) -> None:
    leave_a_copy(url)
    checkup = migration_runner.doctor(url)
    (done,) = migration_runner.repair(checkup, url)
    assert done.repair.statement == "DROP INDEX CONCURRENTLY public.child_parent_id_idx_ccnew"
    assert findings(url) == ()


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_behind_a_pooler_and_by_another_driver_it_is_the_same(
    driver: str,
    url: URL,
    transaction_pooler: Callable[[URL, int], AbstractContextManager[URL]],
) -> None:
    unique = ILLNESSES["a unique index of which the duplicates are gone"]
    for statement in (*unique.made_by, "CREATE TABLE t (id serial PRIMARY KEY)"):
        execute(url, statement, may_fail="CONCURRENTLY" in statement)
    execute(url, "INSERT INTO t VALUES (5)")
    with transaction_pooler(url, 2) as pooled:
        named = pooled.set(drivername=f"postgresql+{driver}")
        checkup = migration_runner.doctor(named)
        assert [each.code for each in checkup.repairs] == ["invalid-index", "sequence-behind"]
        done = migration_runner.repair(checkup, named)
        assert [each.fault for each in done] == ["", ""]
        assert findings(named) == ()
        for setting in ("lock_timeout", "statement_timeout", "search_path", "row_security"):
            usual = execute(url, f"SHOW {setting}")
            assert [execute(pooled, f"SHOW {setting}") for _ in range(3)] == [usual] * 3


def test_a_sequence_that_has_gone_on_is_left_alone(url: URL) -> None:
    execute(url, "CREATE TABLE t (id serial PRIMARY KEY)", "INSERT INTO t VALUES (5)")
    checkup = migration_runner.doctor(url)
    execute(url, "SELECT nextval('t_id_seq') FROM generate_series(1, 20)")
    (done,) = migration_runner.repair(checkup, url)
    assert done.fault.startswith("it is not so any more")
    assert execute(url, "SELECT last_value FROM t_id_seq") == [(20,)]
    execute(url, checkup.repairs[0].statement)
    assert execute(url, "SELECT last_value FROM t_id_seq") == [(20,)]


def test_what_somebody_has_locked_is_left_alone(url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WDH_LOCK_TIMEOUT", "0.2")
    get_settings.cache_clear()
    execute(url, "CREATE TABLE t (id serial PRIMARY KEY)", "INSERT INTO t VALUES (5)")
    checkup = migration_runner.doctor(url)
    with connect(url) as other, other.begin():
        other.exec_driver_sql("INSERT INTO t VALUES (6)")
        (done,) = migration_runner.repair(checkup, url)
    assert done.fault == "canceling statement due to lock timeout"
    assert migration_runner.journal(url)[-1].outcome == "failed"
    assert codes(findings(url)) == [("error", "sequence-behind")]


def test_rows_that_a_policy_hides_keep_a_table(url: URL, give_settings: Callable[..., URL]) -> None:
    owner = give_settings(row_security="on")
    execute(
        url,
        "CREATE TABLE orders (id int)",
        "CREATE TABLE _alembic_tmp_orders AS SELECT 1 AS id",
        "ALTER TABLE _alembic_tmp_orders ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE _alembic_tmp_orders FORCE ROW LEVEL SECURITY",
        f'ALTER TABLE _alembic_tmp_orders OWNER TO "{owner.username}"',
        f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{owner.username}"',
    )
    found = migration_runner.doctor(owner)
    assert found.repairs == ()
    assert "the rows of public._alembic_tmp_orders: not looked at: query would be affected" in (
        " ".join(each.message for each in found.findings)
    )


def test_a_version_column_without_room_for_the_ids_of_the_files_is_named(url: URL) -> None:
    migration_runner.downgrade(url, "base")
    execute(url, "ALTER TABLE alembic_version ALTER version_num TYPE varchar(5)")
    (found,) = findings(url)
    assert codes([found]) == [("error", "version-column")]
    said = f"public.alembic_version holds ids of 5 characters, and {LONGEST} has {len(LONGEST)}"
    assert found.message == said
    treat(url, found)
    assert findings(url) == ()
    migration_runner.upgrade(url)


def test_an_index_whose_part_is_invalid_goes_by_that_part(url: URL) -> None:
    execute(
        url,
        *PARTITIONED[:2],
        "INSERT INTO parts VALUES (1, 5), (2, 5)",
        "CREATE UNIQUE INDEX u ON ONLY parts (id, note)",
    )
    slow = (
        "SET statement_timeout = '300ms'",
        "CREATE UNIQUE INDEX CONCURRENTLY p ON part_1 (id, note)",
    )
    with connect(url) as other, other.begin():
        other.exec_driver_sql("UPDATE part_1 SET note = 6")
        execute(url, *slow, may_fail=True)
    execute(url, "ALTER INDEX u ATTACH PARTITION p")
    part, whole = findings(url)
    assert codes([part, whole]) == [("error", "invalid-index")] * 2
    assert "the index public.p of public.part_1 is INVALID" in part.message
    assert "its part public.p is INVALID" in whole.message
    treat(url, part)
    (whole,) = findings(url)
    assert "a part of it was INVALID when it was attached" in whole.message
    treat(url, whole)
    assert findings(url) == ()


def test_what_the_server_says_of_damage_is_an_error(url: URL) -> None:
    execute(
        url,
        "CREATE FUNCTION read_it(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'invalid page in block 7' USING ERRCODE = 'data_corrupted'; END $$",
        "CREATE TABLE t (a int)",
        "INSERT INTO t VALUES (1)",
        "ALTER TABLE t ADD CHECK (read_it(a)) NOT VALID",
        "CREATE MATERIALIZED VIEW v AS SELECT 1 WITH NO DATA",
    )
    found = findings(url)
    assert codes(found) == [("error", "damaged"), ("warning", "not-populated")]
    assert found[0].message == "constraints: invalid page in block 7"


def test_more_than_a_thousand_are_not_counted(url: URL) -> None:
    execute(
        url,
        "CREATE TABLE t (a int)",
        "INSERT INTO t SELECT 0 FROM generate_series(1, 2000)",
        "ALTER TABLE t ADD CHECK (a > 0) NOT VALID",
    )
    (found,) = findings(url)
    assert "and more than 1000 rows of before break it" in found.message


def test_a_large_table_without_an_index_is_not_read_whole(
    url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(url, "CREATE TABLE t (id serial)", "INSERT INTO t VALUES (5)")
    monkeypatch.setattr(doctor_sequences, "_READ_WHOLE", 0)
    (found,) = findings(url)
    assert codes([found]) == [("warning", "not-looked-at")]
    assert "the sequence of public.t.id: not looked at: it has no index, and is large" in (
        found.message
    )


def test_a_look_that_takes_too_long_says_what_it_did_not_see(
    url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_look, "LOOK_SECONDS", -1.0)
    found = findings(url)
    assert {*codes(found)} == {("warning", "not-looked-at")}
    assert len(found) == 9
    assert found[0].message.startswith("INVALID indexes: not looked at: the look has taken ")


def leave_a_copy(url: URL) -> None:
    """Let a REINDEX CONCURRENTLY end before it is done."""
    execute(url, *PARENT)
    with connect(url) as other, other.begin():
        other.exec_driver_sql("UPDATE child SET parent_id = 1")
        execute(
            url,
            "SET lock_timeout = '200ms'",
            "REINDEX INDEX CONCURRENTLY child_parent_id_idx",
            may_fail=True,
        )


def test_what_a_reindex_leaves_is_named_and_not_its_original(url: URL) -> None:
    leave_a_copy(url)
    (found,) = findings(url)
    assert codes([found]) == [("warning", "left-over-index")]
    assert "the index public.child_parent_id_idx_ccnew is left of a REINDEX" in found.message
    treat(url, found)
    assert findings(url) == ()


def test_an_index_that_is_being_built_is_no_finding(url: URL) -> None:
    execute(url, *PARENT)
    builder = threading.Thread(
        target=execute,
        args=(url, "SET statement_timeout = '2s'", "CREATE INDEX CONCURRENTLY slow ON child (id)"),
        kwargs={"may_fail": True},
    )
    with connect(url) as older, older.begin():
        older.exec_driver_sql("UPDATE child SET parent_id = 1")
        builder.start()
        wait_for_session(url, WAITING)
        assert execute(url, "SELECT 1 FROM pg_index WHERE NOT indisvalid")
        assert findings(url) == ()
        builder.join()
    assert codes(findings(url)) == [("error", "invalid-index")]


@pytest.mark.parametrize(
    "healthy",
    [
        ("CREATE TABLE t (id serial PRIMARY KEY)", "INSERT INTO t DEFAULT VALUES"),
        ("CREATE TABLE t (id serial PRIMARY KEY)", "INSERT INTO t VALUES (-5)"),
        (
            "CREATE SEQUENCE s INCREMENT 2",
            "CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s'))",
            "INSERT INTO t VALUES (2), (8)",
        ),
        (
            "CREATE SEQUENCE s MAXVALUE 3 CYCLE",
            "CREATE TABLE t (id int DEFAULT nextval('s'))",
            "INSERT INTO t VALUES (2)",
        ),
        (*PARENT, "DELETE FROM child", REFERENCE, "CREATE INDEX ON child (parent_id, id)"),
        (
            *PARENT,
            "DELETE FROM child",
            REFERENCE,
            "DROP INDEX child_parent_id_idx",
            "CREATE INDEX ON child (parent_id) WHERE parent_id IS NOT NULL",
        ),
        (*PARTITIONED, "ALTER TABLE parts ADD PRIMARY KEY (id)"),
        ("CREATE TABLE parts (id int) PARTITION BY RANGE (id)", "CREATE INDEX ON ONLY parts (id)"),
        ("CREATE MATERIALIZED VIEW v AS SELECT 1",),
        ("CREATE TEMPORARY TABLE _alembic_tmp_t (id int)",),
    ],
)
def test_what_only_looks_like_it_is_no_finding(healthy: tuple[str, ...], url: URL) -> None:
    execute(url, *healthy)
    assert findings(url) == ()


@pytest.mark.parametrize("whose", ["role", "database"])
def test_sessions_in_which_no_foreign_key_is_enforced_are_named(
    whose: str, url: URL, give_settings: Callable[..., URL]
) -> None:
    give_settings(to=whose, session_replication_role="replica")
    (found,) = findings(url)
    severity = "error" if whose == "database" else "warning"
    assert codes([found]) == [(severity, "replica-sessions")]
    treat(url, found)
    assert findings(url) == ()


@pytest.fixture
def reader(url: URL) -> Iterator[URL]:
    """A role that may look at the record alone."""
    name = f"reader_of_{url.database}"
    tables = (
        "alembic_version, work_data_hub_identity, work_data_hub_in_progress, work_data_hub_journal"
    )
    execute(
        url,
        f"CREATE ROLE {name} LOGIN PASSWORD 'x'",
        f"GRANT SELECT ON {tables} TO {name}",
    )
    yield url.set(username=name, password="x")
    execute(url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_what_a_role_may_not_read_is_a_warning_and_all_else_is_looked_at(
    url: URL, reader: URL
) -> None:
    execute(
        url,
        *TABLE,
        f"ALTER TABLE {ODD} ADD CHECK (amount > 0) NOT VALID",
        "CREATE TABLE t (id serial PRIMARY KEY)",
        "CREATE TABLE _alembic_tmp_t AS SELECT 1 AS id",
        "CREATE MATERIALIZED VIEW v AS SELECT 1 WITH NO DATA",
    )
    execute(url, f'CREATE UNIQUE INDEX CONCURRENTLY u ON {ODD} ("e ""f")', may_fail=True)
    found = findings(reader)
    denied = "not looked at: permission denied for"
    assert [each.code for each in found] == [
        "invalid-index",
        "not-valid",
        "not-looked-at",
        "not-looked-at",
        "not-populated",
    ]
    assert f"it may hide duplicates ({denied} schema" in found[0].message
    assert f"rows of before may break it ({denied} schema" in found[1].message
    sequences = "the sequences of public.t.id, public.work_data_hub_journal.id"
    assert f"{sequences}: {denied} sequence t_id_seq" in found[2].message
    assert f"the rows of public._alembic_tmp_t: {denied} table" in found[3].message
    assert "pg_read_all_data" in found[2].hint
    execute(url, f"GRANT pg_read_all_data TO {reader.username}")
    assert "not-looked-at" not in {each.code for each in findings(reader)}


def test_rows_that_a_policy_hides_are_not_taken_for_all(url: URL, reader: URL) -> None:
    execute(
        url,
        "CREATE TABLE t (id serial PRIMARY KEY)",
        "INSERT INTO t VALUES (5)",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader.username}",
        f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {reader.username}",
    )
    (found,) = findings(reader)
    assert codes([found]) == [("warning", "not-looked-at")]
    assert "the sequence of public.t.id: not looked at: query would be affected" in found.message


def test_a_table_that_is_locked_does_not_hold_the_look_up(url: URL) -> None:
    execute(
        url,
        "CREATE TABLE t (id serial PRIMARY KEY)",
        "CREATE TABLE u (id serial PRIMARY KEY)",
        "INSERT INTO u VALUES (5)",
    )
    with connect(url) as other, other.begin():
        other.exec_driver_sql("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        found = findings(url)
    assert codes(found) == [("error", "sequence-behind"), ("warning", "not-looked-at")]
    assert "the sequence of public.t.id: not looked at: canceling statement" in found[1].message


def test_it_is_a_look_that_cannot_write_and_needs_no_more(url: URL) -> None:
    """A replica gives no other transactions than these."""
    execute(url, *PARENT, "CREATE TABLE t (id serial PRIMARY KEY)", "INSERT INTO t VALUES (5)")
    before = execute(url, "SELECT last_value, is_called FROM t_id_seq")
    replica = url.update_query_dict({"options": "-c default_transaction_read_only=on"})
    assert execute(replica, "SHOW transaction_read_only") == [("on",)]
    assert codes(findings(replica)) == [("error", "sequence-behind")]
    assert execute(url, "SELECT last_value, is_called FROM t_id_seq") == before


def test_names_mean_the_same_whatever_a_role_s_search_path_is(
    url: URL, give_settings: Callable[..., URL]
) -> None:
    execute(url, *TABLE, f"ALTER TABLE {ODD} ADD CHECK (amount > 0) NOT VALID")
    give_settings(to="database", search_path="public, pg_catalog", quote_all_identifiers="on")
    (found,) = findings(url)
    treat(url, found, f"UPDATE {ODD} SET amount = 1")
    assert findings(url) == ()
