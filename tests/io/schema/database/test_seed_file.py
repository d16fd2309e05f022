"""A seed file is loaded whole or not at all, and says what is wrong with it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from work_data_hub.errors import SeedFailedError, UsageError
from work_data_hub.io.schema.database.seed_file import SeedResult, load_seeds, read_seed_file
from work_data_hub.io.schema.engine import create_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL

FILE = Path("seeds/first.sql")


def load(engine: sa.Engine, script: str) -> SeedResult:
    with engine.connect() as connection:
        return load_seeds(connection, script, path=FILE)


def rows(engine: sa.Engine, query: str) -> list[Any]:
    """The first column of a query that the drivers take as it is."""
    with engine.connect() as connection:
        options = {"no_parameters": True}
        return list(connection.exec_driver_sql(query, execution_options=options).scalars())


def assert_nothing_is_left(engine: sa.Engine) -> None:
    """No table, and no lock either: another connection can write."""
    assert sa.inspect(engine).get_table_names() == []
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("CREATE TABLE proof (id int)")
        connection.exec_driver_sql("DROP TABLE proof")


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = sa.create_engine(
        f"sqlite:///{tmp_path / 'seeds.db'}", poolclass=sa.NullPool, connect_args={"timeout": 0.1}
    )

    @event.listens_for(engine, "connect")
    def prepare(raw: sqlite3.Connection, _: object) -> None:
        raw.isolation_level = None
        raw.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    yield engine
    engine.dispose()


@pytest.fixture
def postgresql_engine(postgresql_url: URL) -> sa.Engine:
    return create_engine(postgresql_url)


# --- the file ---------------------------------------------------------------------------------


def test_a_byte_order_mark_is_left_out_and_line_ends_stay(tmp_path: Path) -> None:
    file = tmp_path / "seeds.sql"
    file.write_bytes(b"\xef\xbb\xbfSELECT '\xc3\xbc';\r\n")
    assert read_seed_file(file) == "SELECT 'ü';\r\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"SELECT 1;\nSELECT '\xfc';\n", "not UTF-8 (line 2, byte offset 18)"),
        (b"\xef\xbb\xbf\xff", "not UTF-8 (line 1, byte offset 3)"),
        (b"SELECT 1;\n\n\0", "a NUL byte (line 3, byte offset 11)"),
    ],
)
def test_a_file_that_is_not_text_names_the_place(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    file = tmp_path / "seeds.sql"
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_seed_file(file)
    assert str(file) in caught.value.message
    assert reason in caught.value.message
    assert "UTF-8" in caught.value.hint


def test_a_utf_16_file_is_recognised(tmp_path: Path) -> None:
    file = tmp_path / "seeds.sql"
    file.write_text("SELECT 1;", encoding="utf-16")
    with pytest.raises(UsageError) as caught:
        read_seed_file(file)
    assert "UTF-16" in caught.value.hint


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file.sql").write_text("")
    for path in (tmp_path / "none.sql", tmp_path, tmp_path / "file.sql" / "x"):
        with pytest.raises(UsageError) as caught:
            read_seed_file(path)
        assert str(path) in caught.value.message
        assert len(caught.value.for_people().splitlines()) == 2


# --- what is loaded ---------------------------------------------------------------------------


def test_all_statements_are_loaded_and_committed(database_engine: sa.Engine) -> None:
    script = (
        "CREATE TABLE t (id int PRIMARY KEY, name text);\nINSERT INTO t VALUES (1, 'a'), (2, 'b')"
    )
    assert load(database_engine, script) == SeedResult(statements=2, rows=2)
    assert rows(database_engine, "SELECT name FROM t ORDER BY id") == ["a", "b"]


def test_what_looks_like_a_parameter_is_text(database_engine: sa.Engine) -> None:
    text = ':name %s %(name)s %% ? $1 ; -- /* \\ ü 日本語 {"a":true}'
    load(database_engine, f"CREATE TABLE t (v text); INSERT INTO t VALUES ('{text}');")
    assert rows(database_engine, "SELECT v FROM t") == [text]


def test_a_percent_sign_is_an_operator(database_engine: sa.Engine) -> None:
    load(database_engine, "CREATE TABLE t (v int);\nINSERT INTO t SELECT 7 % 4;")
    assert rows(database_engine, "SELECT v FROM t") == [3]


def test_bodies_with_semicolons_are_loaded(database_engine: sa.Engine) -> None:
    script = {
        "sqlite": """
            CREATE TRIGGER doubled AFTER INSERT ON t WHEN NEW.v < 10 BEGIN
              INSERT INTO t VALUES (CASE WHEN NEW.v = 1 THEN 10 ELSE 20 END); -- END;
              INSERT INTO t VALUES (30);
            END;
        """,
        "postgresql": """
            CREATE FUNCTION doubled() RETURNS trigger LANGUAGE plpgsql AS $body$
            BEGIN
              IF NEW.v < 10 THEN
                INSERT INTO t VALUES (CASE WHEN NEW.v = 1 THEN 10 ELSE 20 END); -- $$ END;
                INSERT INTO t VALUES (30);
              END IF;
              RETURN NEW;
            END $body$;
            CREATE TRIGGER doubled AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION doubled();
            CREATE FUNCTION three() RETURNS int BEGIN ATOMIC
              SELECT CASE WHEN true THEN 2 END;
              SELECT 3 AS end;
            END;
            DO $$ BEGIN ASSERT three() = 3; END $$;
        """,
    }[database_engine.dialect.name]
    load(database_engine, f"CREATE TABLE t (v int);{script}INSERT INTO t VALUES (1);")
    assert rows(database_engine, "SELECT v FROM t ORDER BY v") == [1, 10, 30]


def test_a_second_load_of_an_idempotent_file_changes_no_row(database_engine: sa.Engine) -> None:
    script = """
        CREATE TABLE IF NOT EXISTS t (id int PRIMARY KEY);
        INSERT INTO t VALUES (1), (2) ON CONFLICT DO NOTHING;
        WITH more(id) AS (SELECT 3) INSERT INTO t SELECT id FROM more WHERE true
          ON CONFLICT DO NOTHING;
        SELECT * FROM t;
    """
    assert load(database_engine, script) == SeedResult(statements=4, rows=3)
    assert load(database_engine, script) == SeedResult(statements=4, rows=0)


def test_the_rows_of_a_prepared_statement_are_counted_too(postgresql_engine: sa.Engine) -> None:
    script = """
        CREATE TABLE t (id int);
        PREPARE one AS INSERT INTO t VALUES ($1);
        EXECUTE one(1);
        PREPARE look AS SELECT * FROM t;
        EXECUTE look;
    """
    assert load(postgresql_engine, script) == SeedResult(statements=5, rows=1)


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
@pytest.mark.parametrize("queries", ["", "SELECT 1;", "SELECT 1; SELECT 2, 3;"])
def test_a_rule_that_adds_queries_does_not_change_what_is_counted(
    postgresql_url: URL, queries: str, driver: str
) -> None:
    engine = create_engine(postgresql_url.set(drivername=f"postgresql+{driver}"))
    script = f"""
        CREATE TABLE child (id integer);
        CREATE TABLE other (id integer);
        CREATE RULE also AS ON DELETE TO child DO ALSO (DELETE FROM other; {queries});
        INSERT INTO child VALUES (1), (2);
        DELETE FROM child;
    """
    assert load(engine, script).rows == 4


def test_an_empty_file_does_nothing(database_engine: sa.Engine) -> None:
    assert load(database_engine, "\n-- nothing;\n;;") == SeedResult(statements=0, rows=0)


def test_begin_and_commit_of_a_dump_do_not_cut_the_transaction(database_engine: sa.Engine) -> None:
    script = "BEGIN TRANSACTION; CREATE TABLE t (id int); COMMIT;\nINSERT INTO none VALUES (1);"
    with pytest.raises(SeedFailedError):
        load(database_engine, script)
    assert_nothing_is_left(database_engine)


@pytest.mark.parametrize("end", ["COMMIT", "END TRANSACTION", "ROLLBACK"])
def test_files_that_were_put_together_are_one_transaction(
    sqlite_engine: sa.Engine, end: str
) -> None:
    """SQLite takes the byte order mark of the second file for a space."""
    script = f"CREATE TABLE t (id int);\n\ufeff{end};\n\ufeffINSERT INTO nowhere VALUES (1);"
    with pytest.raises(SeedFailedError):
        load(sqlite_engine, script)
    assert_nothing_is_left(sqlite_engine)
    loaded = load(sqlite_engine, "CREATE TABLE t (id int);\n\ufeff-- the second\nSELECT 1;\n\ufeff")
    assert loaded.statements == 2


def test_a_vertical_tab_hides_no_commit(postgresql_engine: sa.Engine) -> None:
    """It is a space to PostgreSQL since 16."""
    script = "CREATE TABLE t (id int);\n\vCOMMIT;\nINSERT INTO nowhere VALUES (1);"
    with pytest.raises(SeedFailedError):
        load(postgresql_engine, script)
    assert_nothing_is_left(postgresql_engine)


def test_savepoints_are_the_files_own(database_engine: sa.Engine) -> None:
    script = """
        CREATE TABLE t (id int);
        SAVEPOINT here; INSERT INTO t VALUES (1); ROLLBACK TO here;
        INSERT INTO t VALUES (2); RELEASE here;
    """
    load(database_engine, script)
    assert rows(database_engine, "SELECT id FROM t") == [2]


def test_the_connection_can_load_the_next_file(database_engine: sa.Engine) -> None:
    empty_path = {
        "sqlite": "PRAGMA foreign_keys=OFF;",
        "postgresql": "SELECT pg_catalog.set_config('search_path', '', false);",
    }[database_engine.dialect.name]
    with database_engine.connect() as connection:
        load_seeds(connection, "CREATE TABLE t (id int);" + empty_path, path=FILE)
        assert not connection.in_transaction()
        load_seeds(connection, "INSERT INTO t VALUES (1);", path=FILE)
    assert rows(database_engine, "SELECT id FROM t") == [1]


def test_a_sqlite_dump_with_the_child_before_its_parent_is_loaded(
    sqlite_engine: sa.Engine,
) -> None:
    source = sqlite3.connect(":memory:")
    source.executescript("""
        CREATE TABLE child (parent int REFERENCES parent ON DELETE CASCADE);
        CREATE TABLE parent (id int PRIMARY KEY);
        INSERT INTO parent VALUES (1);
        INSERT INTO child VALUES (1);
    """)
    # What iterdump leaves out and the sqlite3 shell writes.
    dump = "PRAGMA foreign_keys=OFF;\n" + "\n".join(source.iterdump())
    source.close()
    with sqlite_engine.connect() as connection:
        load_seeds(connection, dump, path=FILE)
        rebuild = (
            "PRAGMA foreign_keys=OFF; DROP TABLE parent; CREATE TABLE parent (id int PRIMARY KEY);"
        )
        load_seeds(connection, rebuild + "INSERT INTO parent VALUES (1);", path=FILE)
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    assert rows(sqlite_engine, "SELECT parent FROM child") == [1]


# --- what fails -------------------------------------------------------------------------------


def test_a_failure_leaves_nothing_and_names_file_line_and_statement(
    database_engine: sa.Engine,
) -> None:
    script = """CREATE TABLE t (id int);
