"""A run keeps what the schema is, and the next one says whether it still is."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.cli.command import main
from work_data_hub.errors import RefusedError, UsageError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

ORDERS = "op.execute('CREATE TABLE orders (id INTEGER PRIMARY KEY, note VARCHAR(20) NOT NULL)')\n"
MORE = "op.execute('CREATE TABLE more (id INTEGER PRIMARY KEY)')\n"
GONE = "op.execute('DROP TABLE more')\n"
LOST = "ALTER TABLE orders DROP COLUMN note"
KEPT = "SELECT revision, checksum FROM work_data_hub_journal WHERE direction = 'schema' ORDER BY id"


@pytest.fixture
def ini(make_history: Any, revision_body: Any) -> Path:
    """A project of three revisions; the last two make and drop a table."""
    bodies = [revision_body(ORDERS), revision_body(MORE, GONE), revision_body(GONE, MORE)]
    project: Path = make_history(bodies)
    return project / "alembic.ini"


@pytest.fixture
def started(ini: Path, database_url: URL) -> URL:
    """A database at the first revision."""
    migration_runner.upgrade(database_url, "+1", alembic_ini=ini)
    return database_url


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session in which an upgrade stops, as on production."""
    monkeypatch.setenv("WDH_DRIFT", "stop")


def with_option(ini: Path, option: str) -> None:
    """Write an option into a project's configuration."""
    text = ini.read_text(encoding="utf-8")
    ini.write_text(text.replace("[alembic]\n", f"[alembic]\n{option}\n", 1), encoding="utf-8")


def execute(url: URL, *statements: str) -> None:
    with connect(url) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.commit()


def kept(url: URL) -> list[tuple[str, str]]:
    with connect(url, read_only=True) as connection:
        return [(row[0], row[1]) for row in connection.exec_driver_sql(KEPT)]


def test_a_run_keeps_one_fingerprint_at_its_end(ini: Path, database_url: URL) -> None:
    migration_runner.upgrade(database_url, alembic_ini=ini)
    ((revision, fingerprint),) = kept(database_url)
    assert revision == "20260101_0002"
    assert fingerprint.startswith("1:")

    migration_runner.downgrade(database_url, "20260101_0000", alembic_ini=ini)
    migration_runner.upgrade(database_url, "+1", alembic_ini=ini)
    revisions, fingerprints = zip(*kept(database_url), strict=True)
    assert revisions == ("20260101_0002", "20260101_0000", "20260101_0001")
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]  # one schema, and another


def test_it_is_no_step_and_decides_nothing(ini: Path, started: URL) -> None:
    steps = migration_runner.journal(started, alembic_ini=ini)
    assert [(entry.direction, entry.revision) for entry in steps] == [("upgrade", "20260101_0000")]
    found = migration_runner.status(started, alembic_ini=ini)
    assert [step.revision for step in found.pending] == ["20260101_0001", "20260101_0002"]
    assert found.problems == ()


def test_a_run_that_does_nothing_keeps_nothing(ini: Path, database_url: URL) -> None:
    migration_runner.upgrade(database_url, alembic_ini=ini)
    migration_runner.upgrade(database_url, alembic_ini=ini)
    assert len(kept(database_url)) == 1


def test_a_failed_run_keeps_nothing(make_history: Any, revision_body: Any, started: URL) -> None:
    failing = revision_body(MORE + "raise ValueError('no')\n")
    project = make_history([revision_body(ORDERS), failing])
    with pytest.raises(Exception, match="no"):
        migration_runner.upgrade(started, alembic_ini=project / "alembic.ini")
    assert [revision for revision, _ in kept(started)] == ["20260101_0000"]


def test_an_upgrade_says_what_somebody_changed_and_goes_on(
    ini: Path, started: URL, caplog: pytest.LogCaptureFixture
) -> None:
    execute(started, LOST)
    with caplog.at_level(logging.WARNING):
        result = migration_runner.upgrade(started, "+1", alembic_ini=ini)
    assert len(result.steps) == 1
    (said,) = [each.getMessage() for each in caplog.records if "wdh db drift" in each.getMessage()]
    assert said.startswith("1 object of the schema is not as the run of 20")

    caplog.clear()
    with caplog.at_level(logging.WARNING):
        migration_runner.upgrade(started, alembic_ini=ini)
    assert caplog.records == []  # it was kept as it is


@pytest.mark.usefixtures("strict")
def test_it_stops_before_anything_is_changed_and_the_way_out_works(ini: Path, started: URL) -> None:
    execute(started, LOST)
    with pytest.raises(RefusedError, match="1 object of the schema is not as the run") as refused:
        migration_runner.upgrade(started, alembic_ini=ini)
    assert refused.value.exit_code == 4
    assert migration_runner.current(started, alembic_ini=ini) == ("20260101_0000",)

    assert "`wdh db upgrade --confirm-drift`" in refused.value.hint
    url = started.render_as_string(hide_password=False)
    words = ["db", "upgrade", "--confirm-drift", "--config", f"{ini}", "--database-url", url]
    assert main(words) == 0
    assert migration_runner.current(started, alembic_ini=ini) == ("20260101_0002",)


def test_plain_alembic_has_the_same_way_out(ini: Path, started: URL, alembic: Any) -> None:
    execute(started, LOST)
    strict = {"WDH_DRIFT": "stop"}
    refused = alembic("upgrade", "head", url=started, cwd=ini.parent, env=strict)
    assert refused.returncode == 4, refused.stderr
    assert "alembic -x confirm-drift=yes" in refused.stderr
    done = alembic(
        "-x", "confirm-drift=yes", "upgrade", "head", url=started, cwd=ini.parent, env=strict
    )
    assert done.returncode == 0, done.stderr


