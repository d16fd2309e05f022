"""What is unhealthy about a SQLite database is named, and goes by what its hint says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.checkups import codes, execute, findings, treat

from work_data_hub.domain.snapshot.checkup import Mended
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.snapshot import doctor_look

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

PARENT = (
    "PRAGMA foreign_keys = OFF",
    'CREATE TABLE "a ""b" ("c d" INTEGER PRIMARY KEY, e TEXT)',
    'INSERT INTO "a ""b" VALUES (1, \'x\')',
)
CHILD = """CREATE TABLE "f'g" (id INTEGER PRIMARY KEY, "h i" INTEGER REFERENCES "A ""b" {})"""
INDEX = """CREATE INDEX ix ON "f'g" ("h i")"""
COUNTED = (
    """CREATE TABLE "j'k" ("l m" INTEGER PRIMARY KEY AUTOINCREMENT)""",
    """INSERT INTO "j'k" VALUES (1), (2)""",
)


class Illness(NamedTuple):
    """How it is caught, how it is known, and what a person does before the hint's statement."""

    made_by: tuple[str, ...]
    code: str
    words: str
    corrections: tuple[str, ...] = ()
    severity: str = "error"


ILLNESSES = {
    "rows without what they reference": Illness(
        (*PARENT, CHILD.format(""), INDEX, """INSERT INTO "f'g" VALUES (1, 1), (5, 7), (6, 8)"""),
        "foreign-key-violations",
        """2 rows of "f'g" ("h i") reference no row of "A ""b" (rowid 5, 6)""",
        ("PRAGMA foreign_keys = OFF", """UPDATE "f'g" SET "h i" = 1 WHERE id > 1"""),
    ),
    "one row of a table without rowids": Illness(
        (
            *PARENT,
            CHILD.format('("c d")') + " WITHOUT ROWID",
            INDEX,
            """INSERT INTO "f'g" VALUES (5, 7)""",
        ),
        "foreign-key-violations",
        """1 row of "f'g" ("h i") references no row of "A ""b\"""",
        ("PRAGMA foreign_keys = OFF", """DELETE FROM "f'g\""""),
    ),
    "a reference to what is not unique": Illness(
        (*PARENT, CHILD.format("(e)"), INDEX),
        "reference-mismatch",
        """"f'g" ("h i") references what is not unique in "A ""b\"""",
    ),
    "a foreign key without an index": Illness(
        (*PARENT, CHILD.format("")),
        "unindexed-reference",
        """the foreign key of "f'g" ("h i") has no index""",
        severity="warning",
    ),
    "an empty table of a batch": Illness(
        ('CREATE TABLE "o p" (id INT)', 'CREATE TABLE "_alembic_tmp_o p" (id INT)'),
        "left-of-batch",
        '"_alembic_tmp_o p" is left of a batch_alter_table that was interrupted, and is empty',
    ),
    "a table of a batch with rows": Illness(
        ('CREATE TABLE "o p" (id INT)', 'CREATE TABLE "_alembic_tmp_o p" AS SELECT 1 AS id'),
        "left-of-batch",
        "interrupted, and has rows",
    ),
    "a table of a batch that is the only copy": Illness(
        ('CREATE TABLE "_alembic_tmp_o p" AS SELECT 1 AS id',),
        "left-of-batch",
        "the table that it was to replace is not there: it may hold the only copy",
    ),
    "a counter that rows have overtaken": Illness(
        (*COUNTED, """UPDATE "j'k" SET "l m" = 9 WHERE "l m" = 2"""),
        "sequence-behind",
        """the AUTOINCREMENT counter of "j'k" is at 2, and "l m" has 9 already""",
        severity="warning",
    ),
    "a counter that is gone": Illness(
        (*COUNTED, "DELETE FROM sqlite_sequence"),
        "sequence-behind",
        """the AUTOINCREMENT counter of "j'k" is at 0, and "l m" has 2 already""",
        severity="warning",
    ),
    "an index that is not that of its table": Illness(
        (
            "CREATE TABLE t (a INT, b INT)",
            "CREATE INDEX ti ON t (a)",
            "INSERT INTO t VALUES (1, 2), (3, 4)",
            "PRAGMA writable_schema = ON",
            "UPDATE sqlite_master SET sql = 'CREATE INDEX ti ON t (b)' WHERE name = 'ti'",
        ),
        "damaged",
        "SQLite's integrity_check says: row 1 missing from index ti and ",
    ),
}


