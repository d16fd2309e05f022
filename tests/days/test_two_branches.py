"""Two developers each make a revision, and meet in git: both databases end equal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.days.day import Person, create, schema

if TYPE_CHECKING:
    from collections.abc import Callable


def begins_a_branch(person: Person, what: str, at: str) -> None:
    """Make a revision on a branch, apply it and commit it."""
    person.types(f"git switch -q -c {what}")
    person.types(f'wdh db new "add {what}"', at=at)
    person.writes(f"*_add_{what}.py", *create(what))
    person.types("wdh db upgrade")
    commits(person, f"Add {what}")


def commits(person: Person, message: str) -> None:
    person.types("git add -A")
    person.types(f"git commit -q -m '{message}'")


@pytest.fixture
def team(make_person: Callable[..., Person]) -> tuple[Person, Person]:
    """Ana and Ben, who both have the first revision."""
    ana, ben = make_person("ana"), make_person("ben")
    ana.types("git init -q -b main")
    ana.types("git init -q --bare -b main ../origin")
    ana.types("git remote add origin ../origin")
    ana.types("wdh db init")
    ana.types('wdh db new "add customers"', at="2026-01-05 09:00")
    ana.writes("*_add_customers.py", *create("customers"))
    ana.types("wdh db upgrade")
    commits(ana, "Begin")
    ana.types("git push -q origin main")
    ben.types("git clone -q ../origin .")
    ben.types("wdh db upgrade")
    assert schema(ana.url) == schema(ben.url)
    return ana, ben


def each_begins(ana: Person, ben: Person, *at: str) -> None:
    """Let each make a revision, Ana's on the main branch, and Ben look what is there."""
    for person, what, moment in zip((ana, ben), ("orders", "invoices"), at, strict=True):
        begins_a_branch(person, what, moment)
    ana.types("git push -q origin orders:main")
    ben.types("git fetch -q")


def meet(ana: Person, ben: Person) -> None:
    """Let the one who is later merge what the other one pushed, and see the conflict."""
    each_begins(ana, ben, "2026-01-05 10:00", "2026-01-05 10:01")
    assert (
        "CONFLICT (content): Merge conflict in" in ben.types("git merge origin/main", exits=1).out
    )


def is_shared(ana: Person, ben: Person) -> None:
    """Commit what came of it, bring it to the other one, and see that both have the same."""
    ben.types("wdh db verify")
    commits(ben, "Join")
    ben.types("git push -q origin invoices:main")
    ana.types("git pull -q origin main")
    for person in (ana, ben):
        person.types("wdh db upgrade")
        person.types("wdh db status --check")
        assert person.types("git status --short --untracked-files=no").out == ""
    assert schema(ana.url) == schema(ben.url)


def test_the_one_who_is_later_puts_theirs_on_top(team: tuple[Person, Person]) -> None:
    ana, ben = team
    meet(ana, ben)
    asked = ben.types(ben.types("wdh db verify", exits=1).hint("rebase"), exits=4)
    ben.types(asked.again("--yes"))
    is_shared(ana, ben)
    assert len(ana.types("wdh db heads --quiet").out.split()) == 1
    assert "join" not in ana.types("wdh db history").out


@pytest.mark.parametrize("way", ["rebase", "merge"])
def test_whoever_meets_both_heads_is_told_both_ways_out(
    team: tuple[Person, Person], way: str
) -> None:
    ana, ben = team
    meet(ana, ben)
    said = [
        ben.types("wdh db status"),
        *(ben.types(run, exits=3) for run in ("wdh db upgrade", "alembic upgrade head")),
    ]
    for each in said:
        assert each.hints == ["wdh db rebase REVISION", "wdh db merge"], each
    (command,) = (hint for hint in said[0].hints if way in hint)
    ben.types(command.replace("REVISION", "--yes 20260105_1001"))
    is_shared(ana, ben)


def test_what_both_have_released_is_joined(team: tuple[Person, Person]) -> None:
    ana, ben = team
    meet(ana, ben)
    ben.types(ben.types("wdh db verify", exits=1).hint("wdh db merge"))
    is_shared(ana, ben)
    for person in team:  # and both can go back to where they parted
        person.types("alembic downgrade base")
        person.types("alembic upgrade head")
    assert schema(ana.url) == schema(ben.url)


def test_two_who_took_one_minute_have_one_id_and_are_led_out(team: tuple[Person, Person]) -> None:
    """Git is silent: both wrote the same into heads.txt."""
    ana, ben = team
    each_begins(ana, ben, *["2026-01-05 10:00"] * 2)
    ben.types("git merge -q origin/main")
    told = "give one of the two files another id"
    assert told in ben.types("wdh db verify", exits=1).out
    assert told in ben.types("wdh db upgrade", exits=3).err
    (his,) = ben.folder.rglob("*_add_invoices.py")
    text = his.read_text(encoding="utf-8").replace("20260105_1000", "20260105_100030")
    his.unlink()
    his.with_name("20260105_100030_add_invoices.py").write_text(text, encoding="utf-8")
    ben.types(ben.types("wdh db upgrade", exits=3).hint("merge"))
    # The id that his database has is hers now: what he applied by it is taken back.
    ben.types(ben.types("wdh db upgrade", exits=3).hint("redo"))
    is_shared(ana, ben)
