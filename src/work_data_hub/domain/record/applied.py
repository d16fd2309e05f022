"""What the journal says was applied, and whether a file is still what was applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Row(Protocol):
    """A row of the journal."""

    @property
    def revision(self) -> str:
        """The revision of the step."""

    @property
    def direction(self) -> str:
        """What was done with it."""

    @property
    def outcome(self) -> str:
        """Whether it was done or failed."""

    @property
    def checksum(self) -> str | None:
        """The checksum of the file's meaning, where there was a file."""

    @property
    def digest(self) -> str | None:
        """The digest of its text."""


R = TypeVar("R", bound=Row)


def applied_rows(journal: Sequence[R], *, since_last_stamp: bool = False) -> dict[str, R]:
    """Return the row of each revision that is applied by what the journal says.

    Args:
        journal: the oldest row first; those that decide are enough (``record.deciding_rows``).
        since_last_stamp: a stamp is a person's word on where the database is: what came before
            it says nothing about files that have vanished since, but its checksums stay good.
    """
    rows: dict[str, R] = {}
    for entry in _since_last_stamp(journal) if since_last_stamp else journal:
        if entry.outcome != "done":
            continue
        if entry.direction == "downgrade" or _accepts_that_it_is_gone(entry):
            rows.pop(entry.revision, None)
        elif entry.direction in {"upgrade", "adopt", "accept"}:
            rows[entry.revision] = entry
    return rows


def edited_checksums(
    rows: Mapping[str, Row],
    digests: Mapping[str, str],
    read_checksum: Callable[[str], str | None],
) -> dict[str, str]:
    """Return the checksum of each file that was edited after it was applied, by revision.

    Args:
        rows: the row of each revision that is applied.
        digests: of the text now, for each applied revision whose file can be read.
        read_checksum: reads that of a revision's meaning, where the text alone does not tell.
    """
    found = {}
    for revision, digest in digests.items():
        row = rows.get(revision)
        if row is None or row.checksum is None or row.digest == digest:
            continue
        checksum = read_checksum(revision)
        if checksum is not None and _differ(checksum, row.checksum):
            found[revision] = checksum
    return found


def _differ(found: str, recorded: str) -> bool:
    # Another scheme of checksums says nothing about the content.
    return found != recorded and found.split(":")[0] == recorded.split(":")[0]


def _since_last_stamp(journal: Sequence[R]) -> Sequence[R]:
    stamps = [
        number
        for number, entry in enumerate(journal)
        if entry.direction == "stamp" and entry.outcome == "done"
    ]
    return journal[stamps[-1] + 1 :] if stamps else journal


def _accepts_that_it_is_gone(entry: Row) -> bool:
    return entry.direction == "accept" and entry.checksum is None
