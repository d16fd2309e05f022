"""Nobody is told that a schema is not as it should be, where nothing is wrong."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.snapshot import postgresql
from work_data_hub.io.schema.snapshot.drift import drift
from work_data_hub.io.schema.snapshot.reader import read_patiently, read_schema, read_within

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy.engine import URL

    from work_data_hub.domain.snapshot.schema import Snapshot

    Pooler = Callable[[URL, int], AbstractContextManager[URL]]

ORDERS = "op.execute('CREATE TABLE orders (id INTEGER PRIMARY KEY, note VARCHAR(20) NOT NULL)')\n"
MORE = "op.execute('CREATE TABLE more (id INTEGER PRIMARY KEY)')\n"
WIDER = "op.execute('ALTER TABLE orders ADD COLUMN amount INTEGER')\n"
WIDER_YET = "op.execute('ALTER TABLE orders ADD COLUMN total INTEGER')\n"
SEEN = "op.execute('CREATE VIEW seen AS SELECT id FROM orders WHERE amount > 0')\n"
FAILING = "raise ValueError('no')\n"
WAREHOUSE = """for statement in (
    'CREATE TABLE events (id serial, day date, price integer)',
    'CREATE INDEX ON events (price)',
    'ALTER TABLE events RENAME COLUMN price TO cost',
    'CREATE TABLE logs (day date) PARTITION BY RANGE (day)',
    'CREATE MATERIALIZED VIEW sums AS SELECT sum(cost) FROM events WITH NO DATA',
    'ALTER TABLE events ENABLE ROW LEVEL SECURITY',
    'CREATE POLICY own ON events TO CURRENT_USER USING (cost > 0)',
):
    op.execute(statement)
"""


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session in which an upgrade stops, as on production."""
    monkeypatch.setenv("WDH_DRIFT", "stop")


@pytest.fixture
def history(make_history: Any, revision_body: Any) -> Callable[..., Path]:
    """Write a project of revisions with these bodies; return its alembic.ini."""

    def write(*bodies: str) -> Path:
        project: Path = make_history([revision_body(body) for body in bodies])
        return project / "alembic.ini"

    return write


def execute(url: URL, *statements: str) -> None:
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in statements:
            connection.exec_driver_sql(statement)


def differing(url: URL, ini: Path) -> list[str]:
    server = url if url.get_backend_name() == "postgresql" else None
    found = drift(url, server=server, alembic_ini=ini)
    return [str(mend.difference) for mend in found.mends]


def test_what_a_run_left_that_failed_half_way_is_its_own(
    history: Callable[..., Path], database_url: URL
) -> None:
    migration_runner.upgrade(database_url, alembic_ini=history(ORDERS))
    with pytest.raises(Exception, match="no"):
        migration_runner.upgrade(database_url, alembic_ini=history(ORDERS, WIDER, FAILING))
    ini = history(ORDERS, WIDER, MORE)
    assert migration_runner.status(database_url, alembic_ini=ini).problems == ()
    assert len(migration_runner.upgrade(database_url, alembic_ini=ini).steps) == 1


def test_what_an_interrupted_revision_committed_is_its_own(
    history: Callable[..., Path], database_url: URL
) -> None:
    block = "with op.get_context().autocommit_block():\n"
    ini = history(ORDERS, f"{block}    {WIDER}{FAILING}")
    migration_runner.upgrade(database_url, "+1", alembic_ini=ini)
    with pytest.raises(Exception, match="no"):
        migration_runner.upgrade(database_url, alembic_ini=ini)
    problems = migration_runner.status(database_url, alembic_ini=ini).problems
    assert [each.code for each in problems] == ["interrupted"]