@pytest.fixture
def url(sqlite_url: URL) -> URL:
    """A healthy database."""
    migration_runner.upgrade(sqlite_url)
    migration_runner.seed(sqlite_url)
    assert findings(sqlite_url) == ()
    return sqlite_url


@pytest.mark.parametrize("name", ILLNESSES)
def test_what_is_unhealthy_is_named_and_goes_by_what_the_hint_says(name: str, url: URL) -> None:
    illness = ILLNESSES[name]
    execute(url, *illness.made_by)
    (found,) = findings(url)
    assert (found.severity, found.code) == (illness.severity, illness.code)
    assert illness.words in found.message
    treat(url, found, *illness.corrections)
    assert findings(url) == ()


MENDED = {
    "an empty table of a batch": "DROP TABLE",
    "a counter that rows have overtaken": "UPDATE sqlite_sequence",
    "a counter that is gone": "INSERT INTO sqlite_sequence",
}


@pytest.mark.parametrize("name", ILLNESSES)
def test_what_can_do_no_harm_is_done_and_nothing_else(name: str, url: URL) -> None:
    execute(url, *ILLNESSES[name].made_by)
    checkup = migration_runner.doctor(url)
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


def test_a_reference_to_a_table_that_is_gone_is_named(url: URL) -> None:
    execute(url, *PARENT, CHILD.format('("c d")'), INDEX, 'DROP TABLE "a ""b"')
    (found,) = findings(url)
    assert codes([found]) == [("error", "reference-mismatch")]
    assert """references "A ""b", which is not there""" in found.message
    execute(url, PARENT[1])
    assert findings(url) == ()


@pytest.mark.parametrize(
    "healthy",
    [
        (*PARENT, CHILD.format(""), """CREATE INDEX ix ON "f'g" ("H I", id)"""),
        (*PARENT, 'CREATE TABLE t (id INTEGER PRIMARY KEY REFERENCES "a ""b")'),
        (*PARENT, 'CREATE TABLE t (a INT REFERENCES "a ""b", b INT, PRIMARY KEY (a, b))'),
        (*COUNTED, """DELETE FROM "j'k\""""),
        ("CREATE TABLE t (a TEXT DEFAULT 'AUTOINCREMENT')",),
        ("CREATE VIRTUAL TABLE words USING fts5(word)", "INSERT INTO words VALUES ('a')"),
    ],
)
def test_what_only_looks_like_it_is_no_finding(healthy: tuple[str, ...], url: URL) -> None:
    execute(url, *healthy)
    assert findings(url) == ()


def test_a_look_ends_in_time_and_says_what_it_did_not_see(
    url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(
        url,
        "CREATE TABLE t (a INT)",
        "WITH RECURSIVE n (a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n WHERE a < 200000)"
        " INSERT INTO t SELECT a FROM n",
        "CREATE TABLE _alembic_tmp_t (a INT)",
    )
    monkeypatch.setattr(doctor_look, "STATEMENT_SECONDS", 0.0)
    found = findings(url)
    assert codes(found) == [("error", "left-of-batch"), ("warning", "not-looked-at")]
    assert found[1].message == "the file: not looked at: interrupted"


def test_a_file_of_which_a_page_is_damaged_is_an_error_wherever_it_is(url: URL) -> None:
    execute(
        url,
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)",
        "CREATE INDEX tb ON t (b)",
        "WITH RECURSIVE n (a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n WHERE a < 300)"
        " INSERT INTO t SELECT a, hex(randomblob(20)) FROM n",
    )
    file = Path(str(url.database))
    whole = file.read_bytes()
    (size,) = execute(url, "PRAGMA page_size")[0]
    used = {
        number
        for (number,) in execute(url, "SELECT rootpage FROM sqlite_master WHERE tbl_name = 't'")
    }
    assert len(used) == 2
    for page in used:
        for damage in (b"\xff" * 60, b"\x00" * 60, b"\x0d\x00\x00\xff\xff" * 12):
            start = (page - 1) * size
            file.write_bytes(whole[:start] + damage + whole[start + len(damage) :])
            assert ("error", "damaged") in codes(findings(url)), (page, damage)


def test_nothing_is_written_and_no_file_is_made(url: URL) -> None:
    file = Path(str(url.database))
    before = file.read_bytes()
    findings(url)
    assert file.read_bytes() == before
    missing = url.set(database=f"{url.database}.not-there")
    assert findings(missing) == ()
    assert not Path(str(missing.database)).exists()
