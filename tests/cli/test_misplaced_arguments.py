"""What stands in the wrong place is said in two lines, without the password in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.cli.command import main
from work_data_hub.cli.verb import OF_EVERY_VERB
from work_data_hub.cli.verb_table import VERBS
from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.schema import migration_runner

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

REPOSITORY = Path(__file__).parents[2]
# How much of it is the password only a person knows.
URLS = ["postgresql://hub:hunter2@127.0.0.1:1/x", "mysql://hub:hunt@er2 hunter2@127.0.0.1:1/x?a=b"]
CALLS = [
    ["{}"],
    ["db", "{}"],
    ["db", "--databse-url", "{}", "upgrade"],
    ["--databse-url={}", "db", "upgrade"],
    ["db", "--config", "{}", "status"],
    ["db", "upgrade", "-x", "database_url={}"],
    ["db", "upgrade", "--json={}"],
    *(["db", verb, "{}"] for verb in VERBS),
    *(["db", verb, "--databse-url={}"] for verb in VERBS),
    *(["db", verb, "--databse-url", "{}"] for verb in VERBS),
]


def two_lines(text: str) -> bool:
    return [line.partition(":")[0] for line in text.splitlines()] == ["error", "hint"]


@pytest.mark.parametrize("url", URLS, ids=["plain", "with an @ and a space"])
@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_a_url_in_the_wrong_place_is_refused_and_not_repeated(
    call: list[str], url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word.format(url) for word in call]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert two_lines(said.err)
    assert "--database-url URL" in said.err
    assert "hunt" not in said.err
    assert "er2" not in said.err


@pytest.mark.parametrize(
    "before",
    [
        ["db", "--database-url", "{}"],
        ["db", "--database-url={}"],
        ["--database-url={}", "db"],
        ["--database-url", "{}", "--quiet", "db", "-q"],
    ],
    ids=" ".join,
)
def test_the_options_of_every_verb_may_stand_before_it(
    before: list[str], database_url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    text = database_url.render_as_string(hide_password=False)
    words = [word.format(text) for word in before]
    assert main([*words, "upgrade"]) == 0
    capsys.readouterr()
    assert main([*words, "current", "--quiet"]) == 0
    assert capsys.readouterr().out.split() == [*migration_runner.heads()]


def test_every_option_of_every_verb_may_stand_before_it(
    tmp_path: Path, wdh_process: Callable[..., Any]
) -> None:
    ini = str(REPOSITORY / "alembic.ini")
    values = {
        "--database-url": "sqlite:///x.db",
        "--config": ini,
        "--name": "alembic",
        "-n": "alembic",
    }
    names = [name for names, _ in OF_EVERY_VERB for name in names]
    assert {*values, "--json", "--quiet", "-q"} == {*names}
    options = [
        word for name in names for word in ([name, values[name]] if name in values else [name])
    ]
    said = wdh_process(*options, "db", "heads", cwd=tmp_path)
    assert said.exit_code == 0
    assert said.data["verb"] == "heads"


def test_the_verb_is_missing_behind_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["db", "--database-url", URLS[0]], ["--database-url"], ["db", "--config"]):
        assert main(words) == 2
        assert "the verb is missing" in capsys.readouterr().err


def test_help_is_given_behind_options_too(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--json", "db", "--help"], ["db", "-q", "upgrade", "--help"]):
        assert main(words) == 0
        assert "usage: wdh db" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["upgrade", "downgrade", "stamp"])
def test_a_url_is_no_revision_to_a_program_either(verb: str, database_url: URL) -> None:
    for url in URLS:
        with pytest.raises(WorkDataHubError) as refused:
            getattr(migration_runner, verb)(database_url, url)
        assert "hunt" not in refused.value.for_people()
        assert "er2" not in refused.value.for_people()


ALEMBIC = [
    ["-x", "{}", "current"],
    ["-x", "url={}", "current"],
    ["stamp", "{}"],
    ["revision", "-m", "x", "--head", "{}"],
    ["revision", "-m", "x", "--rev-id", "{}"],
    ["merge", "-m", "x", "{}"],
]


@pytest.mark.parametrize("call", ALEMBIC, ids=" ".join)
def test_alembic_s_own_door_does_not_repeat_it_either(
    call: list[str],
    alembic: Callable[..., Any],
    sqlite_url: URL,
    make_history: Callable[..., Path],
    revision_body: Callable[..., Any],
) -> None:
    project = make_history([revision_body("pass")])
    words = [word.format(URLS[0]) for word in call]
    process = alembic(*words, url=sqlite_url, cwd=project)
    assert process.returncode in {2, 3}
    assert two_lines(process.stderr)
    assert "hunt" not in process.stdout + process.stderr


@pytest.mark.parametrize(
    "door", [["-m", "work_data_hub", "db"], [str(REPOSITORY / "scripts/db_setup.py")]]
)
@pytest.mark.parametrize("words", [["{}"], ["--databse-url={}"], ["--json={}"]])
def test_every_other_door_is_as_quiet(
    door: list[str], words: list[str], clean_environment: dict[str, str], tmp_path: Path
) -> None:
    process = subprocess.run(
        [sys.executable, *door, *(word.format(URLS[1]) for word in words)],
        cwd=tmp_path,
        env=clean_environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stdout) == (2, "")
    assert two_lines(process.stderr)
    assert "hunt" not in process.stderr
    assert "er2" not in process.stderr
