"""Which revisions the checks of every revision look at, in a history of any length."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from work_data_hub.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from work_data_hub.testing.project import Project

AT_MOST = 25


@dataclass(frozen=True)
class Choice:
    """What was asked for.

    Attributes:
        excused: by the id of a revision, the reason why it is not taken back.
        at_most: how many of the revisions that others have, too; None for all of them.
    """

    excused: Mapping[str, str] = field(default_factory=dict)
    at_most: int | None = AT_MOST

    def of(self, project: Project) -> frozenset[str]:
        """Return the ids of the revisions to look at.

        Those that the main branch does not have, and of the others as many as are wanted: the
        oldest, the newest, and at even distances between them, so that a history of a thousand
        revisions costs what one of ``at_most`` does.

        Raises:
            UsageError: a revision that is excused is none of the project's.
            HistoryError: a revision file cannot be read.
        """
        ids = [info.revision for info in project.history]
        if strangers := sorted(set(self.excused) - set(ids)):
            raise UsageError(
                f"wdh_excused names {', '.join(strangers)}, which is no revision of the project",
                hint="take it out, or correct the id",
            )
        if self.at_most is None or len(ids) <= self.at_most:
            return frozenset(ids)
        released = project.released
        others = [one for one in ids if released is None or one in released]
        return frozenset(ids) - frozenset(others) | _spread(others, self.at_most)


def parse_excuses(lines: Sequence[str]) -> dict[str, str]:
    """Return the reasons by revision, of lines such as ``20260101_0001: an enum's label stays``.

    Raises:
        UsageError: a line has no reason.
    """
    excuses = {}
    for line in lines:
        revision, _, reason = (part.strip() for part in line.partition(":"))
        if not revision or not reason:
            raise UsageError(
                f"wdh_excused has {line.strip()!r}, which gives no reason",
                hint="write REVISION: why its downgrade does not give back what was there",
            )
        excuses[revision] = reason
    return excuses


def _spread(ids: Sequence[str], at_most: int) -> frozenset[str]:
    if len(ids) <= at_most:
        return frozenset(ids)
    last = len(ids) - 1
    return frozenset(ids[round(n * last / max(at_most - 1, 1))] for n in range(at_most))
