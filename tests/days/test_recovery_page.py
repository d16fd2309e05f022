"""The page on recovery: each situation is made, and what the page says is typed."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from tests.checkups import execute
from tests.days.day import Person, Said, create, schema

from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = Path(__file__).parents[2] / "docs" / "recovery.md"
SECTION = re.compile(r"^## Exit code (\d+)|^### (.+)\n|^```bash\n([^`]*)^```", re.MULTILINE)
UP, DOWN = create("customers")
WAIT = """
import pathlib, time
pathlib.Path("begun").touch()
while not pathlib.Path("go").exists():
    time.sleep(0.01)
"""
KILLED = """
with op.get_context().autocommit_block():
    op.execute("{} (id int)")
    import os, pathlib
    if not pathlib.Path("go").exists():
        os.kill(os.getpid(), 9)
"""


def sections() -> dict[str, list[str]]:
    """Return what the page says: its situations, and the commands of each."""
    found: dict[str, list[str]] = {}
    title = ""
    for _, heading, code in SECTION.findall(PAGE.read_text(encoding="utf-8")):
        title = heading or title
        found.setdefault(title, []).extend(code.splitlines())
    return found


class Page:
    """The page, as the one reads it who is in a situation."""

    def __init__(self) -> None:
        self._sections = sections()

    def helps(self, person: Person, situation: str, **words: str) -> list[Said]:
        """Type what it says, see that it works, and that all is well then."""
        said = []
        for command in self._sections[situation]:
            for word, meant in words.items():
                command = re.sub(rf"\b{word}\b", meant, command)
            said.append(person.types(command))
        person.types("wdh db status --check")
        return said


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture(params=["dev"])
def person(request: pytest.FixtureRequest, make_person: Callable[..., Person]) -> Person:
    """Somebody with a database at its first revision, and a second one that is not applied."""
    person = make_person("somebody", ENVIRONMENT=request.param)
    person.types("wdh db init")
    person.types('wdh db new "add orders"', at="2026-01-05 09:00")
    person.writes("*_add_orders.py", *create("orders"))
    person.types("wdh db upgrade")
    person.types('wdh db new "add customers"', at="2026-01-06 09:00")
    person.writes("*_add_customers.py", UP, DOWN)
    return person


on_staging = pytest.mark.parametrize("person", ["staging"], indirect=True)
on_a_server = pytest.mark.parametrize("make_url", ["postgresql"], indirect=True)
ORDERS, CUSTOMERS = "20260105_0900", "20260106_0900"


def name_of(person: Person) -> str:
    return Path(str(person.url.database)).name


def file_of(person: Person, pattern: str) -> Path:
    (file,) = person.folder.rglob(f"versions/{pattern}")
    return file


def test_every_situation_of_the_page_is_made_here() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    for situation in sections():
        assert f'"{situation}"' in here, situation


def test_the_page_has_every_exit_code() -> None:
    table = (PAGE.parent / "command-line.md").read_text(encoding="utf-8")
    codes = re.findall(r"^\| (\d+) \|", table, re.MULTILINE)
    assert [code for code, *_ in SECTION.findall(PAGE.read_text(encoding="utf-8")) if code] == (
        codes[1:]
    )


def test_pending(person: Person, page: Page) -> None:
    for command in page._sections[""]:
        person.types(command)
    person.types("wdh db status --check", exits=1)
    page.helps(person, "Something is pending")


MODELS = """
import sqlalchemy as sa

models = sa.MetaData()
for name in ("orders", "customers"):
    sa.Table(name, models, sa.Column("id", sa.Integer()), sa.Column("note", sa.Text()))
