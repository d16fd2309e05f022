"""A change leaves a table on SQLite as it was but for what was asked, or is rolled back.

Tables are drawn with all that may be about them, and changed by a batch operation or rebuilt by
hand. What they promise is read by SQLite's own PRAGMAs and from the text of its catalogue, without
the package.
"""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, event, given, note, settings
from hypothesis import strategies as st

from work_data_hub.errors import MigrationFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.io.schema.sqlite.conftest import Project

    Facts = dict[tuple[Any, ...], Any]

pytestmark = pytest.mark.integration

NAMES = ("a", "b c", "É", "é", "Select", "oid", "rowid", 'q"x')
TYPES = ("TEXT", "VARCHAR(9)", "INT", "INTEGER", "NUMERIC", "", "BLOB")
TYPES_OF_STRICT = ("TEXT", "INT", "INTEGER", "ANY", "BLOB")
WORDS = (None, 1, 2, 3, "alpha", "beta", "Gamma", "it's")
KEYS = (
    "",
    "INTEGER PRIMARY KEY",
    "INTEGER PRIMARY KEY AUTOINCREMENT",
    "INTEGER PRIMARY KEY DESC",
    "INT PRIMARY KEY",
    "TEXT PRIMARY KEY",
    "TEXT NOT NULL PRIMARY KEY ON CONFLICT IGNORE",
)
PARTS = (
    "NOT NULL",
    "NOT NULL ON CONFLICT REPLACE",
    "NULL",
    "DEFAULT 'alpha'",
    "DEFAULT (abs(-3))",
    "DEFAULT NULL",
    "COLLATE NOCASE",
    "COLLATE RTRIM",
    "CHECK ({0} <> 'never')",
    'CONSTRAINT "ck {1}" CHECK (length({0}) < 50 /* a comment */)',
    "UNIQUE",
    "UNIQUE ON CONFLICT REPLACE",
    "REFERENCES p",
    "REFERENCES P (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED",
    "GENERATED ALWAYS AS (id || 'x') VIRTUAL",
    "AS (upper(id)) STORED",
)
RULES = (
    "UNIQUE ({0}, {1})",
    "CONSTRAINT uq UNIQUE ({1}, {0}) ON CONFLICT IGNORE",
    "UNIQUE ({0} COLLATE NOCASE)",
    "CHECK ({0} IS NOT 'x' OR {1} IS NULL)",
    "CONSTRAINT ck CHECK ({1} IS NOT 'never')",
    "FOREIGN KEY ({0}) REFERENCES p (id) ON UPDATE CASCADE",
    "PRIMARY KEY (id, {0})",
    "PRIMARY KEY (id)",
)
AROUND = (
    "CREATE INDEX i1 ON T ({0})",
    "CREATE INDEX i2 ON t (lower({0}), {1} DESC)",
    "CREATE INDEX i3 ON t ({1}) WHERE {0} IS NOT NULL",
    "CREATE UNIQUE INDEX i4 ON t (id, {0} COLLATE NOCASE)",
    "CREATE TRIGGER g1 AFTER INSERT ON t BEGIN INSERT INTO log VALUES (NEW.{0}); END",
    "CREATE TRIGGER g2 BEFORE UPDATE OF {1} ON T BEGIN INSERT INTO log VALUES (OLD.{1}); END",
    "CREATE TRIGGER g3 AFTER DELETE ON p BEGIN DELETE FROM t WHERE {0} = OLD.id; END",
    "CREATE VIEW v AS SELECT id, {0} AS x FROM t",
    "CREATE TABLE child (r REFERENCES T (id) ON DELETE CASCADE)",
    "CREATE VIRTUAL TABLE search USING fts5({0}, content=t)",
)
BEFORE = """
CREATE TABLE p (id INTEGER PRIMARY KEY);
INSERT INTO p VALUES (1), (2), (3);
CREATE TABLE log (x);
"""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class Table:
    """A table as parts, each of which can be forgotten."""

    columns: tuple[tuple[str, tuple[str, ...]], ...]
    rules: tuple[str, ...]
    options: tuple[str, ...]
    around: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def create(self, name: str = "t") -> str:
        lines = [" ".join((quoted(column), *parts)) for column, parts in self.columns]
        return f"CREATE TABLE {name} ({', '.join([*lines, *self.rules])}) {', '.join(self.options)}"

    @property
    def writable(self) -> list[str]:
        """The columns that are copied, and what else names a row."""
        plain = [
            quoted(name)
            for name, parts in self.columns
            if not any(re.match("GENERATED|AS ", part) for part in parts)
        ]
        return [*self.number, *plain]

    @property
    def number(self) -> list[str]:
        taken = {name for name, _ in self.columns}
        has_number = "WITHOUT ROWID" not in self.options
        return [name for name in ("rowid", "oid", "_rowid_") if name not in taken][:has_number]

    def without(self, forgotten: int) -> Table:
        """Forget one part: a constraint, a clause of a column, or an option."""
        places = [(c, p) for c, (_, parts) in enumerate(self.columns) for p in range(1, len(parts))]
        forgotten %= len(places) + len(self.rules) + len(self.options) or 1
        if forgotten < len(places):
            column, part = places[forgotten]
            name, parts = self.columns[column]
            columns = list(self.columns)
            columns[column] = (name, (*parts[:part], *parts[part + 1 :]))
            return replace(self, columns=tuple(columns))
        forgotten -= len(places)
        rules = [r for i, r in enumerate(self.rules) if i != forgotten]
        options = [o for i, o in enumerate(self.options, len(self.rules)) if i != forgotten]
        return replace(self, rules=tuple(rules), options=tuple(options))


