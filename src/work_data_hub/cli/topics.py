"""The topics of `wdh help`: sections of the pages, which travel with the package."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.cli import screen, streams

if TYPE_CHECKING:
    from collections.abc import Iterator


class Topic(NamedTuple):
    """A section of a page, or a whole page.

    Attributes:
        summary: one line of help.
        page: the file, in the folder ``docs``.
        heading: of the section, without its marks.
    """

    summary: str
    page: str
    heading: str


_GUIDE, _COMMANDS = "database-migrations.md", "command-line.md"
TOPICS = {
    "exit-codes": Topic("what each exit code means", _COMMANDS, "Exit codes"),
    "json": Topic("what --json prints", _COMMANDS, "JSON"),
    "databases": Topic("which database is meant", _GUIDE, "Which database"),
    "settings": Topic("variables that change what a run does", _GUIDE, "Settings"),
    "workflow": Topic("from a new revision to production", _GUIDE, "Workflow"),
    "guarantees": Topic("what every run promises", _GUIDE, "What a run guarantees"),
    "environments": Topic("dev, staging, prod, ephemeral", _GUIDE, "The right database"),
    "journal": Topic("what the database remembers", _GUIDE, "The journal"),
    "two-heads": Topic("two revisions on one parent", _GUIDE, "Two heads"),
    "roll-forward": Topic("downgrade, or a new revision", _GUIDE, "Downgrade or roll forward?"),
    "adopt": Topic("a project of your own, in ten minutes", "adopt.md", "Any project"),
    "adopting": Topic("a database that was there before", _GUIDE, "Adopting an existing database"),
    "deploys": Topic("start scripts, containers, pipelines, rights", "deploys.md", "Deploys"),
    "recovery": Topic("the way out, by exit code", "recovery.md", "Recovery"),
    "drift": Topic("is the schema what the revisions make?", "drift.md", "Drift"),
    "recorded-runs": Topic(
        "record a pipeline's runs", "recorded-runs.md", "Record your pipeline's runs"
    ),
    "test-databases": Topic("databases for tests", "test-databases.md", "Test databases"),
    "check-up": Topic("what `wdh db doctor` looks for", _COMMANDS, "A check-up"),
    "drivers": Topic("which driver runs migrations", "drivers.md", "Drivers"),
    "performance": Topic("what the guards cost", "performance.md", "Performance"),
    "glossary": Topic("the words, and the field's words for them", "glossary.md", "Glossary"),
    "sqlite": Topic("what differs on SQLite", _GUIDE, "SQLite differences"),
}


def listed(prog: str) -> str:
    """Return the list of topics."""
    width = max(map(len, TOPICS))
    lines = [f"  {name:<{width}}  {topic.summary}" for name, topic in TOPICS.items()]
    return "\n".join([f"usage: {prog} help TOPIC", "", "topics:", *lines, ""])


def write_topic(name: str) -> None:
    """Write a topic to standard output: formatted on a terminal, else as it stands in the guide."""
    text = text_of(TOPICS[name])
    if not screen.is_live(sys.stdout):
        streams.write(text, sys.stdout)
        return
    from rich.markdown import Markdown

    console = screen.console(sys.stdout)
    with console.capture() as shown:
        console.print(Markdown(text))
    streams.write(shown.get(), sys.stdout)


def text_of(topic: Topic) -> str:
    """Return the section as Markdown, its heading included.

    Raises:
        MissingError: the installation is not whole.
    """
    from work_data_hub.io.schema.revisions import project_files

    page = project_files.page(topic.page).read_text(encoding="utf-8")
    return "".join(_section(page, topic.heading)).strip() + "\n"


def _section(page: str, heading: str) -> Iterator[str]:
    """Give the lines from a heading up to the next one of its level or above."""
    level, in_code = 0, False
    for line in page.splitlines(keepends=True):
        in_code ^= line.startswith("```")  # where a comment of a shell looks like a heading
        marks = "" if in_code else line[: len(line) - len(line.lstrip("#"))]
        if marks and level and len(marks) <= level:
            return
        if marks and line.strip("# \n") == heading:
            level = len(marks)
        if level:
            yield line
