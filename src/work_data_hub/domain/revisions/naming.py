"""The naming rule of revisions: ``YYYYMMDD_HHMM_short_description.py``."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

_FILE_NAME = re.compile(r"(?P<id>\d{8}_\d{4}(?:\d{2})?)_(?P<description>\w+)\.py", re.ASCII)
_DESCRIPTION_LENGTH = 60
_MINUTES = "%Y%m%d_%H%M"
_SECONDS = "%Y%m%d_%H%M%S"


@dataclass(frozen=True)
class RevisionName:
    """What the name of a revision file says.

    Attributes:
        id: the revision id, the time part of the name.
        description: the rest, lowercase_snake_case.
    """

    id: str
    description: str


@dataclass(frozen=True)
class RevisionInfo:
    """A revision file.

    Attributes:
        revision: its id.
        down_revisions: what it builds on; empty for a base.
        description: the first paragraph of its docstring, as one line.
        path: the file.
        is_head: whether no revision builds on it.
    """

    revision: str
    down_revisions: tuple[str, ...]
    description: str
    path: str
    is_head: bool


def parse_file_name(name: str) -> RevisionName | None:
    """Return what a file's name says, or None when it does not follow the rule."""
    found = _FILE_NAME.fullmatch(name)
    if found is None or not is_revision_id(found["id"]) or name != name.lower():
        return None
    return RevisionName(found["id"], found["description"])


def is_revision_id(text: str) -> bool:
    """Whether the text is a time in the form ``YYYYMMDD_HHMM`` or ``YYYYMMDD_HHMMSS``."""
    return time_of(text) is not None


def time_of(revision: str) -> datetime | None:
    """Return the time, in UTC, that an id is made from; None when it is no time."""
    if not re.fullmatch(r"\d{8}_\d{4}(\d{2})?", revision, re.ASCII):
        return None
    has_seconds = len(revision) > len("YYYYMMDD_HHMM")
    try:
        return datetime.strptime(revision, _SECONDS if has_seconds else _MINUTES)
    except ValueError:
        return None


def file_description(message: str) -> str:
    """Return what a message becomes in a file's name: lowercase_snake_case of ASCII letters.

    Accents are dropped; a long message is cut between words. Empty when nothing is left.
    """
    plain = unicodedata.normalize("NFKD", message.casefold()).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain)
    cut = "_".join(words)[: _DESCRIPTION_LENGTH + 1]
    if len(cut) <= _DESCRIPTION_LENGTH:
        return cut
    return cut.rpartition("_")[0] or cut[:_DESCRIPTION_LENGTH]


def new_revision_id(now: datetime, taken: Container[str]) -> str:
    """Return the id of a revision made at ``now``.

    Args:
        now: the time, in UTC.
        taken: the ids there are. When the minute is taken the id has seconds; when that second
            is taken too, it is the next free one.
    """
    minutes = now.strftime(_MINUTES)
    if minutes not in taken:
        return minutes
    while (seconds := now.strftime(_SECONDS)) in taken:
        now += timedelta(seconds=1)
    return seconds
