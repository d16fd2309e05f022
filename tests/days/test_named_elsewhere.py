"""Whoever names a project and a database gets hints for those, and can paste them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest
from tests.days.day import Person, create, schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL
    from tests.days.day import Said

SECTION = "\n[orders]\nscript_location = %(here)s/migrations\nrevision_environment = true\n"


class Elsewhere:
    """Somebody in a folder with a project and a database of its own, who means others."""

    def __init__(self, person: Person, url: URL) -> None:
        self.person, self.url = person, url
        self._text = shlex.quote(url.render_as_string(hide_password=False))
        self.wdh = f"--config deep/orders.ini --name orders --database-url {self._text}"
        self.alembic = f"-c deep/orders.ini -n orders -x database_url={self._text}"

    def pastes(self, said: Said, of: str) -> Said:
        """Type the command of a hint as it stands, but for the URL that holds a password."""
        (command,) = {each for each in said.hints if of in each}
        if self.url.password is not None:
            assert f"{self.url.password}" not in f"{said.out}{said.err}"
            assert "(URL: the database that you named)" in f"{said.out}{said.err}"
            command = command.replace("URL", self._text)
        return self.person.types(command)


@pytest.fixture
def elsewhere(make_person: Callable[..., Person], make_url: Callable[[], URL]) -> Elsewhere:
    person = make_person("ana")
    person.types("wdh db init")
    person.types('wdh db new "decoy"', at="2026-01-01 09:00")
    person.types("wdh db upgrade")
    person.types("wdh db init deep")
    ini = person.folder / "deep" / "alembic.ini"
    ini.write_text(ini.read_text(encoding="utf-8") + SECTION, encoding="utf-8")
    ini.rename(ini.with_name("orders.ini"))
    found = Elsewhere(person, make_url())
    person.types(f'wdh db new "add orders" {found.wdh}', at="2026-01-05 09:00")
    person.writes("*_add_orders.py", *create("orders"))
    person.types(f"wdh db upgrade {found.wdh}")
    return found


@pytest.mark.parametrize("door", ["wdh", "alembic"])
def test_the_ways_out_are_those_of_the_project_and_the_database_that_were_named(
    elsewhere: Elsewhere, door: str
) -> None:
    person, before = elsewhere.person, schema(elsewhere.person.url)
    run = f"wdh db upgrade {elsewhere.wdh}"
    if door == "alembic":
        run = f"alembic {elsewhere.alembic} upgrade head"
    person.writes("*_add_orders.py", *create("invoices"))
    elsewhere.pastes(person.types(run, exits=3), "wdh db redo")
    assert "invoices" in schema(elsewhere.url)["rows"]
    person.writes("*_add_orders.py", *create("bills"))
    elsewhere.pastes(person.types(run, exits=3), "alembic")
    person.types(f'wdh db new "more" {elsewhere.wdh}', at="2026-01-06 09:00")
    elsewhere.pastes(person.types(f"wdh db status {elsewhere.wdh}"), "upgrade")
    person.types(f"wdh db status --check {elsewhere.wdh}")
    assert schema(person.url) == before
