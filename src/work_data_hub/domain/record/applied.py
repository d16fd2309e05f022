"""What the journal says was applied, and whether a file is still what was applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


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
        journal: the oldest row first.
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


def edited_checksum(
    row: Row, digest: str | None, read_checksum: Callable[[], str | None]
) -> str | None:
    """Return the checksum of a file that was edited after it was applied; else None.

    Args:
        row: what the journal says of the revision.
        digest: of the file's text now; None when it cannot be read.
        read_checksum: reads that of its meaning, where the text alone does not tell.
    """
    if row.checksum is None or digest is None or row.digest == digest:
        return None
    checksum = read_checksum()
    if checksum is None or checksum == row.checksum:
        return None
    # Another scheme of checksums says nothing about the content.
    is_comparable = checksum.split(":")[0] == row.checksum.split(":")[0]
    return checksum if is_comparable else None


def _since_last_stamp(journal: Sequence[R]) -> Sequence[R]:
    stamps = [number for number, entry in enumerate(journal) if entry.direction == "stamp"]
    return journal[stamps[-1] + 1 :] if stamps else journal


def _accepts_that_it_is_gone(entry: Row) -> bool:
    return entry.direction == "accept" and entry.checksum is None
