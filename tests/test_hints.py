"""The commands in a hint name what was named, once, and no secret."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from work_data_hub.hints import Named, unless_found

if TYPE_CHECKING:
    from pathlib import Path

ALL = Named("my projects/a.ini", "my projects/a.ini", "orders", "sqlite:///other.db")
WDH = "--config 'my projects/a.ini' --name orders --database-url sqlite:///other.db"
ALEMBIC = "-c 'my projects/a.ini' -n orders -x database_url=sqlite:///other.db"


def test_who_named_nothing_is_told_the_same() -> None:
    text = "`wdh db redo` takes it back; or alembic -x accept=a upgrade head"
    assert Named().in_commands(text) == text


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        ("run `wdh db upgrade` first", f"run `wdh db upgrade {WDH}` first"),
        ("wdh db upgrade --accept a; or", f"wdh db upgrade {WDH} --accept a; or"),
        ("join them: wdh db merge", f"join them: wdh db merge {WDH}"),
        ("`wdh runs list` shows the ids", f"`wdh runs list {WDH}` shows the ids"),
        ("`alembic history` shows", f"`alembic {ALEMBIC} history` shows"),
        ("alembic -x accept=a upgrade head", f"alembic {ALEMBIC} -x accept=a upgrade head"),
        ("`wdh db init` makes one", "`wdh db init --config 'my projects/a.ini'` makes one"),
    ],
)
def test_each_command_names_the_project_and_the_database(hint: str, told: str) -> None:
    assert ALL.in_commands(hint) == told


@pytest.mark.parametrize(
    "text",
    [
        "`wdh db upgrade --help` shows how it is called",
        "`wdh help recovery` says how",
        "correct the options of [alembic] in alembic.ini, which alembic reads",
        "run again with -x resolved=a (wdh db: --resolved a)",
    ],
)
def test_what_is_no_command_on_a_database_stays(text: str) -> None:
    assert ALL.in_commands(text) == text


def test_what_a_hint_says_itself_is_not_said_twice() -> None:
    hint = "run each by its section: wdh db upgrade --name SECTION"
    assert Named(section="orders").in_commands(hint) == hint


def test_every_command_of_a_hint_is_read_by_a_shell_as_it_was_meant() -> None:
    named = Named("it's mine.ini", "it's mine.ini", "a b", "sqlite:///a $b;`c`.db")
    words = shlex.split(named.in_commands("wdh db upgrade"))
    assert words[3:] == [
        *("--config", "it's mine.ini", "--name", "a b"),
        *("--database-url", "sqlite:///a $b;`c`.db"),
    ]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://hub:hunter2@db/hub",
        "postgresql://db/hub?user=hub&password=hunter2",
        "postgresql://db/hub?sslpassword=hunter2",
        "hunter2",
    ],
)
def test_a_secret_is_not_named(url: str) -> None:
    told = Named(database_url=url).in_commands("`wdh db redo`; or alembic upgrade head")
    assert told == (
        "`wdh db redo --database-url URL`; or alembic -x database_url=URL upgrade head"
        " (URL: the database that you named)"
    )
    assert Named(database_url=url).in_commands("correct it") == "correct it"


def test_a_url_without_a_secret_is_named() -> None:
    told = Named(database_url="postgresql://hub@db/hub").in_commands("wdh db redo")
    assert told == "wdh db redo --database-url postgresql+psycopg://hub@db/hub"


def test_a_configuration_that_is_found_need_not_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert unless_found("alembic.ini") is None
    assert unless_found(tmp_path / "alembic.ini") is None
    assert unless_found("orders.ini") == "orders.ini"
    assert unless_found("../alembic.ini") == "../alembic.ini"
