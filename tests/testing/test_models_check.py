"""What the models make is what the migrations made: what is different is named, and only that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.testing.checked_project import (
    HANDS_OVER,
    OF_ITS_OWN,
    ON_POSTGRESQL,
    ON_SQLITE,
    SECOND,
    TABLES,
    statements,
)

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.testing.checked_project import Check, Project

    from work_data_hub.testing.databases import MigratedDatabases

EXAMPLES = Path(__file__).parents[2] / "examples"
TEMPLATE = (EXAMPLES / "bookshop/migrations/script.py.mako").read_text(encoding="utf-8")
THIRD = "20260101_0002"
NAME = "models_make"
ORDERS = """
orders = sa.Table(
    "orders",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("item_id", sa.ForeignKey("items.id", ondelete="CASCADE")),
    sa.Column("size", sa.Integer, nullable=False, server_default="0"),
    sa.Column("state", sa.String(9), server_default="it's new"),
    sa.Column("at", sa.DateTime, server_default=sa.func.now()),
    sa.CheckConstraint("size >= 0", name="sized"),
    sa.UniqueConstraint("item_id", "size", name="once"),
)
sa.Index("big", orders.c.size.desc(), unique=True,
         sqlite_where=orders.c.size > 9, postgresql_where=orders.c.size > 9)
"""
MADE = """\
CREATE TABLE orders (id {serial} PRIMARY KEY, item_id INTEGER REFERENCES items (id) ON DELETE CASCADE, \
size INTEGER DEFAULT 0 NOT NULL, state VARCHAR(9) DEFAULT 'it''s new', \
at {moment} DEFAULT CURRENT_TIMESTAMP, CONSTRAINT sized CHECK (size >= 0), \
CONSTRAINT once UNIQUE (item_id, size))
CREATE UNIQUE INDEX big ON orders (size DESC) WHERE size > 9"""  # noqa: E501
WORDS = {
    ON_SQLITE: {"serial": "INTEGER", "moment": "DATETIME"},
    ON_POSTGRESQL: {"serial": "serial", "moment": "timestamp"},
}
ENGINES = pytest.mark.parametrize("engine", [ON_SQLITE, ON_POSTGRESQL], ids=["sqlite", "postgres"])
RICH = """
import enum
from sqlalchemy.dialects import postgresql


class Mood(enum.Enum):
    sad = 1
    fine = 2


class Money(sa.TypeDecorator):
    impl = sa.Numeric(12, 2)
    cache_ok = True