def test_the_status_says_it_until_somebody_confirms_it(
    ini: Path,
    database_url: URL,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    migration_runner.upgrade(database_url, alembic_ini=ini)
    assert migration_runner.status(database_url, alembic_ini=ini).is_clear
    execute(database_url, LOST)
    for choice, severity in (("warn", "warning"), ("stop", "error")):
        monkeypatch.setenv("WDH_DRIFT", choice)
        (found,) = migration_runner.status(database_url, alembic_ini=ini).problems
        assert (found.code, found.severity) == ("schema-changed", severity)

    migration_runner.upgrade(database_url, alembic_ini=ini)
    assert not migration_runner.status(database_url, alembic_ini=ini).is_clear
    url = database_url.render_as_string(hide_password=False)
    words = ["db", "upgrade", "--confirm-drift", "--config", f"{ini}", "--database-url", url]
    assert main(words) == 0
    assert capsys.readouterr().out.endswith("is at 20260101_0002: recorded the schema as it is\n")
    assert migration_runner.status(database_url, alembic_ini=ini).is_clear


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE made_by_a_pipeline (id INTEGER)",
        "CREATE VIEW seen AS SELECT id FROM orders",
    ],
)
def test_what_comes_to_it_stops_nobody(ini: Path, started: URL, statement: str) -> None:
    execute(started, statement)
    assert migration_runner.upgrade(started, alembic_ini=ini).steps


@pytest.mark.usefixtures("strict")
def test_what_is_tuned_while_programs_run_stops_nobody(ini: Path, postgresql_url: URL) -> None:
    migration_runner.upgrade(postgresql_url, "+1", alembic_ini=ini)
    execute(
        postgresql_url,
        "ALTER TABLE orders SET (autovacuum_vacuum_scale_factor = 0.01)",
        "ALTER TABLE orders ALTER note SET STATISTICS 500",
        "COMMENT ON TABLE orders IS 'of the catalogue'",
        "GRANT SELECT ON orders TO PUBLIC",
        "CLUSTER orders USING orders_pkey",
        "INSERT INTO orders VALUES (1, 'x')",
    )
    assert migration_runner.upgrade(postgresql_url, alembic_ini=ini).steps


@pytest.mark.usefixtures("strict")
def test_what_a_rule_leaves_out_stops_nobody(ini: Path, started: URL) -> None:
    with_option(
        ini,
        "drift_ignore =\n    table tmp_*: the loader's\n    *.type orders.note: widened by hand",
    )
    execute(started, "CREATE TABLE tmp_1 (id INTEGER)")
    migration_runner.upgrade(started, "+1", alembic_ini=ini)
    execute(started, "DROP TABLE tmp_1")
    if started.get_backend_name() == "postgresql":
        execute(started, "ALTER TABLE orders ALTER note TYPE VARCHAR(30)")
    assert migration_runner.upgrade(started, alembic_ini=ini).steps


def test_a_rule_that_is_none_is_refused_before_anything_is_changed(
    ini: Path, database_url: URL
) -> None:
    with_option(ini, "drift_ignore = tmp_*")
    with pytest.raises(UsageError, match="drift_ignore"):
        migration_runner.upgrade(database_url, alembic_ini=ini)
    assert migration_runner.current(database_url, alembic_ini=ini) == ()


@pytest.mark.parametrize(
    ("session", "choice", "stops"),
    [
        ("prod", None, True),
        ("staging", None, False),
        ("prod", "warn", False),
        ("prod", "off", False),
        ("dev", "stop", True),
    ],
)
def test_prod_stops_unless_a_setting_says_otherwise(
    ini: Path,
    postgresql_url: URL,
    monkeypatch: pytest.MonkeyPatch,
    *,
    session: str,
    choice: str | None,
    stops: bool,
) -> None:
    monkeypatch.setenv("ENVIRONMENT", session)
    if choice is not None:
        monkeypatch.setenv("WDH_DRIFT", choice)
    migration_runner.upgrade(postgresql_url, "+1", alembic_ini=ini)
    assert len(kept(postgresql_url)) == (0 if choice == "off" else 1)
    execute(postgresql_url, LOST)
    if stops:
        with pytest.raises(RefusedError, match="not as the run of"):
            migration_runner.upgrade(postgresql_url, alembic_ini=ini)
    else:
        assert migration_runner.upgrade(postgresql_url, alembic_ini=ini).steps


def test_of_a_throw_away_database_nothing_is_kept(ini: Path, database_url: URL) -> None:
    migration_runner.upgrade(database_url, ephemeral=True, alembic_ini=ini)
    assert kept(database_url) == []


@pytest.mark.usefixtures("strict")
def test_a_stamp_is_somebody_elses_word_and_keeps_what_there_is(ini: Path, started: URL) -> None:
    execute(started, LOST)
    migration_runner.stamp(started, "20260101_0001", confirm_drift=True, alembic_ini=ini)
    assert [revision for revision, _ in kept(started)] == ["20260101_0000", "20260101_0001"]


@pytest.mark.usefixtures("strict")
def test_what_another_history_changes_is_no_drift(
    make_history: Any, revision_body: Any, make_postgresql_url: Callable[[], URL]
) -> None:
    url = make_postgresql_url()
    execute(url, "CREATE SCHEMA one", "CREATE SCHEMA two")
    ini = make_history([revision_body(each) for each in (MORE, GONE, MORE)]) / "alembic.ini"

    def of(schema: str) -> URL:
        return url.update_query_dict({"options": f"-csearch_path={schema}"})

    for schema in ("one", "two"):
        migration_runner.upgrade(of(schema), "+1", alembic_ini=ini)
    for revision in ("+1", "+1"):
        for schema in ("two", "one"):
            assert migration_runner.upgrade(of(schema), revision, alembic_ini=ini).steps
