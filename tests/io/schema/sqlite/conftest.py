"""A small Alembic project on SQLite, and a family of tables that has everything."""

from __future__ import annotations

import sqlite3
import textwrap
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import URL

from work_data_hub.errors import MigrationFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Project:
    """A small Alembic project with a SQLite file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "migrations"
        (self._folder / "versions").mkdir(parents=True)
        (self._folder / "env.py").write_text(
            "from alembic import context\n"
            "from work_data_hub.io.schema.environment import run\n\n"
            "run(context)\n"
        )
        self.file = folder / "database.db"
        self._last: str | None = None

    def revision(self, body: str, downgrade: str = "pass") -> None:
        number = len(list((self._folder / "versions").glob("*.py"))) + 1
        name = f"20260101_{number:06}"
        (self._folder / "versions" / f"{name}_x.py").write_text(
            "import sqlalchemy as sa\nfrom alembic import op\n"
            f"revision = {name!r}\ndown_revision = {self._last!r}\n"
            f"def upgrade():\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"
            f"def downgrade():\n{textwrap.indent(textwrap.dedent(downgrade), '    ')}\n"
        )
        self._last = name

    def existing(self, script: str) -> None:
        """Add a revision that executes a script, and run it."""
        statements = [s.strip() for s in script.split("\n\n") if s.strip()]
        self.revision("\n".join(f"op.get_bind().exec_driver_sql({s!r})" for s in statements))
        self.upgrade()

    def batch(self, *operations: str, table: str = "parent", **arguments: str) -> None:
        """Add a revision with one batch of operations on a table, and run it."""
        arguments_text = "".join(f", {name}={value}" for name, value in arguments.items())
        lines = "".join(f"\n    batch_op.{operation}" for operation in operations) or "\n    pass"
        self.revision(f"with op.batch_alter_table({table!r}{arguments_text}) as batch_op:{lines}")
        self.upgrade()

    def upgrade(self) -> None:
        command.upgrade(self.config(), "head")

    def downgrade(self) -> None:
        command.downgrade(self.config(), "-1")

    def refused(self, *operations: str, table: str = "parent", **arguments: str) -> str:
        """Run a batch that must be refused. Return what was said."""
        return self.refused_run(lambda: self.batch(*operations, table=table, **arguments))

    def refused_script(self, script: str) -> str:
        """Run a script that must be refused. Return what was said."""
        return self.refused_run(lambda: self.existing(script))

    def refused_body(self, body: str) -> str:
        """Run a revision that must be refused. Return what was said."""

        def run() -> None:
            self.revision(body)
            self.upgrade()

        return self.refused_run(run)

    def refused_run(self, run: Callable[[], None]) -> str:
        """Add and run a revision that must be refused. Return what was said."""
        before, last = self.contents(), self._last
        with pytest.raises(MigrationFailedError) as raised:
            run()
        assert self.contents() == before
        assert "\n" not in raised.value.message + raised.value.hint
        assert self._last != last
        next(self._folder.glob(f"versions/{self._last}_x.py")).unlink()
        self._last = last
        return f"{raised.value.message} | {raised.value.hint}"

    def sql(self, statement: str, *parameters: object) -> list[Any]:
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            with connection:
                return connection.execute(statement, parameters).fetchall()

    def schema(self, name: str) -> str:
        """Return the statement of an object, on one line and without double quotes."""
        found = self.sql("SELECT sql FROM sqlite_master WHERE name = ?", name)
        return " ".join(found[0][0].replace('"', "").split()) if found else ""

    def names(self) -> set[str]:
        return {name for (name,) in self.sql("SELECT name FROM sqlite_master")}

    def objects(self) -> dict[str, str]:
        """Return the indexes, triggers and views, by name."""
        found = self.sql("SELECT name, sql FROM sqlite_master WHERE type <> 'table'")
        return {name: sql for name, sql in found if sql is not None}

    def contents(self) -> list[str]:
        """Return the schema and every row; the driver's own dump fails at a broken foreign key."""
        objects = self.sql("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name")
        rows = [
            (name, *row)
            for kind, name, *_ in objects
            if kind == "table"
            for row in self.sql('SELECT * FROM "{}"'.format(name.replace('"', '""')))
        ]
        return [line for line in map(repr, [*objects, *rows]) if "work_data_hub_" not in line]

    def assert_family_works(self) -> None:
        """Try out everything that the tables promise; needs id, code, name and amount."""
        assert self.sql("SELECT count(*) FROM parent") == [(2,)]
        assert self.sql("SELECT id, parent_id FROM child") == [(1, 1), (2, 1), (3, 2)]
        assert self.sql("SELECT id FROM parent WHERE code = 'A'") == [(1,)]
        for bad in (
            "INSERT INTO parent (code, amount) VALUES ('c', 0)",
            "INSERT INTO parent (code, name) VALUES ('c', printf('%200d', 1))",
            "INSERT INTO parent (code) VALUES ('0123456789')",
            "INSERT INTO parent (code) VALUES ('A')",
            "INSERT INTO parent (name, amount) VALUES ('ANNA', 6)",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                self.sql(bad)
        self.sql("INSERT INTO rich (code, name) VALUES ('n', 'new')")
        assert self.sql("SELECT max(id) FROM parent") == [(10,)]
        self.sql("UPDATE parent SET amount = 8 WHERE code = 'n'")
        assert self.sql("SELECT text FROM log")[-2:] == [("new",), ("rich; new",)]
        assert self.sql("SELECT name FROM rich ORDER BY name") == [("Anna",), ("new",)]
        self.sql("DELETE FROM parent WHERE id = 1")
        assert self.sql("SELECT id FROM child") == [(3,)]
        assert self.sql("SELECT boss FROM parent WHERE id = 2") == [(None,)]

    def config(self) -> Config:
        config = Config()
        config.set_main_option("script_location", str(self._folder).replace("%", "%%"))
        url = URL.create("sqlite", database=str(self.file)).render_as_string()
        config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
        return config


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    yield project
    if project.file.exists():
        assert not any(name.startswith("_alembic_tmp_") for name in project.names())


FAMILY = """
CREATE TABLE parent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    code VARCHAR(20) COLLATE NOCASE UNIQUE,
    name TEXT NOT NULL DEFAULT 'nobody',
    amount INT CHECK (amount > 0),
    boss INTEGER REFERENCES parent(id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    CHECK (length(name) < 100),
    CONSTRAINT short_code CHECK (length(code) < 10)
)

CREATE TABLE child (
    id INTEGER PRIMARY KEY,
    parent_id INTEGER NOT NULL REFERENCES parent(id) ON DELETE CASCADE
)

CREATE TABLE log (text TEXT)

CREATE INDEX by_lower_name ON parent (lower(name))

CREATE INDEX by_amount ON parent (amount DESC) WHERE amount > 5

CREATE UNIQUE INDEX by_name_and_amount ON parent (name COLLATE NOCASE, amount)

CREATE TRIGGER note_new AFTER INSERT ON parent BEGIN INSERT INTO log VALUES (NEW.name); END

CREATE TRIGGER note_amount AFTER UPDATE OF amount ON parent WHEN NEW.amount > 7
BEGIN INSERT INTO log VALUES ('rich; ' || NEW.name); END

CREATE VIEW rich AS SELECT code, name FROM parent WHERE amount > 5

CREATE TRIGGER new_rich INSTEAD OF INSERT ON rich
BEGIN INSERT INTO parent (code, name, amount) VALUES (NEW.code, NEW.name, 6); END

INSERT INTO parent VALUES (1, 'a', 'Anna', 6, NULL), (2, 'b', 'Berta', 3, 1), (9, 'z', 'Z', 1, 1)

INSERT INTO child VALUES (1, 1), (2, 1), (3, 2)

DELETE FROM parent WHERE id = 9
"""


@pytest.fixture
def family(project: Project) -> Project:
    project.existing(FAMILY)
    return project