metadata.naming_convention = {
    "uq": "uq_%(table_name)s_%(column_0_name)s", "ix": "ix_%(column_0_label)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
}
makers = sa.Table(
    "makers", metadata, sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("name", sa.String(30), unique=True, nullable=False, comment="as it says"),
    comment="who makes", postgresql_with={"fillfactor": 70},
)
things = sa.Table(
    "Things", metadata,
    sa.Column("maker", sa.ForeignKey("makers.id", deferrable=True), primary_key=True),
    sa.Column("Order", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("mood", sa.Enum(Mood), nullable=False, server_default="fine"),
    sa.Column("kind", sa.Enum("a", "b", native_enum=False, create_constraint=True, name="kinds")),
    sa.Column("price", Money, index=True),
    sa.Column("half", sa.Numeric, sa.Computed("price / 2", persisted=True)),
    sa.Column("is_new", sa.Boolean, server_default=sa.true(), nullable=False),
    sa.Column("data", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")),
    sa.Column("moods", postgresql.ARRAY(sa.Enum("x", "y", name="way"))
              .with_variant(sa.JSON(), "sqlite")),
    sa.Column("number", sa.Integer, sa.Sequence("numbers", start=5)),
    sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now()),
    sa.Column("text", sa.Text, server_default="it's 5"),
    sa.CheckConstraint("price > 0", name="paid"),
    sa.UniqueConstraint("mood", "price"),
)
sa.Index("lowered", sa.func.lower(things.c.text))
"""


def revised(project: Project, engine: str, statement: str = "") -> None:
    """Write the models with their orders, and what makes these; changed by a statement."""
    project.write("tables.py", TABLES + ORDERS)
    project.revision(THIRD, SECOND, statements(MADE.format(**WORDS[engine]) + f"\n{statement}"))


@ENGINES
def test_what_means_the_same_is_no_difference(project: Project, check: Check, engine: str) -> None:
    revised(project, engine)
    check(NAME, engine).assert_outcomes(passed=1)


@pytest.mark.parametrize("env", [HANDS_OVER, OF_ITS_OWN], ids=["handing over", "of its own"])
def test_what_autogenerate_writes_for_models_is_what_they_make(
    project: Project,
    check: Check,
    postgresql_databases: MigratedDatabases,
    alembic: Callable[..., subprocess.CompletedProcess[str]],
    env: str,
) -> None:
    """With all that models can say."""
    project.write("migrations/env.py", HANDS_OVER)
    project.write("migrations/script.py.mako", TEMPLATE)
    with postgresql_databases.empty() as url:
        assert alembic("upgrade", "head", url=url, cwd=project.folder).returncode == 0
        project.write("tables.py", TABLES + RICH)
        new = alembic("revision", "--autogenerate", "-m", "new", url=url, cwd=project.folder)
        assert new.returncode == 0, new.stderr
    (file,) = project.folder.glob("migrations/versions/*_new.py")
    # A sequence of its own is what autogenerate never writes.
    own = "-> None:\n    op.execute('CREATE SEQUENCE numbers START 5')\n"
    text = file.read_text(encoding="utf-8").replace("-> None:\n", own, 1)
    file.write_text(text, encoding="utf-8")
    project.write("migrations/env.py", env)
    check(NAME, ON_POSTGRESQL).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("size >= 0)", "size >= 1)", "check *orders.sized: * should be *0* and is *1*"),
        (", CONSTRAINT sized CHECK (size >= 0)", "", "check *orders.sized is missing"),
        ("CONSTRAINT sized", "CONSTRAINT bigger", "check *orders.sized is missing; it may have*"),
        ("size INTEGER DEFAULT 0", "size INTEGER DEFAULT 1", "*size: default should be 0 and is 1"),
        ("DEFAULT 0 NOT NULL", "NOT NULL", "*orders.size: default should be 0 and is nothing"),
        ("DEFAULT 'it''s new'", "DEFAULT 'new'", "column *orders.state: default should be *"),
        (" ON DELETE CASCADE", "", "foreign key *orders * is *"),
        ("(size DESC)", "(size)", "index *big: * should be * and is *"),
        (" WHERE size > 9", "", "index *big: * should be * and is *"),
        ("VARCHAR(9)", "VARCHAR(10)", "column *orders.state: type should be *(9) and is *(10)"),
        (" PRIMARY KEY", " NOT NULL", "primary key *orders * is missing"),
        (", CONSTRAINT once", ", CHECK (id > 0), CONSTRAINT once", "check *orders * is extra"),
        ("CONSTRAINT once UNIQUE (item_id, size)", "UNIQUE (size)", "unique *orders.once is *"),
    ],
)
@ENGINES
def test_what_autogenerate_may_not_see_is_named(
    project: Project, check: Check, engine: str, old: str, new: str, said: str
) -> None:
    project.write("tables.py", TABLES + ORDERS)
    made = MADE.format(**WORDS[engine])
    assert old in made
    project.revision(THIRD, SECOND, statements(made.replace(old, new)))
    found = check(NAME, engine)
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(
        ["error: the migrations made something else than the models make", f"  {said}"]
    )


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("COMMENT ON COLUMN orders.size IS 'in m'", "*orders.size: comment should be nothing*"),
        ("COMMENT ON TABLE orders IS 'of items'", "table *orders: comment should be nothing*"),
        ("ALTER TYPE mood ADD VALUE 'odd'", "*mood: labels should be (sad) and is (sad, odd)"),
        ("ALTER TABLE orders SET (fillfactor = 50)", "table *orders: options should be nothing*"),
        ("ALTER INDEX big SET (fillfactor = 50)", "index *big: definition should be *"),
    ],
)
def test_what_only_postgresql_has_is_named(
    project: Project, check: Check, statement: str, said: str
) -> None:
    revised(project, ON_POSTGRESQL, f"CREATE TYPE mood AS ENUM ('sad')\n{statement}")
    mood = "sa.Table('m', metadata, sa.Column('m', sa.Enum('sad', name='mood')))\n"
    project.write("tables.py", TABLES + ORDERS + mood)
    project.revision("20260101_0003", THIRD, statements("CREATE TABLE m (m mood)"))
    found = check(NAME, ON_POSTGRESQL)
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines([f"  {said}"])


def test_a_table_that_no_migration_makes_is_named(project: Project, check: Check) -> None:
    project.write("tables.py", TABLES + ORDERS)
    found = check(NAME)
    found.assert_outcomes(failed=2)
    found.stdout.fnmatch_lines(["  table orders is missing (with *)", "  table public.orders *"])


@ENGINES
def test_names_that_no_model_chose_are_no_difference(
    project: Project, check: Check, engine: str
) -> None:
    """A table that was renamed, its own names with it or not; and a constraint that has one."""
    renamed = MADE.format(**WORDS[engine]).replace("orders", "old")
    renamed = renamed.replace("REFERENCES", "CONSTRAINT to_item REFERENCES")
    plain = ORDERS.replace(', name="once"', "").replace(', name="sized"', "")
    project.write("tables.py", TABLES + plain)
    project.revision(THIRD, SECOND, statements(f"{renamed}\nALTER TABLE old RENAME TO orders"))
    check(NAME, engine).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("engine", "statement"),
    [
        (ON_SQLITE, "CREATE VIEW v AS SELECT * FROM orders"),
        (ON_SQLITE, "CREATE TRIGGER t AFTER INSERT ON orders BEGIN DELETE FROM marks; END"),
        (ON_SQLITE, "CREATE TABLE other (id INTEGER REFERENCES orders)"),
        (ON_POSTGRESQL, "CREATE VIEW v AS SELECT * FROM orders"),
        (ON_POSTGRESQL, "CREATE FUNCTION one(o orders) RETURNS int LANGUAGE sql AS 'SELECT 1'"),
        (ON_POSTGRESQL, "GRANT SELECT ON orders TO PUBLIC"),
        (ON_POSTGRESQL, "ALTER TABLE orders ENABLE ROW LEVEL SECURITY"),
        (ON_POSTGRESQL, "CREATE POLICY p ON orders USING (true)"),
        (ON_POSTGRESQL, "CREATE TYPE mood AS ENUM ('sad')"),
        (ON_POSTGRESQL, "CREATE SEQUENCE numbers"),
        (ON_POSTGRESQL, "CREATE TABLE other (id INTEGER REFERENCES orders)"),
        (ON_POSTGRESQL, "CREATE STATISTICS s ON id, size FROM orders"),
        (ON_POSTGRESQL, "ALTER TABLE orders ALTER state SET STORAGE PLAIN"),
    ],
)
def test_what_models_cannot_say_is_no_difference(
    project: Project, check: Check, engine: str, statement: str
) -> None:
    revised(project, engine, statement)
    check(NAME, engine).assert_outcomes(passed=1)


def test_models_find_what_migrations_make_for_them(project: Project, check: Check) -> None:
    """Extensions, functions, schemas, and types that a model does not make."""
    project.write(
        "tables.py",
        TABLES
        + """
from sqlalchemy.dialects import postgresql as pg

elsewhere = sa.Table(
    "things", metadata, sa.Column("id", sa.Integer, server_default=sa.func.one()),
    sa.Column("name", pg.CITEXT), sa.Column("mood", pg.ENUM(name="mood", create_type=False)),
    schema="other",
)
sa.Index("named", elsewhere.c.name, postgresql_concurrently=True)
""",
    )
    project.revision(
        THIRD,
        SECOND,
        statements(
            "CREATE EXTENSION citext\nCREATE SCHEMA other\nCREATE TYPE mood AS ENUM ('sad')\n"
            "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'\n"
            "CREATE TABLE other.things (id int DEFAULT one(), name citext, mood mood)\n"
            "CREATE INDEX named ON other.things (name)"
        ),
    )
    check(NAME, ON_POSTGRESQL).assert_outcomes(passed=1)


@pytest.mark.parametrize("env", [HANDS_OVER, OF_ITS_OWN], ids=["handing over", "of its own"])
@pytest.mark.parametrize("rule", ["include_object=by_object", "include_name=by_name"])
@ENGINES
def test_what_the_rules_of_autogenerate_hide_is_no_difference(
    project: Project, check: Check, engine: str, rule: str, env: str
) -> None:
    rules = """
HIDDEN = {"ix_only_here", "only_there", "code", "by_hand", "once"}

def by_object(item, name, kind, reflected, compare_to):
    return name not in HIDDEN

def by_name(name, kind, parents):
    return name not in HIDDEN
"""
    given = f"target_metadata=metadata, {rule}"
    project.write("migrations/env.py", rules + env.replace("target_metadata=metadata", given))
    changed = MADE.format(**WORDS[engine]).replace(", CONSTRAINT once UNIQUE (item_id, size)", "")
    revised(project, engine)
    project.revision(
        THIRD,
        SECOND,
        statements(
            f"{changed}\nALTER TABLE orders ADD COLUMN code INTEGER DEFAULT 7\n"
            "CREATE INDEX ix_only_here ON orders (state)\nCREATE TABLE by_hand (id INTEGER)"
        ),
    )
    only_there = "sa.Table('by_hand', metadata, sa.Column('id', sa.Text))\n"
    in_models = ORDERS if "object" in rule else ORDERS.replace("sa.UniqueConstraint", "#")
    project.write("tables.py", TABLES + in_models + only_there)
    check(NAME, engine).assert_outcomes(passed=1)


def test_types_are_compared_where_autogenerate_does(project: Project, check: Check) -> None:
    revised(project, ON_SQLITE)
    env = HANDS_OVER.replace("target_metadata=metadata", "target_metadata=metadata, {}")
    project.write("tables.py", (TABLES + ORDERS).replace("sa.String(9)", "sa.Text"))
    for option, outcome in (("compare_type=False", "passed"), ("compare_type=True", "failed")):
        project.write("migrations/env.py", env.format(option))
        check(NAME, ON_SQLITE).assert_outcomes(**{outcome: 1})


@ENGINES
def test_a_difference_is_excused_by_name_with_a_reason(
    project: Project, check: Check, engine: str
) -> None:
    revised(project, engine)
    wrong = ORDERS.replace("size >= 0", "size >= 1").replace('server_default="0"', "index=True")
    project.write("tables.py", TABLES + wrong)
    excuses = [
        "--wdh-models-excused=check orders.sized: it waits for the clean-up",
        "--wdh-models-excused=column.default orders.size: old programs give none",
        "--wdh-models-excused=index ix_orders_size: is built at night",
    ]
    found = check(NAME, engine, *excuses)
    found.assert_outcomes(passed=1)
    found.stdout.fnmatch_lines(
        ["not as the models: column.default orders.size: old programs give none"]
    )
    for left_out in range(len(excuses)):
        rest = excuses[:left_out] + excuses[left_out + 1 :]
        check(NAME, engine, *rest).assert_outcomes(failed=1)


def test_an_excuse_without_a_reason_is_refused(project: Project, check: Check) -> None:
    found = check(NAME, "--wdh-models-excused=check orders.sized")
    assert found.ret
    found.stderr.fnmatch_lines(["ERROR: wdh_models_excused has the line *, which is no rule*"])


@ENGINES
def test_models_that_cannot_be_made_are_a_fault_in_words(
    project: Project, check: Check, engine: str
) -> None:
    revised(project, engine)
    text = (TABLES + ORDERS).replace('"size >= 0"', '"sise >= 0"')
    project.write("tables.py", text)
    found = check(NAME, engine)
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(["error: the tables of the models cannot be made: *sise*"])
    found.stdout.no_fnmatch_line("*Traceback*")