-- a comment
INSERT INTO t VALUES (1);

  INSERT INTO u VALUES (2);"""
    with pytest.raises(SeedFailedError) as caught:
        load(database_engine, script)
    error = caught.value
    assert (error.path, error.line, error.statement) == (FILE, 5, "INSERT INTO u VALUES (2)")
    assert error.message.startswith(f"{FILE}:5: ")
    assert error.message.endswith("(in: INSERT INTO u VALUES (2))")
    assert len(error.for_people().splitlines()) == 2
    assert_nothing_is_left(database_engine)


def test_the_line_is_as_exact_as_the_engine_is(database_engine: sa.Engine) -> None:
    script = "CREATE TABLE größe (id int);\n\nINSERT INTO größe\n  (id)\nSELECT\n  missing;\n"
    with pytest.raises(SeedFailedError) as caught:
        load(database_engine, script)
    exact = {"sqlite": 3, "postgresql": 6}[database_engine.dialect.name]
    assert caught.value.line == exact
    assert caught.value.statement == "INSERT INTO größe"


def test_a_long_statement_is_shortened(database_engine: sa.Engine) -> None:
    with pytest.raises(SeedFailedError) as caught:
        load(database_engine, f"INSERT INTO none VALUES ('{'x' * 500}')")
    assert len(caught.value.statement) == 80
    assert caught.value.statement.endswith("...")


def test_what_is_never_closed_is_named_by_its_first_line(database_engine: sa.Engine) -> None:
    with pytest.raises(SeedFailedError) as caught:
        load(database_engine, "CREATE TABLE t (v text);\nINSERT INTO t VALUES ('a);\nSELECT 1;\n")
    assert caught.value.line == 2
    assert_nothing_is_left(database_engine)


@pytest.mark.parametrize(
    "statement", ["ROLLBACK", "COMMIT AND CHAIN", "PREPARE TRANSACTION 'x'", "\\connect other"]
)
def test_what_a_transaction_cannot_take_is_refused_before_anything_runs(
    database_engine: sa.Engine, statement: str
) -> None:
    executed: list[str] = []
    event.listen(
        database_engine, "before_cursor_execute", lambda *arguments: executed.append(arguments[2])
    )
    with pytest.raises(SeedFailedError) as caught:
        load(database_engine, f"CREATE TABLE t (id int);\n\n{statement}\n;")
    assert (caught.value.line, caught.value.statement) == (3, statement)
    assert "CREATE TABLE t (id int)" not in executed
    assert_nothing_is_left(database_engine)


def test_copy_data_is_refused_with_the_way_out(database_engine: sa.Engine) -> None:
    script = "CREATE TABLE t (v text);\nCOPY t (v) FROM stdin;\nit's $$ (data;\n\\.\n\nSELECT 1;\n"
    with pytest.raises(SeedFailedError) as caught:
        load(database_engine, script)
    assert caught.value.line == 2
    if database_engine.dialect.name == "postgresql":
        assert "--inserts" in caught.value.hint
    assert_nothing_is_left(database_engine)


def test_a_constraint_that_fails_at_commit_leaves_nothing(database_engine: sa.Engine) -> None:
    script = """CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
