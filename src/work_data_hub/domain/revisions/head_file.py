"""The head file: the ids of the heads, one a line, committed beside ``versions/``.

Two branches that each add a revision both change its line, so that git reports as a conflict what
would otherwise be found as two heads, later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = "heads.txt"
_COMMENT = "#"
_ABOUT = (
    "# The newest revisions, written by `wdh db new`. Is git in conflict here? Two revisions were\n"
    "# made on one parent: `wdh db rebase` puts yours on top.\n"
)
_OURS, _BASE, _MIDDLE, _THEIRS = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")


class HeadFile(NamedTuple):
    """What a head file says.

    Attributes:
        heads: the ids, sorted; in a conflict those of both sides.
        conflict_line: the 1-based line at which git's conflict begins; None without one.
    """

    heads: tuple[str, ...]
    conflict_line: int | None


def write_heads(heads: Iterable[str]) -> str:
    """Return the text of a head file."""
    return _ABOUT + "".join(f"{head}\n" for head in sorted(heads))


def read_heads(text: str) -> HeadFile:
    """Return what the text of a head file says, also in the middle of a merge."""
    heads: set[str] = set()
    conflict: int | None = None
    is_ancestor = False
    for number, line in enumerate(text.splitlines(), start=1):
        mark = line[:7]
        if mark in {_OURS, _BASE, _MIDDLE, _THEIRS}:
            conflict = conflict or number
            # What both sides had before (merge.conflictStyle = diff3) is the word of neither.
            is_ancestor = mark == _BASE
        elif line.strip() and not line.startswith(_COMMENT) and not is_ancestor:
            heads.add(line.strip())
    return HeadFile(tuple(sorted(heads)), conflict)