def kind_of(part: str) -> str:
    """Return what a column has one of; of several the last would count."""
    return {"NOT": "NULL", "AS": "GENERATED"}.get(part.split()[0], part.split()[0])


@st.composite
def tables(draw: st.DrawFn) -> Table:
    options = draw(st.lists(st.sampled_from(("STRICT", "WITHOUT ROWID")), unique=True))
    types = TYPES_OF_STRICT if "STRICT" in options else TYPES
    names = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=4, unique=True))
    kind, *key = draw(st.sampled_from(KEYS)).split(" ", 1)
    key_parts = [" ".join(key)] if key else []
    columns = [("id", (kind or "INT", *key_parts))]
    for number, name in enumerate(names):
        parts = draw(st.lists(st.sampled_from(PARTS), max_size=3, unique_by=kind_of))
        written = [part.format(quoted(name), number) for part in parts]
        columns.append((name, (draw(st.sampled_from(types)), *written)))
    two = [quoted(name) for name in names[:2]]
    rules = [
        r.format(*two) for r in draw(st.lists(st.sampled_from(RULES), max_size=2, unique=True))
    ]
    around = draw(st.lists(st.sampled_from(AROUND), max_size=4, unique=True))
    rows = draw(
        st.lists(st.tuples(*[st.sampled_from(WORDS)] * (len(columns) + 1)), min_size=2, max_size=6)
    )
    return Table(
        tuple(columns),
        tuple(rules),
        tuple(options),
        tuple(text.format(*two) for text in around),
        tuple(rows),
    )


def build(file: Path, table: Table) -> None:
    """Make a database; what SQLite does not take is not drawn."""
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.executescript(BEFORE)
        written = [name for name in table.writable if name not in table.number]
        insert = f"INSERT OR IGNORE INTO t ({', '.join(written)}) VALUES "
        try:
            for statement in (table.create(), *table.around):
                db.execute(statement)
            db.execute("PRAGMA foreign_keys = ON")
            for row in table.rows:
                try:
                    db.execute(f"{insert} ({', '.join('?' * len(written))})", row[: len(written)])
                except sqlite3.IntegrityError:
                    continue
            db.execute("DELETE FROM t WHERE id = (SELECT min(id) FROM t)")
            if "search" in " ".join(table.around):
                db.execute("INSERT INTO search (search) VALUES ('rebuild')")
                db.execute("SELECT * FROM search").fetchall()
            facts_of(db)
        except sqlite3.Error:
            assume(False)


def words_of(sql: str) -> tuple[str, ...]:
    """Return the words of a statement, however they are spaced, quoted and commented."""
    found = re.findall(
        r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\w+|[^\s\w]", sql, re.DOTALL
    )
    plain = (
        w[1:-1].replace('""', '"') if w[0] == '"' else w for w in found if w[:2] not in ("--", "/*")
    )
    return tuple(w if w[0] == "'" else re.sub("[A-Z]", lambda m: m[0].lower(), w) for w in plain)


