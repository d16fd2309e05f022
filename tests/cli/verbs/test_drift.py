"""`wdh db drift` says what is not as the revisions make it, and how to end that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.snapshot.reader import read_schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

ORDERS = """op.execute('''CREATE TABLE orders (
    id INTEGER PRIMARY KEY, note VARCHAR(20) NOT NULL, amount INTEGER DEFAULT 0
)''')
op.execute('CREATE INDEX orders_by_note ON orders (note)')
"""
MORE = "op.execute('CREATE TABLE more (id INTEGER PRIMARY KEY)')\n"


@pytest.fixture
def project(make_history: Any, revision_body: Any) -> Path:
    """A project of two revisions."""
    made: Path = make_history([revision_body(ORDERS), revision_body(MORE)])
    return made


@pytest.fixture
def url(project: Path, database_url: URL, monkeypatch: pytest.MonkeyPatch) -> URL:
    """A database at head; throw-away ones are made on its server."""
    if database_url.get_backend_name() == "postgresql":
        server = database_url.render_as_string(hide_password=False)
        monkeypatch.setenv("WDH_TEST_DATABASE_URI", server)
    migration_runner.upgrade(database_url, alembic_ini=project / "alembic.ini")
    return database_url


def execute(url: URL, *statements: str) -> None:
    with connect(url) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.commit()


def test_a_clean_upgrade_has_none(wdh: Callable[..., Any], project: Path, url: URL) -> None:
    said = wdh("drift", url=url, project=project)
    assert (said.exit_code, said.err) == (0, "")
    assert said.out.endswith("is what 20260101_0001 makes\n")
    assert wdh("drift", "--json", url=url, project=project).data["differences"] == []


def test_it_names_each_difference_with_what_ends_it(
    wdh: Callable[..., Any], project: Path, url: URL
) -> None:
    execute(url, "DROP INDEX orders_by_note", "CREATE TABLE stray (id INTEGER)")
    said = wdh("drift", url=url, project=project)
    assert said.exit_code == 1
    assert "is not what 20260101_0001 makes: 2 differences\n" in said.out
    assert "orders_by_note is missing\n" in said.out
    assert "    CREATE INDEX" in said.out
    assert "stray is extra (with 1 column)\n" in said.out
    assert "    -- DROP TABLE" in said.out  # nobody pastes that by accident

    found = wdh("drift", "--json", url=url, project=project).data["differences"]
    assert [(each["change"], each["kind"]) for each in found] == [
        ("missing", "index"),
        ("extra", "table"),
    ]
    assert [each["loses_data"] for each in found] == [False, True]


@pytest.mark.parametrize("wdh_engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize("option", [["--server", "{}"], ["--server={}"]], ids=" ".join)
def test_the_server_that_is_named_builds_what_it_is_compared_with(
    wdh: Callable[..., Any],
    project: Path,
    url: URL,
    option: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = url.render_as_string(hide_password=False)
    # It is the default alone, and nobody answers there.
    monkeypatch.setenv("WDH_TEST_DATABASE_URI", "postgresql://nobody@127.0.0.1:1/x")
    said = wdh("drift", *(word.format(server) for word in option), url=url, project=project)
    assert (said.exit_code, said.err) == (0, "")


def test_its_script_ends_the_drift(wdh: Callable[..., Any], project: Path, url: URL) -> None:
    execute(url, "DROP INDEX orders_by_note")
    script = wdh("drift", "--quiet", url=url, project=project).out
    statements = [line for line in script.splitlines() if not line.startswith("--")]
    with connect(url) as connection:
        raw = connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in "\n".join(statements).split(";\n"):
            if statement.strip():
                raw.exec_driver_sql(statement)
    assert wdh("drift", url=url, project=project).exit_code == 0


def test_a_database_that_was_stamped_by_hand_is_found_out(
    wdh: Callable[..., Any], project: Path, url: URL
) -> None:
    execute(url, "DROP TABLE more")
    said = wdh("drift", url=url, project=project)
    assert said.exit_code == 1
    assert "more is missing (with 1 column, 1 primary key)" in said.out


def test_a_database_below_head_is_held_to_its_own_revision(
    wdh: Callable[..., Any], project: Path, url: URL
) -> None:
    execute(url, "DROP TABLE more", "UPDATE alembic_version SET version_num = '20260101_0000'")
    said = wdh("drift", url=url, project=project)
    assert (said.exit_code, said.out.count("20260101_0000")) == (0, 1)


def test_it_says_what_it_looks_like_most(wdh: Callable[..., Any], project: Path, url: URL) -> None:
    execute(url, "DROP TABLE more")
    said = wdh("drift", "--closest", url=url, project=project)
    assert "\nit is what 20260101_0000 makes\n" in said.out

    execute(url, "DROP INDEX orders_by_note", "CREATE TABLE stray (id INTEGER)")
    said = wdh("drift", "--closest", url=url, project=project)
    assert (
        "\nit looks most like 20260101_0000: 1 of its objects are missing or other, 2" in said.out
    )
    closest = wdh("drift", "--closest", "--json", url=url, project=project).data["closest"]
    assert closest == {"revision": "20260101_0000", "missing": 1, "extra": 2}

    execute(url, "DROP TABLE stray", "DROP TABLE orders")
    said = wdh("drift", "--closest", url=url, project=project)
    assert "\nit is what base makes\n" in said.out
    assert (
        wdh("drift", "base", "--closest", "--json", url=url, project=project).data["closest"]
        is None
    )


@pytest.mark.parametrize("revision", ["20260101_0000", "20260101_00", "base"])
def test_it_may_be_held_to_another_revision(
    wdh: Callable[..., Any], project: Path, url: URL, revision: str
) -> None:
    if revision == "20260101_00":  # begins two ids
        assert wdh("drift", revision, url=url, project=project).exit_code == 3
        return
    said = wdh("drift", revision, url=url, project=project)
    assert said.exit_code == 1
    assert "more is extra" in said.out
    execute(url, "DROP TABLE more", *(["DROP TABLE orders"] if revision == "base" else []))
    assert wdh("drift", revision, url=url, project=project).exit_code == 0


def test_a_revision_that_is_not_there_is_refused(
    wdh: Callable[..., Any], project: Path, url: URL
) -> None:
    said = wdh("drift", "20990101_0000", url=url, project=project)
    assert said.exit_code == 3
    assert "20990101_0000" in said.err


def test_it_changes_nothing_and_needs_no_right_to(
    wdh: Callable[..., Any], project: Path, url: URL
) -> None:
    execute(url, "DROP INDEX orders_by_note")
    with connect(url, read_only=True) as connection:
        before = read_schema(connection)
        journal = connection.exec_driver_sql("SELECT count(*) FROM work_data_hub_journal").scalar()
    if url.get_backend_name() == "postgresql":
        execute(url, f'ALTER DATABASE "{url.database}" SET default_transaction_read_only = on')
    assert wdh("drift", url=url, project=project).exit_code == 1
    with connect(url, read_only=True) as connection:
        assert read_schema(connection) == before
        after = connection.exec_driver_sql("SELECT count(*) FROM work_data_hub_journal").scalar()
    assert after == journal


def test_what_a_rule_leaves_out_is_said_with_its_reason(
    wdh: Callable[..., Any], project: Path, url: URL
) -> None:
    ini = project / "alembic.ini"
    rule = "drift_ignore = table stray*: the loader's"
    text = ini.read_text(encoding="utf-8").replace("[alembic]\n", f"[alembic]\n{rule}\n", 1)
    ini.write_text(text, encoding="utf-8")
    execute(url, "CREATE TABLE stray_1 (id INTEGER)")
    said = wdh("drift", url=url, project=project)
    assert said.exit_code == 0
    assert "ignored: table " in said.out
    assert "stray_1 is extra (with 1 column) (table stray*: the loader's)\n" in said.out


@pytest.mark.parametrize("style", ["markdown", "github"])
def test_it_writes_for_reviews(
    wdh: Callable[..., Any], project: Path, url: URL, style: str
) -> None:
    execute(url, "DROP INDEX orders_by_note")
    said = wdh("drift", "--format", style, url=url, project=project)
    assert said.exit_code == 1
    if style == "github":
        assert said.out.startswith("::error title=drift-missing::index ")
        assert "CREATE INDEX" in said.out
        assert said.out.count("\n") == 1
    else:
        assert "```sql\n" in said.out
        assert said.out.startswith("## ")


def test_a_schema_of_others_is_not_compared_and_that_is_said(
    wdh: Callable[..., Any], project: Path, postgresql_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = postgresql_url.render_as_string(hide_password=False)
    monkeypatch.setenv("WDH_TEST_DATABASE_URI", server)
    migration_runner.upgrade(postgresql_url, alembic_ini=project / "alembic.ini")
    execute(
        postgresql_url,
        "CREATE SCHEMA billing",
        "CREATE TABLE billing.invoices (id integer)",
        "GRANT SELECT ON orders TO PUBLIC",
    )
    said = wdh("drift", url=postgresql_url, project=project)
    assert said.exit_code == 0, said.out
    assert "not compared: schema billing: no revision makes it\n" in said.out
    assert "not compared: grants: no revision decides on any\n" in said.out


def test_another_search_path_is_no_drift(
    wdh: Callable[..., Any], project: Path, postgresql_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = postgresql_url.render_as_string(hide_password=False)
    monkeypatch.setenv("WDH_TEST_DATABASE_URI", server)
    execute(
        postgresql_url,
        "CREATE SCHEMA own",
        f'ALTER DATABASE "{postgresql_url.database}" SET search_path TO own',
    )
    migration_runner.upgrade(postgresql_url, alembic_ini=project / "alembic.ini")
    said = wdh("drift", url=postgresql_url, project=project)
    assert said.exit_code == 0, said.out


def test_without_a_server_it_says_how_to_get_one(
    wdh: Callable[..., Any], project: Path, postgresql_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration_runner.upgrade(postgresql_url, alembic_ini=project / "alembic.ini")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    said = wdh("drift", url=postgresql_url, project=project)
    assert said.exit_code == 7
    assert "WDH_TEST_DATABASE_URI" in said.err