INSERT INTO child VALUES (1);
"""
    with database_engine.connect() as connection:
        with pytest.raises(SeedFailedError) as caught:
            load_seeds(connection, script, path=FILE)
        assert not connection.in_transaction()
        assert_nothing_is_left(database_engine)
    assert caught.value.message.startswith(f"{FILE}:3: at commit: ")


def test_a_broken_reference_is_found_where_sqlite_does_not_enforce_it(
    sqlite_engine: sa.Engine,
) -> None:
    load(sqlite_engine, "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p);")
    with pytest.raises(SeedFailedError) as caught:
        load(sqlite_engine, "PRAGMA foreign_keys=OFF;\nBEGIN;\nINSERT INTO c VALUES (1);\nCOMMIT;")
    assert "at commit" in caught.value.message
    assert caught.value.line == 3
    assert rows(sqlite_engine, "SELECT p FROM c") == []


def test_a_query_is_read_to_its_last_row(database_engine: sa.Engine) -> None:
    fails_on_the_last_row = {
        "sqlite": "SELECT abs(v) FROM t",  # abs() of the smallest integer overflows
        "postgresql": "SELECT -v FROM t",
    }[database_engine.dialect.name]
    script = f"""CREATE TABLE t (v bigint);
INSERT INTO t VALUES (1), (2), (-9223372036854775808);
{fails_on_the_last_row};
"""
    with pytest.raises(SeedFailedError) as caught:
        load(database_engine, script)
    assert caught.value.line == 3
    assert_nothing_is_left(database_engine)


@pytest.mark.parametrize("interrupted", ["INSERT INTO t VALUES (1)", "SELECT 1 UNION SELECT 2"])
def test_ctrl_c_leaves_nothing(database_engine: sa.Engine, interrupted: str) -> None:
    def interrupt(*arguments: Any) -> None:
        if arguments[2] == interrupted:
            raise KeyboardInterrupt

    with database_engine.connect() as connection:
        event.listen(database_engine, "after_cursor_execute", interrupt)
        with pytest.raises(KeyboardInterrupt):
            load_seeds(connection, f"CREATE TABLE t (id int);\n{interrupted};", path=FILE)
        assert not connection.in_transaction()
        assert_nothing_is_left(database_engine)


def test_a_locked_database_is_not_the_fault_of_the_file(sqlite_engine: sa.Engine) -> None:
    with sqlite_engine.connect() as writer, sqlite_engine.connect() as connection:
        with writer.begin(), pytest.raises(SeedFailedError) as caught:
            load_seeds(connection, "CREATE TABLE t (id int);", path=FILE)
        assert "before the first statement: database is locked" in caught.value.message
        assert "correct it" not in caught.value.hint
        assert load_seeds(connection, "CREATE TABLE t (id int);", path=FILE).statements == 1


def test_a_connection_in_a_transaction_is_a_bug_of_the_caller(database_engine: sa.Engine) -> None:
    with (
        database_engine.connect() as connection,
        connection.begin(),
        pytest.raises(RuntimeError, match="not in a transaction"),
    ):
        load_seeds(connection, "SELECT 1", path=FILE)


def test_transactions_that_are_not_real_are_refused(database_engine: sa.Engine) -> None:
    if database_engine.dialect.name == "sqlite":
        plain = sa.create_engine(database_engine.url, poolclass=sa.NullPool)
    else:
        plain = database_engine.execution_options(isolation_level="AUTOCOMMIT")
    with plain.connect() as connection, pytest.raises(RuntimeError):
        load_seeds(connection, "CREATE TABLE t (id int)", path=FILE)
    assert_nothing_is_left(database_engine)


def test_strings_are_read_as_they_were_divided_whatever_the_database_sets(
    postgresql_engine: sa.Engine,
) -> None:
    name = postgresql_engine.url.database
    load(postgresql_engine, f"ALTER DATABASE {name} SET standard_conforming_strings = off")
    load(
        postgresql_engine,
        "CREATE TABLE t (x text);\nINSERT INTO t VALUES ('a\\');\nINSERT INTO t VALUES (';b');",
    )
    assert rows(postgresql_engine, "SELECT x FROM t ORDER BY x") == [";b", "a\\"]


ENDING_AT_COMMIT = """
CREATE TABLE t (x int);
CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER gone AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION gone();
"""


def test_a_connection_that_is_lost_at_the_commit_leaves_a_question(
    postgresql_engine: sa.Engine,
) -> None:
    load(postgresql_engine, ENDING_AT_COMMIT)
    with pytest.raises(SeedFailedError, match="at commit: ") as lost:
        load(postgresql_engine, "INSERT INTO t VALUES (1);")
    assert "look whether the rows are there" in lost.value.hint
    with pytest.raises(SeedFailedError) as failed:
        load(postgresql_engine, "SELECT pg_terminate_backend(pg_backend_pid());")
    assert "nothing of the file was loaded" in failed.value.hint


def test_a_rollback_that_fails_hides_no_fault(
    database_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: sa.Connection) -> None:
        raise sa.exc.OperationalError("ROLLBACK", None, Exception("gone"))

    with database_engine.connect() as connection:
        monkeypatch.setattr(sa.Connection, "rollback", fail)
        with pytest.raises(SeedFailedError, match="nowhere"):
            load_seeds(connection, "INSERT INTO nowhere VALUES (1);", path=FILE)
        assert connection.invalidated
        monkeypatch.undo()
    assert_nothing_is_left(database_engine)
