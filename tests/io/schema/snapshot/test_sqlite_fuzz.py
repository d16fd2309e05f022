"""Any SQLite schema equals itself when it is dumped and loaded, or written in another style.

Its columns are what SQLite's own PRAGMAs say, and any schema is made of any other.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from hypothesis import assume, event, given, note, settings
from hypothesis import strategies as st

from work_data_hub.domain.snapshot.difference import differences
from work_data_hub.domain.snapshot.mending import mends
from work_data_hub.domain.sql.lexer import tokens, unquoted
from work_data_hub.io.schema.snapshot.sqlite import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from work_data_hub.domain.snapshot.schema import Snapshot

NAMES = ("a", "b c", "É", "Select", "rowid", 'q"x', "end", "MiXed")
COLUMNS = (
    "{0} INTEGER",
    "{0} TEXT NOT NULL DEFAULT 'it''s' COLLATE NOCASE",
    "{0} NUMERIC(10, 2) DEFAULT (abs(-3)) UNIQUE ON CONFLICT IGNORE",
    "{0} INT CONSTRAINT n NOT NULL ON CONFLICT FAIL REFERENCES t ON DELETE SET NULL",
    "{0} DEFAULT CURRENT_TIMESTAMP CHECK ({0} <> '-' AND (length({0}) > 1 OR {0} IS NULL))",
    "{0} INT GENERATED ALWAYS AS (id + (2 * 3)) STORED",
    "{0} REFERENCES p (x) DEFERRABLE INITIALLY DEFERRED",
    "{0} DEFAULT -1.5e3",
    "{0} INTEGER PRIMARY KEY DESC",
)
RULES = (
    "UNIQUE ({0}, {1} DESC)",
    'CONSTRAINT "u" UNIQUE ({1} COLLATE RTRIM)',
    "CONSTRAINT \"c k\" CHECK (CASE WHEN {0} = 1 THEN {1} ELSE 'x' || {1} END IS NOT 'y')",
    "CHECK ({0} NOT IN (1, -2, 'x') AND NOT ({1} BETWEEN 1 AND (2 = {0})))",
    "FOREIGN KEY ({0}, {1}) REFERENCES p (x, y) ON UPDATE CASCADE",
    "PRIMARY KEY (id, {0} DESC)",
)
AROUND = (
    "CREATE INDEX i1 ON t ({0}, {1} DESC)",
    "CREATE UNIQUE INDEX i2 ON t (lower({0}) COLLATE NOCASE, id) WHERE {1} IS NOT NULL",
    "CREATE VIEW v (x, y) AS SELECT {0}, count(*) FROM t WHERE ({1} LIKE '%x') GROUP BY {0}",
    "CREATE TRIGGER g1 BEFORE UPDATE OF {1}, {0} ON t BEGIN SELECT 1; DELETE FROM p; END",
    "CREATE TRIGGER g2 AFTER INSERT ON t WHEN (NEW.{0} > 1) BEGIN UPDATE p SET y = (1); END",
)


@st.composite
def schemas(draw: st.DrawFn) -> list[str]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=4, unique=True))
    written = ['"' + name.replace('"', '""') + '"' for name in names]
    columns = [draw(st.sampled_from(COLUMNS)).format(name) for name in written]
    rules = draw(st.lists(st.sampled_from(RULES), max_size=3, unique=True))
    around = draw(st.lists(st.sampled_from(AROUND), max_size=4, unique=True))
    lines = ["id INT", *columns, *(rule.format(*written) for rule in rules)]
    options = draw(st.sampled_from(("", "WITHOUT ROWID")))
    return [
        "CREATE TABLE p (x UNIQUE, y, UNIQUE (x, y))",
        f"CREATE TABLE t ({', '.join(lines)}) {options}",
        *(text.format(*written) for text in around),
    ]


def made(script: str) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    try:
        db.executescript(script)
    except sqlite3.Error:
        db.close()
        raise
    return db


def snapshot_of(script: str) -> Snapshot:
    with closing(made(script)) as db:
        return read(db)


def written_otherwise(draw: Callable[[st.SearchStrategy[str]], str], sql: str) -> Iterator[str]:
    """Yield the tokens of a statement in other case, quotes and with other spaces."""
    for token in tokens(sql):
        text = token.text
        if token.kind == "quoted":
            name = unquoted(text)
            text = draw(st.sampled_from((text, f"[{name}]", f"`{name}`")))
        elif token.kind == "word" and text.isascii() and text[0].isalpha():
            text = draw(st.sampled_from((text, text.upper(), text.lower(), text.swapcase())))
        # What has a meaning only together stays together.
        is_part = (token.kind == "mark" and text in "<>|!=-.") or text[0].isdigit()
        yield text if is_part else f" {text}" + draw(st.sampled_from((" ", "\n", "/* */", "--\n")))


@settings(max_examples=settings().max_examples * 10)
@given(st.data())
def test_a_schema_that_is_dumped_loaded_and_written_otherwise_equals_itself(
    data: st.DataObject,
) -> None:
    statements = data.draw(schemas())
    try:
        db = made(";".join(statements))
    except sqlite3.Error:
        event("SQLite does not take it")
        assume(False)
    with closing(db):
        found = read(db)
        script = "\n".join(db.iterdump())
        columns = db.execute("SELECT * FROM pragma_table_xinfo('t')").fetchall()
        keys = [*db.execute("SELECT * FROM pragma_foreign_key_list('t')")]
        parts = db.execute(
            "SELECT x.name, x.desc, x.coll FROM pragma_index_xinfo('i1') AS x WHERE x.key"
        ).fetchall()
    assert found == snapshot_of(script)
    other = ["".join(written_otherwise(data.draw, text)) for text in statements]
    note(other)
    assert list(map(str, differences(found, snapshot_of(";".join(other))))) == []
    agree(found, columns)
    assert sum(item.kind == "foreign key" for item in found) == len({key[0] for key in keys})
    if parts:
        told = found.by_key["index", "i1"].properties["columns"]
        assert isinstance(told, tuple)
        assert [text.endswith(" DESC") for text in told] == [bool(desc) for _, desc, _ in parts]


@settings(max_examples=settings().max_examples * 10)
@given(schemas(), schemas())
def test_any_schema_is_made_of_any_other_by_the_statements_that_mend_it(
    before: list[str], after: list[str]
) -> None:
    try:
        db = made(";".join(before))
        wanted = snapshot_of(";".join(after))
    except sqlite3.Error:
        event("SQLite does not take it")
        assume(False)
    db.isolation_level = None
    with closing(db):
        for mend in mends(wanted, read(db)):
            note(f"{mend.difference}: {mend.statements}")
            for statement in mend.statements:
                db.execute(statement)
        assert list(map(str, differences(wanted, read(db)))) == []
        assert not db.in_transaction


def agree(found: Snapshot, columns: list[tuple[Any, ...]]) -> None:
    """See whether the columns are what SQLite itself says of them."""
    keys = [i for i in found if i.kind == "primary key" and i.parent == "t"]
    by_name = {i.own_name: i.properties for i in found if i.kind == "column" and i.parent == "t"}
    assert len(by_name) == len(columns)
    for _, name, kind, not_null, default, _key, hidden in columns:
        told = by_name[name]
        assert told.get("type", "") == kind.upper()
        assert bool(told.get("generated")) == (hidden in (2, 3))
        assert bool(told.get("stored")) == (hidden == 3)
        assert bool(told.get("not null")) >= bool(not_null)
        assert (told.get("default") is None) == (default is None)
    assert len(keys) == any(column[5] for column in columns)
