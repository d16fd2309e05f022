"""An interrupted revision is repeated to what a clean upgrade makes, or a person is asked.

Sequences of statements are drawn from a grammar, some of them inside of an autocommit block, and
killed at each boundary. Anything that runs beside these rules belongs into the grammar.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st

from work_data_hub.errors import MigrationFailedError, WorkDataHubError
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

ON_BOTH = (
    "CREATE TABLE a (id int)",
    "CREATE TABLE IF NOT EXISTS a (id int)",
    "CREATE TABLE b AS SELECT * FROM base",
    "CREATE TABLE IF NOT EXISTS b AS SELECT * FROM base",
    "DROP TABLE IF EXISTS a",
    "DROP TABLE IF EXISTS b",
    "DROP TABLE IF EXISTS base_old",
    "ALTER TABLE base RENAME TO base_old",
    "ALTER TABLE base ADD COLUMN w int",
    "ALTER TABLE base DROP COLUMN extra",
    "INSERT INTO log VALUES (1)",
    "INSERT INTO log SELECT id FROM base",
    "INSERT INTO named VALUES ('x') ON CONFLICT DO NOTHING",
    "UPDATE log SET n = n + 1",
    "DELETE FROM log WHERE n = (SELECT min(n) FROM log)",
    "DELETE FROM log",
    "CREATE INDEX ix ON base (v)",
    "CREATE INDEX IF NOT EXISTS ix ON base (v)",
    "DROP INDEX IF EXISTS ix",
    "CREATE VIEW seen AS SELECT id FROM base",
    "DROP VIEW IF EXISTS seen",
    "SELECT count(*) FROM log",
    "ANALYZE",
    "VACUUM",
)
GRAMMAR = {
    "postgresql": (
        *ON_BOTH,
        "ALTER TABLE IF EXISTS base RENAME TO base_old",
        "ALTER TABLE base ADD COLUMN IF NOT EXISTS w int",
        "CREATE OR REPLACE VIEW seen AS SELECT id FROM base",
        "CREATE INDEX CONCURRENTLY cx ON base (v)",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS cx ON base (v)",
        "DROP INDEX CONCURRENTLY IF EXISTS cx",
        "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'good'",
        "ALTER TYPE mood ADD VALUE 'bad'",
        "CREATE SEQUENCE IF NOT EXISTS numbers",
        "SELECT nextval('counted')",
        "TRUNCATE log",
        "COMMENT ON TABLE base IS 'said'",
        "CREATE TABLE IF NOT EXISTS a (id int); INSERT INTO log VALUES (7)",
    ),
    "sqlite": (
        *ON_BOTH,
        "CREATE VIEW IF NOT EXISTS seen AS SELECT id FROM base",
        "CREATE TRIGGER IF NOT EXISTS t AFTER INSERT ON log BEGIN DELETE FROM named; END",
        "INSERT OR IGNORE INTO named VALUES ('y')",
        "INSERT OR REPLACE INTO base VALUES (1, 'again', 1)",
        "REPLACE INTO named VALUES ('z')",
        "REINDEX",
        "PRAGMA user_version = 7",
    ),
}
BASE = (
    "CREATE TABLE base (id int PRIMARY KEY, v text, extra int)",
    "INSERT INTO base VALUES (1, 'x', 1), (2, 'y', 2)",
    "CREATE TABLE log (n int)",
    "INSERT INTO log VALUES (10), (20)",
    "CREATE TABLE named (name text PRIMARY KEY)",
)
BASE_OF = {
    "postgresql": (*BASE, "CREATE TYPE mood AS ENUM ('so so')", "CREATE SEQUENCE counted"),
    "sqlite": BASE,
}
UPGRADE = """
import os
steps, begin, end = {steps!r}, {begin}, {end}
def at(number):
    if os.environ.get("KILLED_AT") == str(number):
        os.kill(os.getpid(), 9)
def run(first, last):
    for number in range(first, last):
        at(number)
        op.execute(steps[number])
run(0, begin)
with op.get_context().autocommit_block():
    run(begin, end)
    if end == len(steps):
        at(end)