def test_what_a_run_did_that_kept_nothing_is_its_own(
    history: Callable[..., Path], database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    ini = history(ORDERS, WIDER, MORE)
    migration_runner.upgrade(database_url, "+1", alembic_ini=ini)
    with monkeypatch.context() as without:
        without.setenv("WDH_DRIFT", "off")
        migration_runner.upgrade(database_url, "+1", alembic_ini=ini)
    assert len(migration_runner.upgrade(database_url, alembic_ini=ini).steps) == 1


def test_what_pipelines_make_may_go_as_it_came(
    history: Callable[..., Path], database_url: URL
) -> None:
    ini = history(ORDERS, MORE, WIDER, WIDER_YET)
    migration_runner.upgrade(database_url, "+1", alembic_ini=ini)
    execute(database_url, "CREATE TABLE made (id INTEGER)", "CREATE VIEW seen AS SELECT 1 AS one")
    migration_runner.upgrade(database_url, "+1", alembic_ini=ini)
    execute(database_url, "ALTER TABLE made ADD COLUMN other INTEGER", "DROP VIEW seen")
    migration_runner.upgrade(database_url, "+1", alembic_ini=ini)
    execute(database_url, "DROP TABLE made")
    assert len(migration_runner.upgrade(database_url, alembic_ini=ini).steps) == 1

    execute(database_url, "DROP TABLE more")
    (found,) = migration_runner.status(database_url, alembic_ini=ini).problems
    assert found.code == "schema-changed"


def test_downgrades_and_upgrades_leave_what_the_revisions_make(
    make_history: Any, revision_body: Any, database_url: URL
) -> None:
    bodies = [
        revision_body(ORDERS, "op.execute('DROP TABLE orders')"),
        revision_body(WIDER, "op.drop_column('orders', 'amount')"),
        revision_body(SEEN, "op.execute('DROP VIEW seen')"),
    ]
    ini = make_history(bodies) / "alembic.ini"
    for revision in ("20260101_0001", "base"):
        migration_runner.upgrade(database_url, alembic_ini=ini)
        assert differing(database_url, ini) == []
        migration_runner.downgrade(database_url, revision, alembic_ini=ini)
        assert differing(database_url, ini) == []


def test_a_schema_that_was_made_without_the_framework_is_stamped(
    history: Callable[..., Path], database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database_url.get_backend_name() == "postgresql":
        server = database_url.render_as_string(hide_password=False)
        monkeypatch.setenv("WDH_TEST_DATABASE_URI", server)
    ini = history(ORDERS, WIDER, SEEN)
    made = (body.split("'")[1] for body in (ORDERS, WIDER, SEEN))
    execute(database_url, *made)
    assert migration_runner.stamp(database_url, alembic_ini=ini).after == ("20260101_0002",)


def test_rows_and_maintenance_are_no_drift(
    history: Callable[..., Path], postgresql_url: URL
) -> None:
    ini = history(WAREHOUSE, MORE)
    migration_runner.upgrade(postgresql_url, "+1", alembic_ini=ini)
    execute(
        postgresql_url,
        "INSERT INTO events (day, cost) VALUES ('2026-01-01', 3)",
        "REFRESH MATERIALIZED VIEW sums",
        "CREATE INDEX CONCURRENTLY mine ON events (id)",
        "CLUSTER events USING mine",
        "VACUUM FULL",
        "REINDEX TABLE CONCURRENTLY events",
        "ANALYZE",
        "DROP INDEX mine",
        "CREATE TABLE logs_2026 PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
        # Whoever loads may own most.
        *(f"CREATE TABLE loaded_{number} (id integer)" for number in range(4)),
        "CREATE ROLE loader_of_no_alarm",
        *(f"ALTER TABLE loaded_{number} OWNER TO loader_of_no_alarm" for number in range(4)),
    )
    try:
        assert migration_runner.status(postgresql_url, alembic_ini=ini).problems == ()
        extra = [f"table public.loaded_{number} is extra (with 1 column)" for number in range(4)]
        logs = "table public.logs_2026 is extra (with 1 column)"
        assert sorted(differing(postgresql_url, ini)) == sorted([*extra, logs])
        assert len(migration_runner.upgrade(postgresql_url, alembic_ini=ini).steps) == 1
    finally:
        execute(postgresql_url, "DROP OWNED BY loader_of_no_alarm", "DROP ROLE loader_of_no_alarm")


def test_a_transaction_pooler_is_no_drift(
    history: Callable[..., Path], postgresql_url: URL, transaction_pooler: Pooler
) -> None:
    ini = history(WAREHOUSE, MORE)
    with transaction_pooler(postgresql_url, 2) as url:
        migration_runner.upgrade(url, "+1", alembic_ini=ini)
        assert migration_runner.status(url, alembic_ini=ini).problems == ()
        assert drift(url, server=postgresql_url, alembic_ini=ini).mends == ()
        assert len(migration_runner.upgrade(url, alembic_ini=ini).steps) == 1


def test_what_is_in_public_is_nothing_to_a_history_elsewhere(
    history: Callable[..., Path], postgresql_url: URL
) -> None:
    ini = history(ORDERS)
    execute(postgresql_url, "CREATE SCHEMA tenant", "CREATE TABLE of_others (id integer)")
    url = postgresql_url.update_query_dict({"options": "-csearch_path=tenant"})
    migration_runner.upgrade(url, alembic_ini=ini)
    found = drift(url, server=postgresql_url, alembic_ini=ini)
    assert found.mends == ()
    assert "schema public: no revision makes it" in found.left_out


def test_what_comes_and_goes_while_it_is_read_ends_no_reading(postgresql_url: URL) -> None:
    execute(postgresql_url, "CREATE TABLE base (id integer PRIMARY KEY)")
    is_over = threading.Event()

    def come_and_go() -> None:
        while not is_over.is_set():
            execute(
                postgresql_url,
                "CREATE SCHEMA busy",
                "CREATE TABLE busy.t (a integer CHECK (a > 1) REFERENCES base, b integer UNIQUE)",
                "CREATE VIEW busy.v AS SELECT * FROM busy.t",
                "CREATE STATISTICS busy.s ON a, b FROM busy.t",
                "DROP SCHEMA busy CASCADE",
            )

    def one_moment() -> Snapshot:
        with postgresql.consistent(connection):
            return read_schema(connection)

    other = threading.Thread(target=come_and_go)
    other.start()
    try:
        with connect(postgresql_url, read_only=True) as connection:
            looks = [read_patiently(one_moment) for _ in range(5)]
            looks += [read_within(connection) for _ in range(10)]
    finally:
        is_over.set()
        other.join()
    assert all(("table", "public.base") in look.by_key for look in looks)