"""


def test_tables_that_differ(person: Person, page: Page) -> None:
    person.types("wdh db upgrade")
    env = person.folder / "migrations" / "env.py"
    text = env.read_text(encoding="utf-8")
    models = text.replace("=None", "=models").replace("\n\nrun(", f"\n{MODELS}\nrun(")
    env.write_text(models, encoding="utf-8")
    said = person.types("wdh db check", exits=1)
    assert said.hints == ['wdh db new --autogenerate "..."']
    page.helps(person, "The tables differ from those of the code")
    person.types("wdh db check")


def test_an_unhealthy_database(person: Person, page: Page) -> None:
    person.types("wdh db upgrade")
    execute(person.url, "CREATE TABLE _alembic_tmp_customers (id INTEGER)")
    assert "[left-of-batch]" in person.types("wdh db doctor", exits=1).out
    page.helps(person, "The database is unhealthy")
    assert "is healthy" in person.types("wdh db doctor").out
    assert " fix left-of-batch " in person.types("wdh db journal --last 1").out


def test_a_version_table_that_was_written_into(person: Person, page: Page) -> None:
    person.types("wdh db upgrade")
    execute(person.url, f"UPDATE alembic_version SET version_num = '{ORDERS}'")
    assert "[journal-disagrees]" in person.types("wdh db doctor").out
    person.types("wdh db status --check", exits=1)
    situation = "The version table is not where the journal left it"
    page.helps(person, situation, ID=CUSTOMERS)
    assert "customers" in schema(person.url)["rows"]


def test_settings(person: Person, page: Page) -> None:
    person.types("ENVIRONMENT=production wdh db upgrade", exits=2)
    person.types("wdh db upgrade --accpt", exits=2)
    person.types("wdh db upgrade")
    said = page.helps(person, "A variable or an argument is wrong")
    assert "`ENVIRONMENT`" in said[0].out


def test_several_heads(person: Person, page: Page) -> None:
    person.types(f'wdh db new --head {CUSTOMERS} "add one"', at="2026-01-07 09:00")
    file = file_of(person, "*_add_one.py")
    text = file.read_text(encoding="utf-8").replace("20260107_0900", "20260107_0901")
    file.with_name("20260107_0901_add_two.py").write_text(text, encoding="utf-8")
    before = schema(person.url)
    person.types("wdh db upgrade", exits=3)
    assert schema(person.url) == before
    page.helps(person, "Several heads")


def test_a_revision_that_was_mistyped(person: Person, page: Page) -> None:
    before = schema(person.url)
    near = person.types("wdh db upgrade 20260106_090", exits=0)
    assert CUSTOMERS in near.out
    person.types("wdh db downgrade -1")
    mistyped = person.types(f"wdh db upgrade {CUSTOMERS}1", exits=3)
    assert f"hint: did you mean {CUSTOMERS}?" in mistyped.err
    several = person.types("wdh db upgrade 2026", exits=3)
    assert f"{ORDERS}, {CUSTOMERS}" in several.err
    assert CUSTOMERS in person.types(person.types("wdh db upgrade zz", exits=3).hint("history")).out
    assert schema(person.url) == before
    page.helps(person, "A revision is not known", ID=CUSTOMERS)


def test_a_revision_file_that_cannot_be_read(person: Person, page: Page) -> None:
    file = file_of(person, "*_add_customers.py")
    good = file.read_text(encoding="utf-8")
    file.write_text(f"{good}\ndef half(:\n", encoding="utf-8")
    before = schema(person.url)
    said = person.types("wdh db upgrade", exits=3)
    assert f"{file.name}:{len(good.splitlines()) + 2}" in said.err
    assert schema(person.url) == before
    file.write_text(good, encoding="utf-8")
    page.helps(person, "A revision file cannot be read")


def edit_orders(person: Person) -> None:
    up, down = create("orders")
    person.writes("*_add_orders.py", f"{up}\nop.execute('SELECT 1')", down)
    before = schema(person.url)
    person.types("wdh db upgrade", exits=3)
    assert schema(person.url) == before


def test_an_edited_revision(person: Person, page: Page) -> None:
    file_of(person, "*_add_customers.py").unlink()
    (person.folder / "migrations" / "heads.txt").unlink(missing_ok=True)
    edit_orders(person)
    page.helps(person, "An applied revision was edited")


@on_staging
def test_an_edited_revision_where_data_matters(person: Person, page: Page) -> None:
    edit_orders(person)
    situation = "An applied revision was edited, and the database is staging or prod"
    page.helps(person, situation, ID=ORDERS)
    assert "customers" in schema(person.url)["rows"]


def lose_customers(person: Person) -> None:
    person.types("wdh db upgrade")
    file_of(person, "*_add_customers.py").unlink()
    (person.folder / "migrations" / "heads.txt").unlink(missing_ok=True)
    person.types("wdh db upgrade", exits=3)


def test_a_lost_revision(person: Person, page: Page) -> None:
    lose_customers(person)
    page.helps(person, "The database has a revision without a file")
    assert "customers" not in schema(person.url)["rows"]


@on_staging
def test_a_revision_whose_file_is_gone_for_good(person: Person, page: Page) -> None:
    lose_customers(person)
    with connect(person.url) as connection, connection.begin():
        connection.exec_driver_sql("DROP TABLE customers")
    page.helps(person, "The file of a revision is gone for good", ID=ORDERS, NAME=name_of(person))


@on_staging
def test_another_environment(person: Person, page: Page) -> None:
    before = schema(person.url)
    person.types("ENVIRONMENT=dev wdh db upgrade", exits=4)
    assert schema(person.url) == before
    page.helps(person, "The database is of another environment")


@on_staging
def test_a_wrong_record(person: Person, page: Page) -> None:
    laptop = Person(person.folder, {**person.environment, "ENVIRONMENT": "dev"}, person._pythons)
    told = laptop.types(laptop.types("wdh db upgrade", exits=4).hint("help")).out
    assert "### What is recorded is wrong" in told
    page.helps(laptop, "What is recorded is wrong", NAME=name_of(person))


@on_staging
def test_destruction(person: Person, page: Page) -> None:
    person.types("wdh db upgrade")
    before = schema(person.url)
    person.types("wdh db downgrade -1", exits=4)
    assert schema(person.url) == before
    file = file_of(person, "*_add_customers.py")
    for command in page._sections["Something would be destroyed"]:
        person.types(command.replace("NAME", name_of(person)))
    assert file.exists()
    assert "customers" not in schema(person.url)["rows"]


def test_another_run(person: Person, page: Page) -> None:
    person.writes("*_add_customers.py", f"{WAIT}{UP}", DOWN)
    run = person.starts("wdh db upgrade")
    person.waits_for("begun")
    person.types("WDH_RUN_LOCK_WAIT=0.1 wdh db upgrade", exits=5)
    (person.folder / "go").touch()
    page.helps(person, "Another run is at work")
    person.sees_end(run)


def test_a_failed_revision(person: Person, page: Page) -> None:
    person.writes("*_add_customers.py", f"{UP}\nop.execute('SELECT nonsense')", DOWN)
    before = schema(person.url)
    person.types("wdh db upgrade", exits=6)
    assert schema(person.url) == before
    person.writes("*_add_customers.py", UP, DOWN)
    said = page.helps(person, "A revision failed, and was rolled back")
    assert CUSTOMERS in said[0].out


@pytest.fixture
def holder(person: Person) -> Iterator[psycopg.Connection]:
    """A session that has a lock on a table."""
    url = person.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE orders")
        yield connection


@on_a_server
def test_a_revision_without_its_locks(
    person: Person, page: Page, holder: psycopg.Connection
) -> None:
    person.writes("*_add_customers.py", "op.execute('ALTER TABLE orders ADD extra int')", "pass")
    said = person.types("WDH_LOCK_TIMEOUT=0.1 WDH_LOCK_DEADLINE=0.3 wdh db upgrade", exits=6)
    assert f"{holder.info.backend_pid}" in said.err
    holder.rollback()
    page.helps(person, "A revision did not get its locks")


def kill_customers(person: Person, statement: str) -> None:
    person.writes("*_add_customers.py", KILLED.format(statement), "op.drop_table('made')")
    person.types("wdh db upgrade", exits=-signal.SIGKILL)
    (person.folder / "go").touch()


@pytest.mark.parametrize("way", ["finish", "undo"])
def test_an_interrupted_revision(person: Person, page: Page, way: str) -> None:
    kill_customers(person, "CREATE TABLE made")
    said = person.types("wdh db upgrade", exits=6)
    assert CUSTOMERS in said.err
    if way == "undo":
        with connect(person.url) as connection, connection.begin():
            connection.exec_driver_sql("DROP TABLE made")
    page.helps(
        person,
        {
            "finish": "A revision was interrupted outside of its transaction, and you finish it",
            "undo": "A revision was interrupted outside of its transaction, and you undo it",
        }[way],
        ID=CUSTOMERS,
    )
    assert "made" in schema(person.url)["rows"]


def test_a_killed_run(person: Person, page: Page) -> None:
    kill_customers(person, "CREATE TABLE IF NOT EXISTS made")
    page.helps(person, "A run was killed")


def test_ctrl_c(person: Person, page: Page) -> None:
    person.writes("*_add_customers.py", f"{UP}{WAIT}", DOWN)
    before = schema(person.url)
    run = person.starts("wdh db upgrade")
    person.waits_for("begun")
    run.send_signal(signal.SIGINT)
    person.sees_end(run, exits=130)
    assert schema(person.url) == before
    (person.folder / "go").touch()
    page.helps(person, "A run was interrupted by Ctrl-C")


def test_a_seed_file(person: Person, page: Page) -> None:
    person.types("wdh db upgrade")
    seeds = person.folder / "seeds.sql"
    good = "INSERT INTO orders VALUES (1);\n"
    seeds.write_text(f"{good}INSERT INTO nothing VALUES (1);\n", encoding="utf-8")
    before = schema(person.url)
    said = person.types("wdh db seed seeds.sql", exits=6)
    assert "seeds.sql:2: " in said.err
    assert schema(person.url) == before
    seeds.write_text(good, encoding="utf-8")
    page.helps(person, "A seed file failed", FILE="seeds.sql")
    assert schema(person.url)["rows"]["orders"] == 1


@on_a_server
def test_a_server_that_does_not_answer(person: Person, page: Page) -> None:
    person.types("wdh db upgrade")
    away = person.url.set(port=1).render_as_string(hide_password=False)
    person.types(f"DATABASE_URL={away} wdh db upgrade", exits=7)
    person.types(f"DATABASE_URL={away} wdh db wait --timeout 0.1", exits=7)
    page.helps(person, "The server does not answer")


@on_a_server
def test_a_database_that_is_not_there(person: Person, page: Page) -> None:
    missing = person.url.set(database=f"{person.url.database}_new")
    text = missing.render_as_string(hide_password=False)
    newcomer = Person(person.folder, {**person.environment, "DATABASE_URL": text}, person._pythons)
    newcomer.types("wdh db upgrade", exits=7)
    try:
        page.helps(newcomer, "The database is not there")
    finally:
        url = person.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{missing.database}"')