run(end, len(steps))
at(len(steps))
"""
REVISION = '''"""Step 1."""
from alembic import op
revision, down_revision = "20260101_0001", "20260101_0000"


def upgrade() -> None:
{body}


def downgrade() -> None:
    pass
'''


@dataclass(frozen=True)
class Sequence:
    """Statements, those from begin to end inside of an autocommit block."""

    steps: tuple[str, ...]
    begin: int
    end: int


def sequences(engine: str) -> st.SearchStrategy[Sequence]:
    def with_block(steps: list[str]) -> st.SearchStrategy[Sequence]:
        places = st.integers(0, len(steps))
        return st.tuples(places, places).map(
            lambda pair: Sequence(tuple(steps), min(pair), max(pair))
        )

    statements = st.lists(st.sampled_from(GRAMMAR[engine]), min_size=3, max_size=6)
    return statements.flatmap(with_block)


class Case:
    """One history, and databases that it is run on."""

    def __init__(self, history: Path, run: Any, make_url: Callable[[], URL]) -> None:
        self._history, self._run, self._make_url = history, run, make_url
        self._numbers = iter(range(100_000))

    def project(self, sequence: Sequence) -> Path:
        # A folder for each: Python goes by size and second whether a file was compiled already.
        folder = self._history.with_name(f"history{next(self._numbers)}")
        shutil.copytree(self._history, folder)
        code = UPGRADE.format(steps=sequence.steps, begin=sequence.begin, end=sequence.end)
        body = "\n".join(f"    {line}" for line in code.strip().splitlines())
        versions = folder / "io/schema/migrations/versions"
        (versions / "20260101_0001_step_1.py").write_text(REVISION.format(body=body))
        return folder

    def based(self, project: Path) -> URL:
        url = self._make_url()
        self._run(project, url, "upgrade", "20260101_0000")
        return url

    def upgrade(self, project: Path, url: URL) -> WorkDataHubError | None:
        try:
            self._run(project, url, "upgrade", "head")
        except WorkDataHubError as error:
            return error
        return None


def content(url: URL) -> Any:
    """Everything that a revision could have made, and every row; read without the package."""
    ours = ("alembic_version", "work_data_hub_")
    with connect(url) as connection:
        ask = connection.exec_driver_sql
        if url.get_backend_name() == "sqlite":
            found = {
                str(name): str(text)
                for name, text in ask("SELECT name, sql FROM sqlite_master")
                if not str(name).startswith((*ours, "sqlite_"))
            }
            tables = [name for name, text in found.items() if text.startswith("CREATE TABLE")]
            schema: Any = (found, ask("PRAGMA user_version").scalar())
        else:
            queries = (
                "SELECT table_name, column_name, data_type FROM information_schema.columns"
                " WHERE table_schema = 'public'",
                "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
                "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid",
                "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public'",
                "SELECT enumlabel FROM pg_enum",
                # Not what they count, which no transaction takes back.
                "SELECT sequencename FROM pg_sequences",
                "SELECT description FROM pg_description WHERE objoid = to_regclass('base')",
            )
            schema = [
                sorted(
                    tuple(map(str, row)) for row in ask(query) if not str(row[0]).startswith(ours)
                )
                for query in queries
            ]
            listed = ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            tables = [str(name) for (name,) in listed if not str(name).startswith(ours)]
        rows = {
            name: sorted(tuple(map(str, row)) for row in ask(f'SELECT * FROM "{name}"'))
            for name in tables
        }
        return schema, rows


@pytest.fixture
def engine(make_url: Callable[[], URL]) -> str:
    return make_url().get_backend_name()


@pytest.fixture
def case(
    engine: str,
    make_url: Callable[[], URL],
    make_history: Any,
    revision_body: Any,
    run_alembic: Any,
) -> Case:
    base = "\n".join(f"op.execute({statement!r})" for statement in BASE_OF[engine])
    return Case(make_history([revision_body(base)]), run_alembic, make_url)


def test_the_grammar_is_wide(engine: str) -> None:
    assert len(set(GRAMMAR[engine])) >= 30


@given(data=st.data())
def test_a_repetition_ends_where_a_clean_upgrade_does_or_asks(
    case: Case, engine: str, in_a_child: Any, data: st.DataObject
) -> None:
    sequence = data.draw(sequences(engine))
    project = case.project(sequence)
    clean = case.based(project)
    assume(case.upgrade(project, clean) is None)
    wanted = content(clean)
    for boundary in range(len(sequence.steps) + 1):
        url = case.based(project)
        assert in_a_child(partial(case.upgrade, project, url), str(boundary)) == -9
        left = content(url)
        fault = case.upgrade(project, url)
        note(f"killed at {boundary}: {fault or 'repeated'}")
        if fault is None:
            assert content(url) == wanted
        else:
            assert isinstance(fault, MigrationFailedError)
            assert "was interrupted" in str(fault)
            assert content(url) == left
