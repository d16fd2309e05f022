"""A seed file gives what a plain client gives, or it changes nothing and says where it is wrong.

Scripts are drawn from a grammar that is full of what hides the end of a statement. The oracle
divides nothing: ``executescript`` and PostgreSQL's simple query protocol take the whole text.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import event, given, note, settings
from hypothesis import strategies as st

from work_data_hub.domain.sql.lexer import quoted
from work_data_hub.errors import SeedFailedError
from work_data_hub.io.schema.database.seed_file import load_seeds, read_seed_file
from work_data_hub.io.schema.engine import connect, connect_raw, create_engine

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

BASE = (
    "CREATE TABLE t (id int PRIMARY KEY, v text)",
    "INSERT INTO t VALUES (1, 'one'), (2, 'two')",
    "CREATE TABLE c (id int REFERENCES t DEFERRABLE INITIALLY DEFERRED)",
    "INSERT INTO c VALUES (1)",
)
WORDS = (
    *("a", "'", '"', ";", "%", "%s", "%(x)s", ":name", "::int", "?", "$$", "$1", "$x$", "--", "/*"),
    *("*/", "\\", "\\.", "\n", "\r\n", "\r", "ü", "日本", "{x}", "COMMIT;", "END", "E'", " ", "`"),
    *("]", "\x1a", "\ufeff", "\u2028"),
)
EVERYWHERE = (" ", "\n", "\r\n\t", " /* ; ' */ ", " -- ; ' \" $$\n", "-- it's\r\n", "/**/")
# Spaces to one engine only, or to one of its versions.
SPACES = (*EVERYWHERE * 2, "\f", " /* a /* b; */ ; */ ", "\ufeff", "\r")
NAMES = ('"a;b"', '"a""b"', '"a--b"', '"a/*b"', '"a%b"', '"a:b"', '"a$$b"', "größe", '"it\'s"')
ENDS = (";", ";\n", ";\r\n", ";;\n", " ;\n\n", ";/* ; */\n", "; -- that's it;\n", ";-- \\\r\n")

# What {lit}, {name}, {n}, {_} and {-} stand for is drawn.
STATEMENTS = (
    "INSERT INTO{_}t VALUES ({n},{_}{lit})",
    "INSERT INTO t{_}VALUES (1{n}, {lit}), (2{n}, {lit})",
    "INSERT INTO t SELECT {n}{n}, {lit}",
    "WITH one(x) AS (SELECT {lit}) INSERT INTO t SELECT 9{n},{_}x FROM one",
    "UPDATE t SET v = v || {lit} WHERE id <> {n}",
    "UPDATE t SET v = {lit}{_}WHERE id = {n} AND 7 % 4 = 3",
    "DELETE FROM t WHERE v = {lit}",
    "DELETE{_}FROM c",
    "CREATE TABLE {name} ({name} text DEFAULT {lit})",
    "SELECT{_}{lit},{_}{lit}",
    "SELECT CASE WHEN 1 = 1 THEN {lit} END",
    "VALUES ({lit})",
    "EXPLAIN SELECT {lit}",
    "SAVEPOINT{_}here",
)
FURTHER = {
    "sqlite": (
        "INSERT OR IGNORE INTO t VALUES ({n}, {lit})",
        "REPLACE INTO t VALUES ({n}, {lit})",
        "CREATE TABLE [a;b] (v)",
        "CREATE TABLE `a;b` (v)",
        "CREATE TRIGGER tr{n} AFTER INSERT ON t WHEN NEW.id < 10 BEGIN{_}INSERT INTO t VALUES"
        " (NEW.id + 100, CASE WHEN 1 THEN {lit} END);{_}SELECT {lit}; END",
        "PRAGMA{_}foreign_keys{_}={_}OFF",
        "PRAGMA foreign_keys(0)",
        "PRAGMA foreign_keys = ON",
        "PRAGMA defer_foreign_keys = ON",
    ),
    "postgresql": (
        "DO $do$ BEGIN{_}INSERT INTO t VALUES ({n}, {lit}); END; $do$",
        "CREATE FUNCTION f{n}() RETURNS text LANGUAGE sql AS $f$ SELECT {lit}; $f$",
        "CREATE FUNCTION f{n}() RETURNS text{_}BEGIN{_}ATOMIC{_}SELECT 1; SELECT CASE WHEN true"
        " THEN {lit} END;{_}END",
        "CREATE RULE r{n} AS ON DELETE TO c DO ALSO (DELETE FROM t WHERE v = {lit}; SELECT 1;)",
        "PREPARE p{n} AS INSERT INTO t VALUES ($1, {lit})",
        "DEALLOCATE ALL",
        "DECLARE cur CURSOR FOR SELECT {lit}",
        "SET client_encoding = 'UTF8'",
        "SET standard_conforming_strings = on",
        "SET CONSTRAINTS ALL IMMEDIATE",
        "LOCK TABLE t",
        "SELECT 1 AS a$b$c, {lit} AS d$$e",
        "COMMENT ON TABLE t IS {lit}",
        "LISTEN channel",
    ),
}
# Most of these fail, or what follows does.
DOUBTFUL = (
    "INSERT INTO c VALUES ({n})",
    "INSERT INTO {name} VALUES ({lit})",
    "INSERT INTO nowhere VALUES ({lit})",
    "RELEASE here",
    "ROLLBACK{_}TO here",
    "ROLLBACK TRANSACTION TO SAVEPOINT here",
    "\\connect other",
    "no such statement {lit}",
)
FURTHER_DOUBTFUL = {
    "sqlite": (
        "INSERT OR ROLLBACK INTO t VALUES ({n}, {lit})",
        "INSERT OR FAIL INTO t VALUES (5{n}, {lit}), ({n}, {lit})",
        "CREATE TEMP TRIGGER no AFTER DELETE ON t BEGIN SELECT RAISE(ROLLBACK, {lit}); END",
        "SELECT abs(-9223372036854775808)",
        "SELECT X'00', {lit}",
        ".read other.sql",
    ),
    "postgresql": (
        "DO $$ BEGIN COMMIT; END $$",
        "UPDATE t SET v = f{n}()",
        "EXECUTE p{n}(7{n})",
        "FETCH cur",
        "SET search_path = nowhere",
        "SELECT set_config('search_path', '', false)",
        "SET TRANSACTION READ ONLY",
        "COPY t FROM '/nowhere'",
        "SELECT 1/0",
        "DISCARD ALL",
        "VACUUM",
    ),
}
BRACKETS = {
    "sqlite": ("BEGIN{-}TRANSACTION", "BEGIN IMMEDIATE", "COMMIT", "END{-}TRANSACTION", "BEGIN"),
    "postgresql": ("BEGIN", "START{-}TRANSACTION", "COMMIT", "END{-}WORK", "COMMIT AND NO CHAIN"),
}
REFUSED = {
    "sqlite": ("ROLLBACK", "ROLLBACK{-}TRANSACTION"),
    "postgresql": (
        *("ROLLBACK", "ABORT", "COMMIT{-}AND{-}CHAIN", "ROLLBACK AND CHAIN"),
        *("PREPARE{-}TRANSACTION 'x'", "COPY{-}t FROM{-}STDIN", "COPY (SELECT {lit}) TO STDOUT"),
        "SET{-}standard_conforming_strings{-}= off",
    ),
}
UNCLOSED = ("'a;", '"a;', "/* a;", "$$ a;", "E'a\\';", "SELECT (1;", "-- a;")


@dataclass(frozen=True)
class Piece:
    """One statement and what surrounds it.

    Attributes:
        kind: ordinary, doubtful, bracket or refused.
        before: spaces and comments.
        text: the statement.
        end: a semicolon, and what is behind it.
    """

    kind: str
    before: str
    text: str
    end: str

    def __str__(self) -> str:
        return self.before + self.text + self.end


@dataclass(frozen=True)
class Script:
    """A seed file."""

    start: str
    pieces: tuple[Piece, ...]
    rest: str

    def __str__(self) -> str:
        return f"{self.start}{''.join(map(str, self.pieces))}{self.rest}"

    def without_brackets(self) -> str:
        """Return what is left for a client that is in a transaction already."""
        kept = "".join(str(piece) for piece in self.pieces if piece.kind != "bracket")
        mark = "\ufeff" if str(self).startswith("\ufeff") else ""
        return (self.start + kept + self.rest).removeprefix(mark)


@st.composite
def literals(draw: st.DrawFn, engine: str) -> str:
    word = "".join(draw(st.lists(st.sampled_from(WORDS), max_size=5)))
    kinds = ["plain", "plain", "E", "$$", "$größe$", "U&"] if engine == "postgresql" else ["plain"]
    kind = draw(st.sampled_from(kinds))
    if kind == "E":
        return "E'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if kind == "U&":
        return "U&'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
    if kind[0] == "$" and kind not in f"{word}$":
        return f"{kind}{word}{kind}"
    return "'" + word.replace("'", "''") + "'"


@st.composite
def statements(draw: st.DrawFn, engine: str, templates: tuple[str, ...]) -> str:
    text = draw(st.sampled_from(templates))
    drawn = {
        "{lit}": literals(engine),
        "{name}": st.sampled_from(NAMES),
        "{n}": st.integers(2, 9).map(str),
        "{_}": st.just(" ") | st.sampled_from(SPACES),
        "{-}": st.sampled_from(EVERYWHERE),
    }
    found, rest = "", text
    while rest:
        hole = next((each for each in drawn if rest.startswith(each)), None)
        found += rest[0] if hole is None else draw(drawn[hole])
        rest = rest[len(hole or " ") :]
    return found


@st.composite
def scripts(draw: st.DrawFn, engine: str) -> Script:
    templates = {
        "ordinary": STATEMENTS + FURTHER[engine],
        "doubtful": DOUBTFUL + FURTHER_DOUBTFUL[engine],
        "bracket": BRACKETS[engine],
        "refused": REFUSED[engine],
    }
    further = draw(st.sampled_from((["ordinary"], ["ordinary"], ["doubtful"] * 4, ["refused"])))
    odds = ["ordinary"] * 8 + ["bracket"] + further
    pieces = []
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(odds))
        spaces = EVERYWHERE if kind in ("bracket", "refused") else SPACES
        before = draw(st.just("") | st.sampled_from(spaces))
        text = draw(statements(engine, templates[kind]))
        pieces.append(Piece(kind, before, text, draw(st.sampled_from(ENDS))))
    start = draw(st.sampled_from(("", "", "\ufeff", "-- seeds;\r\n")))
    return Script(start, tuple(pieces), draw(st.sampled_from(("",) * 9 + SPACES + UNCLOSED)))


class Sqlite:
    """A SQLite file that is made anew."""

    def __init__(self, url: URL) -> None:
        self._file = str(url.database)

    def reset(self) -> None:
        with closing(sqlite3.connect(self._file, isolation_level=None)) as db:
            for kind, name in db.execute(
                "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')"
            ).fetchall():
                db.execute(f"DROP {kind} {quoted(name)}")
            db.executescript(";".join(BASE))

    def content(self) -> Any:
        with closing(sqlite3.connect(self._file)) as db:
            found = db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
            return [
                (name, sql, kind == "table" and list(db.execute(f"SELECT * FROM {quoted(name)}")))
                for kind, name, sql in found
            ]

    def plain(self, script: Script) -> str | None:
        """Run it as the driver would, and return what it says."""
        text = script.without_brackets()
        asked_off = any(
            "foreign_keys" in piece.text and ("OFF" in piece.text or "(0)" in piece.text)
            for piece in script.pieces
        )
        with closing(sqlite3.connect(self._file)) as db:
            db.execute(f"PRAGMA foreign_keys = {'OFF' if asked_off else 'ON'}")
            try:
                db.executescript(f"BEGIN;\n{text}")
                broken = db.execute("PRAGMA foreign_key_check").fetchall()
                if asked_off and broken:
                    return f"broken foreign keys: {broken}"
                if db.in_transaction:
                    db.execute("COMMIT")
            except (sqlite3.Error, sqlite3.Warning) as error:
                return str(error)
            finally:
                db.rollback()
        return None


class Postgresql:
    """A PostgreSQL schema that is made anew."""

    def __init__(self, url: URL) -> None:
        self._url = url

    def reset(self) -> None:
        with connect(self._url) as connection, connection.begin():
            for statement in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public", *BASE):
                connection.exec_driver_sql(statement)

    def content(self) -> Any:
        with connect(self._url) as connection:

            def ask(query: str) -> list[Any]:
                found = connection.exec_driver_sql(query, execution_options={"no_parameters": True})
                return sorted(map(tuple, found))

            tables = ask("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
            return [
                {name: ask(f"SELECT {name}::text FROM {name}") for (name,) in tables},
                ask(
                    "SELECT proname, pg_get_functiondef(oid) FROM pg_proc"
                    " WHERE pronamespace = 'public'::regnamespace"
                ),
                ask("SELECT rulename, definition FROM pg_rules WHERE schemaname = 'public'"),
                ask("SELECT description FROM pg_description WHERE objoid = 't'::regclass"),
                ask(
                    "SELECT table_name, column_name, column_default FROM information_schema.columns"
                    " WHERE table_schema = 'public'"
                ),
            ]

    def plain(self, script: Script) -> str | None:
        """Let the server divide it, and return what it says."""
        with closing(connect_raw(create_engine(self._url))) as db:
            for text in ("BEGIN", script.without_brackets(), "COMMIT"):
                answer = db.pgconn.exec_(text.encode())
                if answer.error_message:
                    return str(answer.error_message.decode())
        return None


EXAMPLES = settings().max_examples * 5


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_a_seed_file_gives_what_a_plain_client_gives_or_changes_nothing(
    database_url: URL, tmp_path: Path, data: st.DataObject
) -> None:
    engine = database_url.get_backend_name()
    script = data.draw(scripts(engine))
    database = Sqlite(database_url) if engine == "sqlite" else Postgresql(database_url)
    file = tmp_path / "seeds.sql"
    file.write_bytes(str(script).encode())

    database.reset()
    plain = database.plain(script)
    expected = database.content()
    database.reset()
    before = database.content()
    with connect(database_url) as connection:
        try:
            loaded = load_seeds(connection, read_seed_file(file), path=file)
        except SeedFailedError as fault:
            loaded = None
            assert_it_says_where(fault, script, file)
        assert not connection.in_transaction()
    after = database.content()

    refused = [n for n, piece in enumerate(script.pieces) if piece.kind == "refused"]
    note(f"plain client: {plain}")
    event("loaded" if loaded else "refused" if refused else "failed")
    if loaded is None:
        assert after == before
        assert plain is not None or refused
    else:
        assert plain is None
        assert not refused
        assert after == expected
        assert loaded.statements == sum(piece.kind != "bracket" for piece in script.pieces)


def assert_it_says_where(fault: SeedFailedError, script: Script, file: Path) -> None:
    note(fault.for_people())
    assert len(fault.for_people().splitlines()) == 2
    assert fault.message.startswith(f"{file}:{fault.line}: ")
    assert 1 <= fault.line <= str(script).count("\n") + 1
