"""The help: grouped, a line for each verb; topics that are sections of the guide."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub import errors
from work_data_hub.cli import topics
from work_data_hub.cli.command import main
from work_data_hub.cli.parser import whole_parser
from work_data_hub.cli.verb_table import NOUNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GROUPS = ["every day", "look", "write revisions", "deploy", "repair", "set up"]


@pytest.fixture(params=NOUNS)
def noun(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_the_verbs_are_grouped_with_a_line_for_each_in_80_columns(
    noun: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([noun, "--help"]) == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    told = [line.split()[0] for line in lines if line.startswith("  ")]
    assert told == [*NOUNS[noun].verbs]
    for title in NOUNS[noun].groups:
        assert f"\n{title}:\n" in shown


def test_the_verbs_of_a_database_are_grouped_by_what_one_wants_to_do() -> None:
    assert [*NOUNS["db"].groups] == GROUPS


def test_each_verb_is_what_its_room_says(noun: str) -> None:
    verbs = NOUNS[noun].verbs
    assert sum(map(len, NOUNS[noun].groups.values())) == len(verbs) > 0
    for name, entry in verbs.items():
        assert entry.verb(name).examples[0].find(f"wdh {noun} {name}") >= 0
        assert entry.summary[0].islower()
        assert not entry.summary.endswith(".")
    assert whole_parser().parse_args(["db", "heads"]).noun == "db"


@pytest.mark.parametrize(
    "arguments", [["upgrade", "--accpt"], ["status", "more"], ["--quiet", "heads", "--what=1"]]
)
def test_an_argument_that_is_not_known_points_at_the_verb_s_own_help(
    wdh: Callable[..., Any], arguments: list[str]
) -> None:
    said = wdh(*arguments)
    assert said.exit_code == 2
    (verb,) = {"upgrade", "status", "heads"} & {*arguments}
    error, hint = said.err.splitlines()
    assert error == f"error: unrecognized arguments: {arguments[-1]}"
    assert hint == f"hint: `wdh db {verb} --help` shows how it is called"


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["upgrade"], "wdh db upgrade"),
        (["db", "statsu"], "wdh db status"),
        (["xyzzy"], "wdh --help"),
        (["db", "xyzzy"], "wdh db --help"),
        (["help", "xyzzy"], "wdh help"),
    ],
)
def test_what_is_not_known_is_answered_with_a_command_that_works(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 2
    assert f"`{meant}`" in said


def test_every_topic_is_listed_and_is_a_section_of_a_page(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["help"]) == 0
    listed = capsys.readouterr().out
    for name, topic in topics.TOPICS.items():
        assert re.search(rf"^  {name} +{re.escape(topic.summary)}$", listed, re.MULTILINE)
        assert main(["help", name]) == 0
        shown = capsys.readouterr().out
        assert re.match(rf"#+ {re.escape(topic.heading)}\n", shown)
        assert shown.count("\n") > 3
    assert max(map(len, listed.splitlines())) <= 80


def test_a_section_ends_where_the_next_one_begins() -> None:
    sections = {name: topics.text_of(topic) for name, topic in topics.TOPICS.items()}
    assert sections["guarantees"].endswith(sections["settings"])
    assert "# io/schema/migrations/versions/20251201" in sections["workflow"]
    several = {name for name, text in sections.items() if "\n## " in text}
    assert several == {name for name in sections if sections[name].startswith("# ")} - {"glossary"}


def _codes(of: type[errors.WorkDataHubError]) -> Iterator[int]:
    yield of.exit_code
    for each in of.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from _codes(each)


def test_the_page_of_exit_codes_has_each_of_them() -> None:
    text = topics.text_of(topics.TOPICS["exit-codes"])
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    assert told == {0, *_codes(errors.WorkDataHubError)}


@pytest.mark.parametrize("words", [["upgrade"], ["db", "upgrade"]])
def test_help_of_a_verb_is_its_own(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", *words]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: wdh db upgrade")
    assert main(["db", "upgrade", "--help"]) == 0
    assert capsys.readouterr().out == shown
