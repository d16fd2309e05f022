"""A DBA runs what the developers hand over, with the engine's own program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.days.day import Person, create, schema
from tests.dba import run_script

if TYPE_CHECKING:
    from collections.abc import Callable


def test_scripts_and_runs_take_turns_on_one_database(make_person: Callable[..., Person]) -> None:
    developer = make_person("developer", ENVIRONMENT="staging")
    url = developer.url
    developer.types("wdh db init")
    developer.types('wdh db new "add customers"', at="2026-01-05 09:00")
    developer.writes("*_add_customers.py", *create("customers"))
    developer.types("wdh db upgrade")
    developer.types('wdh db new "add orders"', at="2026-01-06 09:00")
    up, down = create("orders")
    developer.writes("*_add_orders.py", f"{up}\nop.execute('SELECT nonsense')", down)

    before = schema(url)
    broken = developer.types("wdh db sql --pending").out
    assert run_script(url, broken) != 0
    assert schema(url) == before
    assert "20260106_0900" in developer.types("wdh db status --check", exits=1).out

    developer.writes("*_add_orders.py", up, down)
    script = developer.types("wdh db sql --pending").out
    assert run_script(url, script) == 0
    developer.types("wdh db status --check")
    assert "nothing had to be done" in developer.types("wdh db upgrade").out
    assert "(script)" in developer.types("wdh db journal --last 1").out
    after = schema(url)
    assert after["rows"] == {"customers": 0, "orders": 0}

    assert run_script(url, script) != 0, "it goes on from a revision where the database is not"
    assert schema(url) == after
    refused = developer.types("wdh db downgrade -1", exits=4)
    developer.types(refused.again("--confirm"))
    assert schema(url) == before
    assert run_script(url, script) == 0
    developer.types("wdh db status --check")
    assert schema(url) == after


def test_a_database_that_a_script_has_built_is_adopted(make_person: Callable[..., Person]) -> None:
    developer = make_person("developer")
    developer.types("wdh db init")
    developer.types('wdh db new "add customers"', at="2026-01-05 09:00")
    developer.writes("*_add_customers.py", *create("customers"))
    script = developer.types("alembic upgrade head --sql").out
    assert run_script(developer.url, script) == 0
    assert schema(developer.url)["rows"] == {"customers": 0}
    unknown = developer.types("wdh db status")
    developer.types(unknown.hint("upgrade"))
    developer.types("wdh db status --check")
    assert " adopt 20260105_0900 " in developer.types("wdh db journal").out
    developer.types("wdh db downgrade base")
    assert schema(developer.url)["rows"] == {}
