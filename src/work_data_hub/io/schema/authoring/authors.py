"""Who wrote which revision file, and when: what git knows of it, in little time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.io.schema.revisions.git import ask_git

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_SECONDS = 2.0
_BEGINNING = "\x01"


class Origin(NamedTuple):
    """Where a file comes from.

    Attributes:
        author: who committed it first.
        email: theirs.
        day: when, as ISO text: 2026-01-31.
    """

    author: str
    email: str
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
            f"--format={_BEGINNING}%an%x09%ae%x09%ad",
            "--",
            ".",
            seconds=LONGEST_SECONDS,
        )
        origin = Origin("", "", "")
        # The newest commit comes first: the first one of a file is the last that is read.
        for part in (said or b"").decode("utf-8", "replace").split("\0"):
            text = part.strip("\n")
            if text.startswith(_BEGINNING):
                origin = Origin(*text.removeprefix(_BEGINNING).split("\t"))
            elif (path := str(Path(folder) / text)) in wanted:
                found[path] = origin
    return found


def colleagues_of(paths: Iterable[str]) -> dict[str, str]:
    """Return who else committed which of these files first, by path.

    One is known by one's name or address, as git is told them (``user.name``, ``user.email``):
    many have several addresses. Empty where git was told neither.
    """
    origins = read_origins(paths)
    if not origins:
        return {}
    folder = str(Path(next(iter(origins))).parent)
    said = (ask_git(folder, "config", name) or b"" for name in ("user.name", "user.email"))
    me = {text for each in said if (text := each.decode("utf-8", "replace").strip())}
    return {path: each.author for path, each in origins.items() if me and not me & {*each[:2]}}
