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
        """The checksum of the file's meaning, where there was a file that can be parsed."""

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
    other_checksum: Callable[[str, str], str | None],
) -> dict[str, str]:
    """Return the checksum of each file that was edited after it was applied, by revision.

    Args:
        rows: the row of each revision that is applied.
        digests: of the text now, for each applied revision whose file can be read.
        other_checksum: returns the checksum of a revision's meaning where it is not the recorded
            one; asked where the text is another.
    """
    found = {}
    for revision, digest in digests.items():
        row = rows.get(revision)
        if row is None or row.digest is None or row.digest == digest:
            continue
        other = of_text(digest) if row.checksum is None else other_checksum(revision, row.checksum)
        if other is not None:
            found[revision] = other
    return found


def recorded_checksum(row: Row) -> str | None:
    """Return what a row says of its file: of its meaning, or else of its text alone."""
    return row.checksum or (of_text(row.digest) if row.digest else None)


def of_text(digest: str) -> str:
    """Return the digest of a text as a checksum, for people."""
    return f"sha256:{digest}"


def _since_last_stamp(journal: Sequence[R]) -> Sequence[R]:
    stamps = [
        number
        for number, entry in enumerate(journal)
        if entry.direction == "stamp" and entry.outcome == "done"
    ]
    return journal[stamps[-1] + 1 :] if stamps else journal


def _accepts_that_it_is_gone(entry: Row) -> bool:
    return entry.direction == "accept" and entry.checksum is None and entry.digest is None
