"""A SQLite schema is the same snapshot however it was made, and another with every change."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from tests.sqlite_changes import CHANGES, SCHEMA

from work_data_hub.domain.snapshot.difference import differences
from work_data_hub.domain.snapshot.fingerprint import fingerprint_of
from work_data_hub.io.schema.engine import create_engine
from work_data_hub.io.schema.snapshot.sqlite import read
from work_data_hub.testing.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable

    from work_data_hub.domain.snapshot.schema import Snapshot

REPOSITORY = Path(__file__).parents[4]


def made(script: str) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    db.executescript(script)
    return db


def snapshot_of(script: str) -> Snapshot:
    with closing(made(script)) as db:
        return read(db)


def said(wanted: Snapshot, found: Snapshot) -> list[str]:
    assert (wanted == found) == (fingerprint_of(wanted).whole == fingerprint_of(found).whole)
    return [str(difference) for difference in differences(wanted, found)]


@pytest.mark.parametrize(("old", "new", "what", "how"), CHANGES)
def test_one_change_is_one_difference(old: str, new: str, what: str, how: str) -> None:
    assert SCHEMA.count(old) == 1
    before, after = snapshot_of(SCHEMA), snapshot_of(SCHEMA.replace(old, new))
    found = differences(before, after)
    changes = {"-": ["missing"], "+": ["extra"], "-+": ["missing", "extra"]}
    changes["renamed"] = ["renamed"]
    assert [each.change for each in found] == changes.get(how, ["different"])
    assert what in str(found[0].object)
    if how not in changes:
        told = set(how.replace("not null on,", "not null on conflict,").split(", "))
        assert all(any(part in name for part in told) for name in found[0].properties)
        assert len(found[0].properties) == len(told)
    assert fingerprint_of(before).whole != fingerprint_of(after).whole
    assert len(differences(after, before)) == len(found)


EQUAL = [
    ("CREATE TABLE t (a INT UNIQUE)", "CREATE TABLE t (a INT, UNIQUE (a))"),
    ("CREATE TABLE t (a INT PRIMARY KEY)", "CREATE TABLE t (a INT, PRIMARY KEY (a))"),
    ("CREATE TABLE t (a INT CHECK (a > 0))", "CREATE TABLE t (a INT, CHECK (a > 0))"),
    ("CREATE TABLE t (a REFERENCES t (a))", "CREATE TABLE t (a, FOREIGN KEY (a) REFERENCES t (a))"),
    ("CREATE TABLE t (a INTEGER PRIMARY KEY)", "CREATE TABLE t (a integer not null primary key)"),
    (
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b REFERENCES t)",
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b REFERENCES T (A) ON DELETE NO ACTION)",
    ),
    (
        "CREATE TABLE t (a REFERENCES t NOT DEFERRABLE)",
        "CREATE TABLE t (a REFERENCES t MATCH FULL)",
    ),
    (
        "CREATE TABLE t (a REFERENCES t DEFERRABLE)",
        "CREATE TABLE t (a REFERENCES t DEFERRABLE INITIALLY IMMEDIATE)",
    ),
    ("CREATE TABLE t (a TEXT UNIQUE NOT NULL)", "CREATE TABLE t (a TEXT NOT NULL UNIQUE)"),
    (
        "CREATE TABLE t (a, b, UNIQUE (a), CHECK (b))",
        "CREATE TABLE t (a, b, CHECK (b), UNIQUE (a))",
    ),
    ("CREATE TABLE t (a INT, b INT)", "CREATE TABLE t (b INT, a INT)"),
    (
        "CREATE TABLE t (a INT PRIMARY KEY) STRICT, WITHOUT ROWID",
        "create table T(A int,primary key(A))without rowid,strict",
    ),
    ('CREATE TABLE t ("a" INT)', "CREATE TABLE [t] (`a` INT /* a comment */)"),
    ("CREATE TABLE t (a VARCHAR (9))", "CREATE TABLE t (a varchar( 9 ))"),
    ('CREATE TABLE t (a "my Type")', "CREATE TABLE t (a MY TYPE)"),
    ("CREATE TABLE t (a DEFAULT 0)", "CREATE TABLE t (a DEFAULT (0))"),
    ("CREATE TABLE t (a DEFAULT 0)", "CREATE TABLE t (a DEFAULT false)"),
    ("CREATE TABLE t (a DEFAULT 1)", "CREATE TABLE t (a DEFAULT (TRUE))"),
    ("CREATE TABLE t (a DEFAULT 1)", "CREATE TABLE t (a DEFAULT +1)"),
    ("CREATE TABLE t (a DEFAULT -1)", "CREATE TABLE t (a DEFAULT ( - 1 ))"),
    ("CREATE TABLE t (a)", "CREATE TABLE t (a DEFAULT NULL)"),
    ("CREATE TABLE t (a DEFAULT 'x')", 'CREATE TABLE t (a DEFAULT "x")'),
    ("CREATE TABLE t (a DEFAULT 'x')", "CREATE TABLE t (a CONSTRAINT d DEFAULT x)"),
    (
        "CREATE TABLE t (a DEFAULT CURRENT_TIMESTAMP)",
        "CREATE TABLE t (a DEFAULT (current_timestamp))",
    ),
    ("CREATE TABLE t (a DEFAULT (abs(1)))", "CREATE TABLE t (a DEFAULT (ABS((1))))"),
    ("CREATE TABLE t (a NOT NULL)", "CREATE TABLE t (a CONSTRAINT n NOT NULL ON CONFLICT ABORT)"),
    ("CREATE TABLE t (a)", "CREATE TABLE t (a NULL COLLATE BINARY)"),
    ("CREATE TABLE t (a COLLATE NOCASE)", 'CREATE TABLE t (a COLLATE "nocase")'),
    (
        "CREATE TABLE t (a, b AS (a + 1))",
        "CREATE TABLE t (a, b GENERATED ALWAYS AS ((A+1)) VIRTUAL)",
    ),
    ("CREATE TABLE t (a, CHECK (a != 1))", "CREATE TABLE t (a, CHECK ((a) <> 1))"),
    ("CREATE TABLE t (a, CHECK (a <> 'x'))", 'CREATE TABLE t (a, CHECK ("a" <> "x"))'),
    (
        "CREATE TABLE t (a PRIMARY KEY) STRICT".replace("a ", "a INT "),
        "CREATE TABLE t (a INT NOT NULL PRIMARY KEY) STRICT",
    ),
    ("CREATE TABLE t (a, UNIQUE (a))", "CREATE TABLE t (a, UNIQUE (a COLLATE binary ASC))"),
    (
        "CREATE TABLE t (a COLLATE NOCASE); CREATE INDEX i ON t (a)",
        "CREATE TABLE t (a COLLATE NOCASE); CREATE INDEX I ON T ((a) COLLATE nocase ASC)",
    ),
    (
        "CREATE TABLE t (a); CREATE INDEX i ON t (lower(a) DESC) WHERE a IS NOT NULL",
        'CREATE TABLE t (a); create index i on t((LOWER("a"))desc)where((a is not null))',
    ),
    (
        "CREATE TABLE t (a); CREATE VIEW v AS SELECT a FROM t WHERE a <> 'A'",
        "CREATE TABLE t (a); CREATE VIEW V AS\n\tselect `A` from [t]\n\twhere (a != 'A') -- so",
    ),
    (
        "CREATE TABLE t (a, b); CREATE TRIGGER g BEFORE UPDATE OF a, b ON t BEGIN SELECT 1; END",
        "CREATE TABLE t (a, b); create trigger G update of B, a on T for each row begin"
        " select (1) ; end",
    ),
    (
        "CREATE VIRTUAL TABLE f USING fts5(a, content='')",
        "CREATE VIRTUAL TABLE f USING FTS5 (a,  content = '')",
    ),
    ("CREATE TABLE t (a, b); CREATE TABLE u (a)", "CREATE TABLE u (a); CREATE TABLE t (b, a)"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_what_means_the_same_is_the_same(one: str, other: str) -> None:
    first, second = snapshot_of(one), snapshot_of(other)
    assert len(first) > 0
    assert said(first, second) == []


DIFFERENT = [
    # Of a column's own key DESC makes it another one (sqlite.org/lang_createtable, ROWIDs).
    (
        "CREATE TABLE t (a INTEGER PRIMARY KEY DESC)",
        "CREATE TABLE t (a INTEGER, PRIMARY KEY (a DESC))",
    ),
    ("CREATE TABLE t (a INTEGER PRIMARY KEY)", "CREATE TABLE t (a INT PRIMARY KEY)"),
    ("CREATE TABLE t (a UNIQUE)", "CREATE TABLE t (a, CONSTRAINT u UNIQUE (a))"),
    ("CREATE TABLE t (a UNIQUE)", "CREATE TABLE t (a UNIQUE UNIQUE)"),
    ("CREATE TABLE t (a UNIQUE)", "CREATE TABLE t (a); CREATE UNIQUE INDEX u ON t (a)"),
    ("CREATE TABLE t (a DEFAULT 'null')", "CREATE TABLE t (a DEFAULT NULL)"),
    ("CREATE TABLE t (a DEFAULT 'true')", "CREATE TABLE t (a DEFAULT true)"),
    # An expression that is a constant is no name of a column.
    (
        'CREATE TABLE t ("1"); CREATE INDEX i ON t ("1")',
        'CREATE TABLE t ("1"); CREATE INDEX i ON t (1)',
    ),
    (
        'CREATE TABLE t ("null"); CREATE INDEX i ON t ("null")',
        'CREATE TABLE t ("null"); CREATE INDEX i ON t (NULL)',
    ),
    (
        "CREATE TABLE t (a REFERENCES t DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TABLE t (a REFERENCES t DEFERRABLE INITIALLY IMMEDIATE)",
    ),
    ("CREATE TABLE É (a)", "CREATE TABLE é (a)"),
    ('CREATE TABLE "a.b" (c)', 'CREATE TABLE a ("b.c")'),
    ("CREATE TABLE t (a, CONSTRAINT c CHECK (a))", "CREATE TABLE t (a, CONSTRAINT C CHECK (a))"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_means_something_else_is_not_the_same(one: str, other: str) -> None:
    assert said(snapshot_of(one), snapshot_of(other)) != []


def test_when_a_foreign_key_is_checked_is_said_in_the_words_of_sql() -> None:
    key = "CREATE TABLE t (a REFERENCES t (a) DEFERRABLE INITIALLY {})"
    deferred, immediate = (snapshot_of(key.format(when)) for when in ("DEFERRED", "IMMEDIATE"))
    assert said(deferred, immediate) == [
        "foreign key t foreign key (a):"
        " deferrable should be initially deferred and is initially immediate"
    ]


def test_names_are_shown_as_they_are_written() -> None:
    found = snapshot_of('CREATE TABLE Orders ("Order" INT, CONSTRAINT Ck CHECK ("Order" > 0))')
    assert [str(item) for item in found] == [
        "table Orders",
        'column Orders."Order"',
        "check Orders.Ck",
    ]
    assert [item.name for item in found] == ["orders", 'orders."order"', "orders.Ck"]
    assert [item.own_name for item in found] == ["Orders", "Order", "Ck"]
    assert said(snapshot_of("CREATE TABLE Orders (A)"), snapshot_of("CREATE TABLE Bills (A)")) == [
        "table Orders is missing; it may have been renamed: Bills"
    ]


@pytest.mark.parametrize(
    "name", ["two words", 'quo"te', "x'y", "new\nline", "größe", "select", "a.b"]
)
def test_any_name_will_do(name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    found = snapshot_of(
        f"CREATE TABLE {quoted} ({quoted} TEXT UNIQUE CHECK ({quoted} <> ''));"
        f"CREATE TABLE c (r REFERENCES {quoted} ({quoted}));"
        f'CREATE INDEX "i {name.replace(chr(34), "")}" ON {quoted} ({quoted});'
        f"CREATE VIEW v AS SELECT {quoted} FROM {quoted}"
    )
    kinds = [
        "table",
        "column",
        "check",
        "unique",
        "table",
        "column",
        "foreign key",
        "index",
        "view",
    ]
    assert [item.kind for item in found] == kinds
    assert next(iter(found)).own_name == name
    made_by_hand = snapshot_of(
        f"CREATE TABLE x (y TEXT UNIQUE CHECK (y <> '')); CREATE TABLE c (r REFERENCES x (y));"
        f'CREATE INDEX "i {name.replace(chr(34), "")}" ON x (y); CREATE VIEW v AS SELECT y FROM x;'
        f"ALTER TABLE x RENAME COLUMN y TO {quoted}; ALTER TABLE x RENAME TO {quoted}"
    )
    assert said(found, made_by_hand) == []


def test_a_column_that_was_added_or_renamed_is_as_one_made_from_the_start() -> None:
    made_at_once = snapshot_of(
        "CREATE TABLE t (a INT, b TEXT NOT NULL DEFAULT 'x' CHECK (b <> ''), UNIQUE (a));"
        "CREATE TABLE u (r REFERENCES t (a)); CREATE INDEX i ON t (lower(b)) WHERE b > 'a';"
        "CREATE VIEW v AS SELECT t.b FROM t JOIN u ON u.r = t.a;"
        "CREATE TRIGGER g AFTER INSERT ON t WHEN NEW.b = 'x' BEGIN DELETE FROM u; END"
    )
    made_step_by_step = snapshot_of(
        "CREATE TABLE old (a INT, UNIQUE (a));"
        "ALTER TABLE old ADD COLUMN was TEXT NOT NULL DEFAULT 'x' CHECK (was <> '');"
        "CREATE TABLE u (r REFERENCES old (a)); CREATE INDEX i ON old (lower(was)) WHERE was > 'a';"
        "CREATE VIEW v AS SELECT old.was FROM old JOIN u ON u.r = old.a;"
        "CREATE TRIGGER g AFTER INSERT ON old WHEN NEW.was = 'x' BEGIN DELETE FROM u; END;"
        "ALTER TABLE old RENAME COLUMN was TO b; ALTER TABLE old RENAME TO t;"
        "ALTER TABLE t ADD COLUMN c; ALTER TABLE t DROP COLUMN c"
    )
    assert said(made_at_once, made_step_by_step) == []


def test_alembics_rebuilds_change_nothing_but_what_they_were_asked(
    sqlite_url: sa.URL,
    revision_body: Any,
    make_history: Callable[..., Path],
    run_alembic: Callable[..., None],
) -> None:
    tables = SCHEMA[: SCHEMA.index("CREATE VIRTUAL")].split(";\n")[:-1]
    first = "\n".join(f"op.get_bind().exec_driver_sql({text!r})" for text in tables)
    rebuilds = [
        f"with op.batch_alter_table({table!r}, recreate='always') as batch:\n"
        f"    batch.alter_column({column!r}, type_={kind})"
        for kind in ("sa.Numeric(10, 3)", "sa.Numeric(10, 2)", "sa.Numeric(10, 3)")
        for table, column in (("parent", "amount"), ("pair", "z"))
    ]
    project = make_history([revision_body(first), *map(revision_body, rebuilds)])
    states = []
    for number in range(len(rebuilds) + 1):
        run_alembic(project, sqlite_url, "upgrade", f"20260101_{number:04}")
        with closing(sqlite3.connect(sqlite_url.database or "")) as db:
            states.append(read(db))
    assert said(states[0], snapshot_of("\n".join(f"{text};" for text in tables))) == []
    assert sorted(said(states[1], states[3])) == [
        "column pair.z: type should be INT and is NUMERIC(10, 3)",
        "column parent.amount: type should be NUMERIC(10, 3) and is NUMERIC(10, 2)",
    ]
    assert said(states[0], states[3]) == [said(states[1], states[2])[0]]
    assert said(states[2], states[6]) == []


def test_a_dump_that_is_loaded_is_the_same_every_time(tmp_path: Path) -> None:
    wanted = snapshot_of(SCHEMA)
    with closing(made(SCHEMA)) as db:
        script = "\n".join(db.iterdump())
    for number in range(2):
        file = tmp_path / f"{number}.db"
        with closing(sqlite3.connect(file)) as loaded:
            loaded.executescript(script)
        with closing(sqlite3.connect(file)) as again:
            assert said(wanted, read(again)) == []
            script = "\n".join(again.iterdump())


def test_vacuum_and_the_order_of_statements_change_nothing() -> None:
    statements = re.findall(
        r"CREATE (?:VIRTUAL )?TABLE .*?;\n|CREATE .*?;(?=\nCREATE|\n\Z)", SCHEMA, re.DOTALL
    )
    with closing(made(SCHEMA)) as db:
        before = read(db)
        db.execute("VACUUM")
        assert said(before, read(db)) == []
    tables = [text for text in statements if " TABLE " in text]
    others = [text for text in statements if " TABLE " not in text]
    assert (len(tables), len(others)) == (4, 5)
    turned = snapshot_of("\n".join([*reversed(tables), *reversed(others)]))
    assert said(before, turned) == []


def test_what_is_nobodys_schema_is_left_out() -> None:
    found = snapshot_of(
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a UNIQUE);"
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);"
        "CREATE TABLE work_data_hub_journal (id INTEGER PRIMARY KEY, history TEXT);"
        "CREATE INDEX j ON work_data_hub_journal (history); ANALYZE;"
        "CREATE VIRTUAL TABLE f USING fts5(a); CREATE TABLE f_other (a);"
        "CREATE TABLE _alembic_tmp_t (id INTEGER)"
    )
    tops = [str(item) for item in found if not item.parent]
    assert tops == ["table t", "virtual table f", "table f_other", "table _alembic_tmp_t"]


def test_an_object_has_the_statement_that_makes_it() -> None:
    found = snapshot_of(SCHEMA)
    statements = [item.made_by for item in found if item.made_by.startswith("CREATE")]
    assert len(statements) == 9
    made_again = snapshot_of(";\n".join(statements))
    assert said(found, made_again) == []
    column = found.by_key["column", "parent.name"]
    assert column.made_by == "name TEXT NOT NULL ON CONFLICT IGNORE DEFAULT 'nobody'"


def test_reading_changes_nothing_whatever_the_connection_is_like(tmp_path: Path) -> None:
    file = tmp_path / "read.db"
    with closing(sqlite3.connect(file)) as db:
        db.executescript(SCHEMA)
        db.execute("CREATE VIEW broken AS SELECT * FROM pair")
        db.execute("PRAGMA legacy_alter_table = ON")
        db.execute("ALTER TABLE pair RENAME TO couple")
        db.row_factory = sqlite3.Row
        wanted = read(db)
        states = [db.in_transaction]
        db.execute("BEGIN")
        db.execute("CREATE TABLE more (a)")
        assert said(wanted, read(db)) == ["table more is extra (with 1 column)"]
        assert [*states, db.in_transaction] == [False, True]
        db.rollback()
    file.chmod(0o400)
    content = file.read_bytes()
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as db:
        assert said(wanted, read(db)) == []
    assert file.read_bytes() == content
    assert ("view", "broken") in wanted.by_key


def test_tables_of_other_databases_are_none_of_it(tmp_path: Path) -> None:
    with closing(made("CREATE TABLE t (a)")) as db:
        db.execute("ATTACH ? AS other", (str(tmp_path / "other.db"),))
        db.execute("CREATE TABLE other.u (a)")
        db.execute("CREATE TEMP TABLE w (a)")
        assert [str(item) for item in read(db)] == ["table t", "column t.a"]


def test_a_table_that_cannot_be_taken_apart_is_there_as_it_is_written() -> None:
    with closing(made("CREATE TABLE t (a INT)")) as db:
        plain = read(db)
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE T (a INT,, B)'")
        (item,) = read(db)
    assert dict(item.properties) == {"definition": "CREATE TABLE t(a int,, b)"}
    assert len(plain) == 2


@pytest.mark.parametrize("project", [".", "examples/bookshop"])
def test_sqlalchemys_inspector_sees_nothing_else(project: str, sqlite_url: sa.URL) -> None:
    Project(REPOSITORY / project / "alembic.ini").upgrade(sqlite_url)
    engine = create_engine(sqlite_url)
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        found = read(raw)
        tables = [item.name for item in found if item.kind == "table"]
        assert tables
        seen: set[tuple[str, str]] = set()
        for table in tables:
            for column in inspector.get_columns(table):
                told = found.by_key["column", f"{table}.{column['name']}"].properties
                seen.add(("column", f"{table}.{column['name']}"))
                assert str(told["type"]) == column["type"].compile(connection.dialect)
                assert bool(told.get("not null")) == (not column["nullable"])
                assert (told.get("default") is None) == (column["default"] is None)
            for index in inspector.get_indexes(table):
                told = found.by_key["index", str(index["name"])].properties
                seen.add(("index", str(index["name"])))
                assert bool(told.get("unique")) == bool(index["unique"])
            constraints = [
                *(("unique", each) for each in inspector.get_unique_constraints(table)),
                *(("check", each) for each in inspector.get_check_constraints(table)),
                *(("foreign key", each) for each in inspector.get_foreign_keys(table)),
            ]
            mine = [i for i in found if i.parent == table]
            for kind in ("unique", "check", "foreign key"):
                theirs = [each["name"] for of, each in constraints if of == kind]
                ours = [i.own_name or None for i in mine if i.kind == kind]
                assert sorted(map(str, theirs)) == sorted(map(str, ours))
            (key,) = (i for i in mine if i.kind == "primary key")
            names = inspector.get_pk_constraint(table)["constrained_columns"]
            assert key.properties["columns"] == tuple(names)
    engine.dispose()
    kinds = ("column", "index")
    assert seen == {(i.kind, i.name) for i in found if i.kind in kinds}