def in_parentheses(words: tuple[str, ...], start: int) -> tuple[str, ...]:
    depth = 0
    for end in range(start, len(words)):
        depth += {"(": 1, ")": -1}.get(words[end], 0)
        if depth == 0:
            return words[start : end + 1]
    raise AssertionError(words)


def facts_of(db: sqlite3.Connection) -> Facts:
    """Return everything that a database promises and holds, each under a name of its own."""
    facts: Facts = {}
    catalogue = db.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        " AND name NOT GLOB 'work_data_hub_*' AND name <> 'alembic_version'"
    ).fetchall()
    for kind, name, sql in catalogue:
        if name != "t":
            facts[kind, name] = words_of(sql)
    for kind, name, sql in catalogue:
        if kind == "table" and "VIRTUAL" not in sql and not name.startswith(("search_", "sqlite_")):
            rows = db.execute(f"SELECT * FROM {quoted(name)}").fetchall()
            facts["rows", name] = sorted(map(repr, rows)) if name == "t" else rows
            facts["count", name] = len(rows)
    (sql,) = (sql for kind, name, sql in catalogue if name == "t" and kind == "table")
    facts |= facts_of_table(db, words_of(sql))
    if ("table", "search") in facts:
        for word in ("alpha", "beta", "gamma"):
            found = db.execute("SELECT rowid, * FROM search WHERE search MATCH ?", (word,))
            facts["search", word] = [(number, str(text)) for number, text in found]
    return facts


def facts_of_table(db: sqlite3.Connection, words: tuple[str, ...]) -> Facts:
    facts: Facts = {}
    columns = db.execute("PRAGMA table_xinfo(t)").fetchall()
    facts["order",] = [name for _, name, *_ in columns]
    for _, name, kind, not_null, default, key, hidden in columns:
        facts["column", name, "type"] = kind
        facts["column", name, "not null"] = not_null
        facts["column", name, "default"] = None if default == "NULL" else default
        facts["column", name, "key"] = key
        facts["column", name, "generated"] = hidden
    with_options = "SELECT wr, strict FROM pragma_table_list WHERE name = 't' AND schema = 'main'"
    facts["options",] = db.execute(with_options).fetchone()
    counted: Counter[tuple[Any, ...]] = Counter()
    for position, word in enumerate(words):
        if word in ("check", "as") and words[position + 1] == "(":
            counted[word, in_parentheses(words, position + 1)] += 1
        if word in ("collate", "deferrable"):
            counted[words[position : position + 2]] += 1
        if words[position : position + 2] == ("on", "conflict"):
            counted[words[position : position + 3]] += 1
    for _, name, unique, origin, _ in db.execute("PRAGMA index_list(t)").fetchall():
        if unique and origin != "c":
            key = db.execute("SELECT name, coll FROM pragma_index_xinfo(?) WHERE key", (name,))
            facts["unique", frozenset(key)] = True
    for foreign in db.execute("PRAGMA foreign_key_list(t)"):
        _, _, target, column, _, on_update, on_delete, _ = foreign
        for what in ("REFERENCES", f"ON UPDATE {on_update}", f"ON DELETE {on_delete}"):
            if "NO ACTION" not in what:
                facts["foreign key", column, target.lower(), what] = True
    facts |= counted
    if not facts["options",][0]:
        taken = {name.lower() for name in facts["order",]}
        free = [name for name in ("rowid", "oid", "_rowid_") if name not in taken]
        if free:
            facts["numbers",] = db.execute(
                f"SELECT {free[0]}, CAST(id AS TEXT) FROM t ORDER BY 1"
            ).fetchall()
    facts["autoincrement",] = "autoincrement" in words
    if "autoincrement" in words:
        highest = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 't'"
        facts["sequence",] = db.execute(highest).fetchone()
    return facts


def facts_in(file: Path, *undo: str) -> Facts:
    """Return what a file holds, on a copy on which statements have run."""
    with closing(sqlite3.connect(file)) as original, closing(sqlite3.connect(":memory:")) as copy:
        original.backup(copy)
        for statement in undo:
            copy.execute(statement)
        return facts_of(copy)


