"""A seed file gives what a plain client gives, or it changes nothing and says where it is wrong.

Scripts are drawn from a grammar that is full of what hides the end of a statement. The oracle
divides nothing: ``executescript`` and PostgreSQL's simple query protocol take the whole text.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hypothesis import event, given, note, settings
from hypothesis import strategies as st
from psycopg.pq import DiagnosticField

from work_data_hub.domain.sql.lexer import quoted
from work_data_hub.errors import SeedFailedError
from work_data_hub.io.schema.database.seed_file import load_seeds, read_seed_file
from work_data_hub.io.schema.engine import connect, connect_raw, create_engine, driver_connection

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL, Connection

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
SPACES = (*EVERYWHERE * 8, "\f", " /* a /* b; */ ; */ ", "\ufeff", "\r")
NAMES = ('"a;b"', '"a""b"', '"a--b"', '"a/*b"', '"a%b"', '"a:b"', '"a$$b"', "größe", '"it\'s"')
ENDS = (";", ";\n", ";\r\n", ";;\n", " ;\n\n", ";/* ; */\n", "; -- that's it;\n", ";-- \\\r\n")

# What {lit}, {name}, {_} and {-} stand for is drawn; {n} is a number that no other statement has.
STATEMENTS = (
    "INSERT INTO{_}t VALUES ({n},{_}{lit})",
    "INSERT INTO t{_}VALUES (1{n}, {lit}), (2{n}, {lit})",
    "INSERT INTO t SELECT {n}{n}, {lit}",
    "INSERT INTO {main}.t VALUES (8{n}, {lit})",
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
        "CREATE TABLE `c;d` (v)",
        "CREATE TRIGGER tr AFTER INSERT ON t WHEN NEW.id < 10 BEGIN{_}INSERT INTO t VALUES"
        " (NEW.id + 100, CASE WHEN 1 THEN {lit} END);{_}SELECT {lit}; END",
        "PRAGMA{_}foreign_keys{_}={_}OFF",
        "PRAGMA foreign_keys(0)",
        "PRAGMA foreign_keys = ON",
        "PRAGMA defer_foreign_keys = ON",
    ),
    "postgresql": (
        "DO $do$ BEGIN{_}INSERT INTO t VALUES ({n}, {lit}); END; $do$",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $f$ SELECT {lit}; $f$",
        "CREATE FUNCTION g() RETURNS text{_}BEGIN{_}ATOMIC{_}SELECT 1; SELECT CASE WHEN true"
        " THEN {lit} END;{_}END",
        "CREATE PROCEDURE h(){_}BEGIN{_}ATOMIC{_}END",
        "CREATE RULE r AS ON DELETE TO c DO ALSO (DELETE FROM t WHERE v = {lit}; SELECT 1;)",
        "PREPARE p AS INSERT INTO t VALUES ($1, {lit})",
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
    "INSERT INTO t VALUES (1, {lit})",
    "INSERT INTO c VALUES ({n})",
    "INSERT INTO {name} VALUES ({lit})",
    "INSERT INTO nowhere VALUES ({lit})",
    "RELEASE here",
    "ROLLBACK{_}TO here",
    "ROLLBACK TRANSACTION TO SAVEPOINT here",
    "no such statement {lit}",
)
FURTHER_DOUBTFUL = {
    "sqlite": (
        "INSERT OR ROLLBACK INTO t VALUES ({n}, {lit})",
        "INSERT OR FAIL INTO t VALUES (5{n}, {lit}), ({n}, {lit})",
        "CREATE TEMP TRIGGER no AFTER DELETE ON t BEGIN SELECT RAISE(ROLLBACK, {lit}); END",
        "SELECT abs(-9223372036854775808)",
        "SELECT X'00', {lit}",
    ),
    "postgresql": (
        "DO $$ BEGIN COMMIT; END $$",
        "UPDATE t SET v = f()",
        "EXECUTE p(7{n})",
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
    "sqlite": ("ROLLBACK", "ROLLBACK{-}TRANSACTION", ".read other.sql", "\\connect other"),
    "postgresql": (
        *("ROLLBACK", "ABORT", "COMMIT{-}AND{-}CHAIN", "ROLLBACK AND CHAIN"),
        *("PREPARE{-}TRANSACTION 'x'", "COPY{-}t FROM{-}STDIN", "COPY (SELECT {lit}) TO STDOUT"),
        *("SET{-}standard_conforming_strings{-}= off", "\\connect other"),
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

    def until(self, number: int) -> Script:
        """Return the script up to one of its pieces."""
        return replace(self, pieces=self.pieces[: number + 1], rest="")

    def lines_of(self, number: int) -> range:
        """Return the lines of a statement."""
        piece = self.pieces[number]
        before = f"{self.start}{''.join(map(str, self.pieces[:number]))}{piece.before}"
        first = before.count("\n") + 1
        return range(first, first + piece.text.count("\n") + 1)


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
def statements(draw: st.DrawFn, engine: str, text: str, number: int) -> str:
    drawn = {
        "{lit}": literals(engine),
        "{name}": st.sampled_from(NAMES),
        "{n}": st.just(str(number)),
        "{main}": st.just("main" if engine == "sqlite" else "public"),
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
    # Each kind of statement comes before one comes again; of faults there is one, or none.
    size = draw(st.sampled_from((1, 4, 8, 8, 8)))
    ordinary = draw(st.permutations(templates["ordinary"]))[:size]
    kinds = ["bracket" if draw(st.integers(0, 9)) == 0 else "ordinary" for _ in ordinary]
    fault = draw(st.sampled_from((None, None, None, "doubtful", "refused", "unclosed")))
    if fault in templates:
        kinds[draw(st.integers(0, size - 1))] = fault
    pieces = []
    for number, kind in enumerate(kinds):
        spaces = EVERYWHERE if kind in ("bracket", "refused") else SPACES
        before = draw(st.just("") | st.sampled_from(spaces))
        drawn = ordinary[number] if kind == "ordinary" else draw(st.sampled_from(templates[kind]))
        text = draw(statements(engine, drawn, number + 2))  # of one digit: there are eight
        pieces.append(Piece(kind, before, text, draw(st.sampled_from(ENDS))))
    start = draw(st.sampled_from(("", "", "\ufeff", "-- seeds;\r\n")))
    rest = draw(st.sampled_from(UNCLOSED if fault == "unclosed" else ("",) * 30 + SPACES))
    return Script(start, tuple(pieces), rest)


@dataclass(frozen=True)
class Answer:
    """What a plain client says of a script.

    Attributes:
        error: None when it did all of it.
        rows: how many it changed.
        place: the character that the server points at; below 0 where it points at none.
    """

    error: str | None
    rows: int = 0
    place: int = -1


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

    def plain(self, script: Script, *, keep: bool = True) -> Answer:
        """Run it as the driver would, and return what it says."""
        asked_off = any(
            "foreign_keys" in piece.text and ("OFF" in piece.text or "(0)" in piece.text)
            for piece in script.pieces
        )
        with closing(sqlite3.connect(self._file)) as db:
            db.execute(f"PRAGMA foreign_keys = {'OFF' if asked_off else 'ON'}")
            try:
                db.executescript(f"BEGIN;\n{script.without_brackets()}")
                broken = db.execute("PRAGMA foreign_key_check").fetchall()
                if keep and asked_off and broken:
                    return Answer(f"broken foreign keys: {broken}")
                if keep and db.in_transaction:
                    db.execute("COMMIT")
            except (sqlite3.Error, sqlite3.Warning) as error:
                return Answer(str(error))
            finally:
                db.rollback()
            return Answer(None, rows=db.total_changes)

    def session(self, connection: Connection) -> Any:
        """Return what a file must not leave otherwise."""
        return driver_connection(connection).execute("PRAGMA foreign_keys").fetchone()


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

    def plain(self, script: Script, *, keep: bool = True) -> Answer:
        """Let the server divide it, and return what it says."""
        rows = 0
        with closing(connect_raw(create_engine(self._url))) as db:
            for text in ("BEGIN", script.without_brackets(), "COMMIT" if keep else "ROLLBACK"):
                db.pgconn.send_query(text.encode())
                while (answer := db.pgconn.get_result()) is not None:
                    if answer.error_message:
                        position = answer.error_field(DiagnosticField.STATEMENT_POSITION)
                        return Answer(answer.error_message.decode(), place=int(position or 0) - 1)
                    if (answer.command_status or b"").startswith((b"INSERT", b"UPDATE", b"DELETE")):
                        rows += answer.command_tuples or 0
        return Answer(None, rows=rows)

    def session(self, connection: Connection) -> Any:
        """Return what a file must not leave otherwise."""
        with connection.begin():
            names = ("search_path", "standard_conforming_strings")
            return [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names]


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

    refused = [n for n, piece in enumerate(script.pieces) if piece.kind == "refused"]
    database.reset()
    plain = Answer("it is refused") if refused else database.plain(script)
    expected = database.content()
    database.reset()
    before = database.content()
    with connect(database_url) as connection:
        session = database.session(connection)
        try:
            loaded = load_seeds(connection, read_seed_file(file), path=file)
        except SeedFailedError as fault:
            loaded = None
            said = fault
        assert not connection.in_transaction()
        assert database.session(connection) == session
    after = database.content()

    note(f"plain client: {plain}")
    event("loaded" if loaded else "refused" if refused else "failed")
    if loaded is None:
        assert after == before
        assert plain.error is not None
        assert_it_says_where(said, where(script, database), file)
    else:
        assert plain.error is None
        assert after == expected
        assert loaded.rows == plain.rows
        assert loaded.statements == sum(piece.kind != "bracket" for piece in script.pieces)


def where(script: Script, database: Sqlite | Postgresql) -> range:
    """Return the lines at which a file is at fault, by what is said of its beginnings."""
    pieces = [n for n, piece in enumerate(script.pieces) if piece.kind != "bracket"]
    for number in pieces:
        if script.pieces[number].kind == "refused":
            return script.lines_of(number)
    for number in pieces:
        beginning = script.until(number)
        answer = database.plain(beginning, keep=False)
        if answer.error is not None:
            lines, text = script.lines_of(number), beginning.without_brackets()
            start = len(text) - len(f"{script.pieces[number].text}{script.pieces[number].end}")
            if answer.place < start:
                return lines
            line = lines.start + text.count("\n", start, answer.place)
            return range(line, line + 1)
    # It is the commit that fails, or what is behind.
    last = script.lines_of(pieces[-1]).start if pieces else 1
    return range(last, str(script).count("\n") + 2)


def assert_it_says_where(fault: SeedFailedError, lines: range, file: Path) -> None:
    note(fault.for_people())
    assert len(fault.for_people().splitlines()) == 2
    assert fault.message.startswith(f"{file}:{fault.line}: ")
    assert fault.line in lines
