"""Where the journal says that a database is: its steps, one after the other, on the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from work_data_hub.domain.record.applied import Row

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

_MOVES = frozenset({"upgrade", "downgrade", "stamp", "adopt"})
BASE, PURGED = "base", "purged"


class DetailedRow(Row, Protocol):
    """A row of the journal with all that it says."""

    @property
    def detail(self) -> str | None:
        """What there is to say of the step."""


R = TypeVar("R", bound=DetailedRow)


def moves(journal: Iterable[R]) -> list[R]:
    """Return the rows that moved the database, or recorded where it is."""
    return [row for row in journal if row.outcome == "done" and row.direction in _MOVES]


def state_of(
    moved: Iterable[DetailedRow], needs: Mapping[str, Sequence[str]]
) -> frozenset[str] | None:
    """Return the revisions that are applied when all of these rows have been.

    Args:
        moved: the oldest first; those that decide are enough (``record.deciding_rows``).
        needs: what must be applied just before each revision that there is.

    Returns:
        None where they do not tell: one of several branches was stamped to its base, and no row
        says which.
    """
    applied: set[str] = set()
    is_told = True
    for row in moved:
        if row.direction == "downgrade":
            applied.discard(row.revision)
        elif row.direction != "stamp":
            applied.add(row.revision)
        elif row.revision == BASE:
            is_told = row.detail == PURGED or (is_told and len(newest(applied, needs)) <= 1)
            applied = set()
        else:
            applied = after_stamp(applied, row.revision.split(", "), needs)
    return frozenset(applied) if is_told else None


def after_stamp(
    applied: set[str], stamped: Collection[str], needs: Mapping[str, Sequence[str]]
) -> set[str]:
    """Return the revisions that are applied by what a stamp to some of them says."""
    return _outside_of_line(applied, stamped, needs) | with_needs(stamped, needs)


def with_needs(revisions: Iterable[str], needs: Mapping[str, Sequence[str]]) -> set[str]:
    """Return revisions and all that must be applied before them; one that is not known alone."""
    found: set[str] = set()
    left = [*revisions]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += needs.get(name, ())
    return found


def newest(revisions: Iterable[str], needs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return those of the revisions that no other of them needs: what a version table holds."""
    found = {*revisions}
    needed = {need for name in found for need in needs.get(name, ())}
    return tuple(sorted(found - needed))


def _outside_of_line(
    applied: set[str], stamped: Collection[str], needs: Mapping[str, Sequence[str]]
) -> set[str]:
    """Return what a stamp leaves alone: the branches that neither need it nor are needed by it."""
    below = with_needs(stamped, needs)
    heads = [head for head in newest(applied, needs) if head not in below]
    return with_needs(
        (head for head in heads if not with_needs([head], needs).intersection(stamped)), needs
    )