@dataclass(frozen=True)
class Change:
    """A batch operation: what it was asked to change is not compared, or undone before that."""

    operation: str
    asked: Callable[[tuple[Any, ...], Any], bool] = lambda _key, _value: False
    undo: tuple[str, ...] = ()
    must_pass: bool = False


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, tuple | list | frozenset):
        for each in value:
            yield from texts_in(each)
    elif isinstance(value, str):
        yield value


def changes(column: str) -> list[Change]:
    name = quoted(column)
    (folded,) = words_of(name)

    def about(*kinds: Any) -> Callable[[tuple[Any, ...], Any], bool]:
        return lambda key, _value: key in kinds or key[0] in kinds

    def mentions(key: tuple[Any, ...], value: Any) -> bool:
        told = key in {("order",), ("rows", "t")} or key[0] in {"on", "collate", "deferrable"}
        return told or bool({column, folded} & set(texts_in((key, value))))

    def is_fuzz(key: tuple[Any, ...], _value: Any) -> bool:
        return key == ("index", "fuzz") or (key[0] == "unique" and len(key[1]) == 2)

    null = about(("column", column, "not null"), "on")
    default = about(("column", column, "default"))
    kind = about(("column", column, "type"), ("rows", "t"))
    check = about(("check", ("(", "1", "=", "1", ")")))
    of_every_column = [
        Change("execute", must_pass=True),
        Change("create_check_constraint('fuzz', '1 = 1')", check, must_pass=True),
        Change(f"create_index('fuzz', [{column!r}])", is_fuzz, must_pass=True),
        Change(
            "add_column(sa.Column('new', sa.Integer(), server_default='5'))",
            undo=("ALTER TABLE t DROP COLUMN new",),
            must_pass=True,
        ),
        Change(f"create_unique_constraint('fuzz', ['id', {column!r}])", is_fuzz),
        Change(f"alter_column({column!r}, type_=sa.Text())", kind),
        Change(f"alter_column({column!r}, nullable=True)", null),
        Change(f"alter_column({column!r}, nullable=False)", null),
        Change(f"alter_column({column!r}, server_default='7')", default),
        Change(f"alter_column({column!r}, server_default=None)", default),
        Change("drop_constraint('uq')", about("unique", "on")),
    ]
    if column == "id":  # which all that is drawn is about
        return of_every_column
    undo = f'ALTER TABLE t RENAME COLUMN "new name" TO {name}'
    return [
        *of_every_column,
        Change(f"alter_column({column!r}, new_column_name='new name')", undo=(undo,)),
        Change(f"drop_column({column!r})", mentions),
    ]


EXAMPLES = settings().max_examples * 5
NUMBERS = itertools.count()


def run(project: Project, body: str) -> MigrationFailedError | None:
    """Run a revision; what is refused changes nothing, and says what and what to do."""
    project.revision(body)
    before, refused = facts_in(project.file), None
    try:
        project.upgrade()
    except MigrationFailedError as error:
        refused = error
    event("accepted" if refused is None else "refused")
    if refused is not None:
        note(f"{refused.message} | {refused.hint}")
        assert refused.hint
        assert "\n" not in refused.message + refused.hint
        assert facts_in(project.file) == before
    return refused


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_a_batch_changes_what_it_was_asked_to_and_nothing_else(
    project: Project, tmp_path: Path, data: st.DataObject
) -> None:
    table = data.draw(tables())
    change = data.draw(st.sampled_from(changes(data.draw(st.sampled_from(table.columns))[0])))
    project = type(project)(tmp_path / str(next(NUMBERS)))
    build(project.file, table)
    before = facts_in(project.file)
    with_batch = "with op.batch_alter_table('t', recreate='always') as batch_op:\n    "
    operation = "pass" if change.operation == "execute" else f"batch_op.{change.operation}"
    note(f"{table.create()} {table.around} {operation}")
    event(change.operation.partition("(")[0])
    refused = run(project, with_batch + operation)
    if refused is not None:
        assert not change.must_pass
        return
    after = facts_in(project.file, *change.undo)
    assert rest(after, change) == rest(before, change)


