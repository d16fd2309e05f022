"""Replicas that start at once, one of the old release that starts late, a release taken back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.days.day import Person, create, schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

REPOSITORY = Path(__file__).parents[2]
REPLICAS = 3


def release(developer: Person, version: str, what: str, at: str) -> None:
    """Make a revision that creates a table, and tag what is to be deployed."""
    developer.types(f'wdh db new "add {what}"', at=at)
    up, down = create(what)
    # Longer than a replica needs to start: they meet, and two of them wait for the third.
    developer.writes(f"*_add_{what}.py", f"import time\n{up}\ntime.sleep(0.3)", down)
    developer.types("git add -A")
    developer.types(f"git commit -q -m '{version}'")
    developer.types(f"git tag {version}")


@pytest.fixture
def deploy(
    make_person: Callable[..., Person], make_url: Callable[[], URL]
) -> Callable[..., Person]:
    """Start from a repository with two releases; give whoever deploys one of them.

    Where data matters: production, or staging on SQLite, where there is no production.
    """
    developer, url = make_person("developer"), make_url()
    is_sqlite = url.get_backend_name() == "sqlite"
    developer.types("git init -q")
    developer.types("wdh db init")
    release(developer, "v1", "customers", "2026-01-05 09:00")
    release(developer, "v2", "orders", "2026-01-12 09:00")

    def deploy(version: str) -> Person:
        person = make_person(version, url, ENVIRONMENT="staging" if is_sqlite else "prod")
        person.types(f"git clone -q --branch {version} ../developer .")
        return person

    return deploy


def steps(person: Person) -> list[str]:
    """What the journal has: the directions and revisions of what was done."""
    said = person.types("wdh db journal").out
    return re.findall(r"UTC done +(\w+ \w+) ", said)


def test_replicas_that_start_at_once_apply_each_release_once(
    deploy: Callable[[str], Person],
) -> None:
    old, new = deploy("v1"), deploy("v2")
    for number, replica in enumerate((old, new), start=1):
        started = [replica.starts("wdh db upgrade") for _ in range(REPLICAS)]
        said = [replica.sees_end(each).out for each in started]
        assert sum("nothing had to be done" in each for each in said) == REPLICAS - 1
        assert len(steps(replica)) == number
    assert steps(new) == ["upgrade 20260105_0900", "upgrade 20260112_0900"]
    before = schema(new.url)
    late = old.types("wdh db upgrade", exits=3)
    assert "it was migrated by newer code: deploy that" in late.err
    old.types("wdh db status --check", exits=1)
    old.types("wdh db wait --timeout 60", exits=3)  # at once: waiting does not mend it
    assert schema(new.url) == before
    new.types("wdh db status --check")


def test_a_release_is_taken_back_mended_and_deployed_again(
    deploy: Callable[[str], Person],
) -> None:
    old, new = deploy("v1"), deploy("v2")
    old.types("wdh db upgrade")
    before = schema(old.url)
    new.types("wdh db upgrade --dry-run")
    new.types("wdh db upgrade")
    refused = new.types("wdh db downgrade -1", exits=4)
    new.types(refused.again("--confirm"))
    assert schema(old.url) == before
    old.types("wdh db upgrade")
    old.types("wdh db status --check")
    old.types("wdh db downgrade base", exits=4)
    new.writes("*_add_orders.py", *create("better_orders"))
    new.types("wdh db upgrade")
    assert steps(new) == [
        "upgrade 20260105_0900",
        *(f"{direction} 20260112_0900" for direction in ("upgrade", "downgrade", "upgrade")),
    ]

    # The same by the door of those who know Alembic.
    refused = new.types("alembic downgrade -1", exits=4)
    new.types(refused.hint("alembic").replace("...", "downgrade -1"))
    assert schema(old.url) == before
    new.types("alembic upgrade head")


def test_the_script_is_an_operator_s_too(make_person: Callable[..., Person]) -> None:
    operator = make_person("operator", ENVIRONMENT="staging")
    script = f"python {REPOSITORY}/scripts/db_setup.py"
    operator.types(script)
    before = schema(operator.url)
    refused = operator.types(f"{script} --downgrade base", exits=4)
    operator.types(refused.again("--confirm"))
    assert schema(operator.url) != before
    operator.types(script)
    assert schema(operator.url) == before
