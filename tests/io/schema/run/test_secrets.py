"""A secret in a revision or a seed file is neither stored nor printed, whatever becomes of it."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.cli.command import main
from work_data_hub.errors import MigrationFailedError, SeedFailedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.database.seed_file import load_seeds
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

SECRET = "hunter2"
FROM_ENVIRONMENT = 'import os\npassword = os.environ.get("APP_PASSWORD", "hunter2")\n'
BLOCK = "with op.get_context().autocommit_block():\n"
TABLE = "op.execute('CREATE TABLE users (name text, password text)')\n"
INSERT = "INSERT INTO users (name, password) VALUES ('app', '{password}')"
STATEMENTS = {
    "insert": INSERT,
    "comment": "/* postgresql://u:{password}@h/x */ " + INSERT,
    "update": "UPDATE users SET password = '{password}'",
}
ONLY_POSTGRESQL = {
    "user": "CREATE USER {user} ENCRYPTED PASSWORD '{password}'",
    "alter": "CREATE USER {user}; ALTER USER {user} PASSWORD $pw${password}$pw$",
    "formatted": "DO $do$ BEGIN EXECUTE format('CREATE USER {user} PASSWORD %L', '{password}');"
    " END $do$",
    "connection": "DO $do$ BEGIN PERFORM 'host=h password={password}'; END $do$",
}
FAILING = {
    "raised": "raise RuntimeError(f'cannot log in: password={password}')",
    "no such table": "op.execute(f\"INSERT INTO missing (password) VALUES ('{password}')\")",
    "a quote": "op.execute(f\"UPDATE users SET password = 'it's{password}'\")",
    "a parameter": "op.get_bind().execute(sa.text('UPDATE missing SET password = :p'),"
    " {'p': password})",
    "a url": "raise RuntimeError(f'cannot reach postgresql://u:{password}@h/x')",
}


def stored(url: URL) -> str:
    """All that the framework has written into a database."""
    with connect(url) as connection:
        names = [name for name in sa.inspect(connection).get_table_names() if "work_data" in name]
        assert len(names) == 3
        found = [list(connection.exec_driver_sql(f"SELECT * FROM {name}")) for name in names]
    return repr(found)


def run(project: Path, url: URL) -> MigrationFailedError:
    with pytest.raises(MigrationFailedError) as failed:
        migration_runner.upgrade(url, alembic_ini=project / "alembic.ini")
    return failed.value


def code_of(statement: str, url: URL) -> str:
    text = statement.replace("{user}", f"u{str(url.database)[-8:]}")
    return f'{FROM_ENVIRONMENT}{TABLE}{BLOCK}    op.execute(f"""{text}""")\n'


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[Path, URL], str]:
    """Look at a database through every door that shows what was stored."""

    def look(project: Path, url: URL) -> str:
        ini = project / "alembic.ini"
        status = migration_runner.status(url, alembic_ini=ini)
        entries = migration_runner.journal(url, alembic_ini=ini)
        which = ["--database-url", url.render_as_string(hide_password=False), "--config", str(ini)]
        for verb in (["status", "--json"], ["status"], ["journal"]):
            assert main(["db", *verb, *which]) == 0
        return repr((status, entries, capsys.readouterr()))

    return look


@pytest.mark.parametrize("name", [*STATEMENTS, *ONLY_POSTGRESQL])
def test_an_interrupted_statement_is_marked_without_its_secret(
    name: str, database_url: URL, make_history: Any, revision_body: Any, told: Any
) -> None:
    if name in ONLY_POSTGRESQL and database_url.get_backend_name() != "postgresql":
        with connect(database_url) as connection, pytest.raises(sa.exc.OperationalError):
            connection.exec_driver_sql(ONLY_POSTGRESQL[name])
        return
    statement = {**STATEMENTS, **ONLY_POSTGRESQL}[name]
    code = code_of(statement, database_url) + "    raise RuntimeError('in the block')\n"
    project = make_history([revision_body(code)])
    fault = run(project, database_url)
    again = run(project, database_url)
    assert statement[:6] in again.message
    assert "***" in again.message
    shown = "".join(traceback.format_exception(again)) + "".join(traceback.format_exception(fault))
    for text in (shown, stored(database_url), told(project, database_url)):
        assert SECRET not in text


@pytest.mark.parametrize("failing", FAILING)
def test_a_failed_revision_is_recorded_and_told_without_its_secret(
    failing: str, database_url: URL, make_history: Any, revision_body: Any, told: Any
) -> None:
    code = FROM_ENVIRONMENT + TABLE + FAILING[failing]
    project = make_history([revision_body(code)])
    fault = run(project, database_url)
    (entry,) = migration_runner.journal(database_url, alembic_ini=project / "alembic.ini")
    assert entry.outcome == "failed"
    assert entry.detail
    shown = "".join(traceback.format_exception(fault))
    for text in (shown, stored(database_url), told(project, database_url)):
        assert SECRET not in text


def test_what_an_older_version_stored_is_not_printed(
    database_url: URL, make_history: Any, revision_body: Any, told: Any
) -> None:
    code = f"{BLOCK}    op.execute('CREATE TABLE a (x int)')\n    raise RuntimeError\n"
    project = make_history([revision_body(code)])
    run(project, database_url)
    statement = INSERT.format(password=SECRET)
    mark = {"first": [statement], "count": 1, "may_be_repeated": False, "indexes": []}
    running = {"number": 2, "shown": statement, "may_be_repeated": False, "index": None}
    with connect(database_url) as connection, connection.begin():
        connection.execute(
            sa.text("UPDATE work_data_hub_in_progress SET committed = :c, running = :r"),
            {"c": json.dumps({**mark, "session": None}), "r": json.dumps(running)},
        )
        connection.execute(
            sa.text("UPDATE work_data_hub_journal SET detail = :d"), {"d": f"password={SECRET}"}
        )
    assert "INSERT INTO users" in (found := told(project, database_url))
    assert SECRET not in found + str(run(project, database_url))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO missing (name, password) VALUES ('app', 'hunter2')",
        "UPDATE missing SET password = 'it's hunter2'",
        "CREATE USER app WTH PASSWORD 'hunter2'",
        "ROLLBACK; -- password 'hunter2'",
        "SELECT nothing_of_that_name('postgresql://u:hunter2@h/x')",
    ],
)
def test_a_seed_file_that_fails_is_named_without_its_secret(
    statement: str, database_url: URL, tmp_path: Path
) -> None:
    with connect(database_url) as connection, pytest.raises(SeedFailedError) as failed:
        load_seeds(connection, statement, path=tmp_path / "seeds.sql")
    assert statement[:6] in failed.value.statement
    assert SECRET not in f"{failed.value.for_people()} {failed.value.statement}"
