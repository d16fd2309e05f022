"""Who wrote which revision file, and when: what git knows of it, in little time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.io.schema.authoring.main_branch import ask_git

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_SECONDS = 2.0
_BEGINNING = "\x01"


class Origin(NamedTuple):
    """Where a file comes from.

    Attributes:
        author: who committed it first.
        day: when, as ISO text: 2026-01-31.
    """

    author: str
    day: str


def read_origins(paths: Iterable[str]) -> dict[str, Origin]:
    """Return who first committed each of these files; without those that git does not know.

    Nothing where git is not there, or has not answered in two seconds for a folder.
    """
    wanted = {str(Path(path).resolve()) for path in paths}
    found: dict[str, Origin] = {}
    for folder in sorted({str(Path(path).parent) for path in wanted}):
        asked = ["log", "--diff-filter=A", "--relative", "--name-only", "-z", "--date=short"]
        said = ask_git(
            folder,
            *asked,
            f"--format={_BEGINNING}%an%x09%ad",
            "--",
            ".",
            seconds=LONGEST_SECONDS,
        )
        origin = Origin("", "")
        # The newest commit comes first: the first one of a file is the last that is read.
        for part in (said or b"").decode("utf-8", "replace").split("\0"):
            text = part.strip("\n")
            if text.startswith(_BEGINNING):
                author, _, day = text.removeprefix(_BEGINNING).partition("\t")
                origin = Origin(author, day)
            elif (path := str(Path(folder) / text)) in wanted:
                found[path] = origin
    return found
