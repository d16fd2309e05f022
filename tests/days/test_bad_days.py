"""A bad day: what fails in the middle, Ctrl-C, kill -9, a server that is gone; and the way out."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import psycopg
import pytest
from tests.days.day import Person, create, schema
from tests.sessions import end_sessions

from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable

UP, DOWN = create("customers")
WAIT = """
import pathlib, time
pathlib.Path("begun").touch()
while not pathlib.Path("go").exists():
    time.sleep(0.01)
"""
KILLED = """
{before}
with op.get_context().autocommit_block():
    op.execute("{first}")
    op.execute("{second}")
    import os, pathlib
    if not pathlib.Path("go").exists():
        os.kill(os.getpid(), 9)
"""


@pytest.fixture
def developer(make_person: Callable[..., Person]) -> Person:
    """Somebody whose newest revision, that of customers, is not applied yet."""
    person = make_person("developer")
    person.types("wdh db init")
    person.types('wdh db new "add orders"', at="2026-01-05 09:00")
    person.writes("*_add_orders.py", *create("orders"))
    person.types("wdh db upgrade")
    person.types('wdh db new "add customers"', at="2026-01-06 09:00")
    return person


def all_is_well(person: Person, *tables: str) -> None:
    """See that these tables are there, and that the next run has nothing to do."""
    person.types("wdh db status --check")
    assert set(schema(person.url)["rows"]) == {"orders", *tables}
    assert json.loads(person.types("wdh db upgrade --json").out)["steps"] == []
    person.types("wdh db downgrade -1")
    assert set(schema(person.url)["rows"]) == {"orders"}


def test_a_revision_that_fails_in_the_middle_is_corrected_and_run_again(
    developer: Person,
) -> None:
    before = schema(developer.url)
    developer.writes("*_add_customers.py", f"{UP}\nop.execute('SELECT nonsense')", DOWN)
    for command in ("wdh db upgrade", "alembic upgrade head"):
        failed = developer.types(command, exits=6)
        assert (
            "it was rolled back (done before it: nothing); correct it and run again" in failed.err
        )
        assert schema(developer.url) == before
    assert len(developer.types("wdh db journal --failed").out.splitlines()) == 2
    developer.writes("*_add_customers.py", UP, DOWN)
    developer.types(failed.command)
    all_is_well(developer, "customers")


def test_after_ctrl_c_the_same_command_goes_on(developer: Person) -> None:
    before = schema(developer.url)
    developer.writes("*_add_customers.py", f"{UP}{WAIT}", DOWN)
    run = developer.starts("wdh db upgrade")
    developer.waits_for("begun")
    run.send_signal(signal.SIGINT)
    interrupted = developer.sees_end(run, exits=130)
    assert "hint: run the command again, it goes on from there" in interrupted.err
    assert schema(developer.url) == before
    (developer.folder / "go").touch()
    developer.types("wdh db upgrade")
    all_is_well(developer, "customers")


def is_killed(developer: Person, before: str, what: str) -> None:
    """Let a revision be killed in its autocommit block, and never again."""
    code = KILLED.format(before=before, first=what.format("a"), second=what.format("b"))
    developer.writes("*_add_customers.py", code, "op.drop_table('a')\nop.drop_table('b')")
    developer.types("wdh db upgrade", exits=-signal.SIGKILL)
    (developer.folder / "go").touch()


def test_what_was_killed_is_repeated_where_that_does_no_harm(developer: Person) -> None:
    is_killed(developer, "pass", "CREATE TABLE IF NOT EXISTS {} (id int)")
    told = developer.types("wdh db status --check", exits=1)
    assert "run the upgrade of 20260106_0900 again, which repeats it" in told.out
    developer.types("wdh db upgrade")
    all_is_well(developer, "a", "b")


@pytest.mark.parametrize("way", ["finish", "undo"])
def test_what_was_killed_is_a_person_s_where_repeating_could_do_harm(
    developer: Person, way: str
) -> None:
    insert = 'op.execute("INSERT INTO orders VALUES (1)")'
    is_killed(developer, insert, "CREATE TABLE {} (id int)")
    told = developer.types("wdh db upgrade", exits=6)
    assert set(schema(developer.url)["rows"]) == {"orders", "a", "b"}
    if way == "finish":  # what is left of it: nothing
        developer.types(told.hint("stamp"))
    else:
        undo = ("DROP TABLE a", "DROP TABLE b", "DELETE FROM orders")
        with connect(developer.url) as connection, connection.begin():
            for statement in undo:
                connection.exec_driver_sql(statement)
        developer.types(told.again("--resolved"))
    all_is_well(developer, "a", "b")


on_a_server = pytest.mark.parametrize("make_url", ["postgresql"], indirect=True)


@on_a_server
def test_a_server_that_goes_away_in_the_middle(developer: Person) -> None:
    developer.writes("*_add_customers.py", f"{UP}{WAIT}", DOWN)
    run = developer.starts("wdh db upgrade")
    developer.waits_for("begun")
    end_sessions(developer.url, "true")
    (developer.folder / "go").touch()
    said = developer.sees_end(run, exits=6)
    assert (
        "hint: it was rolled back (done before it: nothing); correct it and run again" in said.err
    )
    developer.types("wdh db upgrade")
    all_is_well(developer, "customers")


@on_a_server
def test_a_server_that_does_not_answer(developer: Person) -> None:
    away = developer.url.set(port=1, password="hunter2").render_as_string(hide_password=False)
    for verb in ("upgrade", "status", "wait --timeout 0.1"):
        said = developer.types(f"DATABASE_URL={away} wdh db {verb}", exits=7)
        assert "hint: check that the server runs" in said.err
    developer.types(f"DATABASE_URL={away} alembic current", exits=7)


@on_a_server
def test_a_database_that_is_not_there_yet(developer: Person) -> None:
    missing = developer.url.set(database=f"{developer.url.database}_new")
    there = f"DATABASE_URL={missing.render_as_string(hide_password=False)}"
    developer.types(f"{there} wdh db status", exits=7)
    said = developer.types(f"{there} wdh db upgrade", exits=7)
    try:
        developer.types(f"{there} {said.hint('create')}")
        developer.types(f"{there} wdh db upgrade")
    finally:
        url = developer.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{missing.database}"')