@dataclass(frozen=True)
class Rebuild:
    """How a revision rebuilds the table by hand.

    Attributes:
        name: of the way.
        script: its statements.
        takes_along: whether what refers to the table goes with the old one, which is refused.
    """

    name: str
    script: str
    takes_along: bool = False


REBUILDS = [
    Rebuild(
        "renamed into place",
        "{create_new}; INSERT INTO new_t ({columns}) SELECT {columns} FROM t; DROP TABLE t;"
        " ALTER TABLE new_t RENAME TO t",
    ),
    Rebuild(
        "in another case",
        "{create_new}; REPLACE INTO NEW_T ({columns}) SELECT {columns} FROM T; DROP TABLE T;"
        " ALTER TABLE New_T RENAME TO t",
    ),
    Rebuild(
        "backed up",
        "CREATE TEMP TABLE backup AS SELECT {aliased} FROM t; DROP TABLE t; {create};"
        " INSERT INTO t ({columns}) SELECT {aliases} FROM backup; DROP TABLE backup",
    ),
    Rebuild(
        "renamed away",
        "ALTER TABLE t RENAME TO old_t; {create}; INSERT INTO t ({columns}) SELECT {columns}"
        " FROM old_t; DROP TABLE old_t",
        takes_along=True,
    ),
    Rebuild(
        "exchanged",
        "{create_new}; INSERT INTO new_t ({columns}) SELECT {columns} FROM t;"
        " ALTER TABLE t RENAME TO old_t; ALTER TABLE new_t RENAME TO t; DROP TABLE old_t",
        takes_along=True,
    ),
]
ROW_BY_ROW = """
rows = op.get_bind().exec_driver_sql({select!r}).fetchall()
op.execute("DROP TABLE t")
op.get_bind().exec_driver_sql({create!r})
for row in rows:
    raw.execute({insert!r}, tuple(row))
"""
RAW = "raw = op.get_bind().connection.driver_connection\n"


def by_hand(rebuild: Rebuild | None, new: Table, how: str) -> str:
    columns = new.writable
    names = ", ".join(columns)
    if rebuild is None:
        values = ", ".join("?" * len(columns))
        return RAW + ROW_BY_ROW.format(
            select=f"SELECT {names} FROM t",
            create=new.create(),
            insert=f"INSERT INTO t ({names}) VALUES ({values})",
        )
    aliases = [f"c{number}" for number, _ in enumerate(columns)]
    script = rebuild.script.format(
        create_new=new.create("new_t"),
        create=new.create(),
        columns=names,
        aliases=", ".join(aliases),
        aliased=", ".join(f"{c} AS {a}" for c, a in zip(columns, aliases, strict=True)),
    )
    return f"{RAW}for statement in {script.split('; ')!r}:\n    {how}(statement)"


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_a_rebuild_by_hand_keeps_everything_or_is_rolled_back(
    project: Project, tmp_path: Path, data: st.DataObject
) -> None:
    table = data.draw(tables())
    rebuild = data.draw(st.sampled_from([*REBUILDS, None]))
    how = data.draw(st.sampled_from(("op.get_bind().exec_driver_sql", "raw.execute")))
    forgotten = data.draw(st.none() | st.integers(0, 20))
    project = type(project)(tmp_path / str(next(NUMBERS)))
    build(project.file, table)
    new = table if forgotten is None else table.without(forgotten)
    assume(new.number == table.number and new.writable == table.writable and is_a_table(new))
    body = by_hand(rebuild, new, how)
    note(f"{table.create()} {table.around} {new.create()} {body}")
    event("row by row" if rebuild is None else rebuild.name)
    before = facts_in(project.file)
    refused = run(project, body)
    if refused is None:
        assert facts_in(project.file) == before
    elif forgotten is None:
        assert rebuild is not None
        assert rebuild.takes_along
        assert table.around


def is_a_table(table: Table) -> bool:
    with closing(sqlite3.connect(":memory:")) as db:
        try:
            db.execute(table.create())
        except sqlite3.Error:
            return False
    return True


def rest(facts: Facts, change: Change) -> Facts:
    return {key: value for key, value in facts.items() if not change.asked(key, value)}
