"""What ends a difference of two schemas: statements, in an order in which they can be run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.postgresql_mends import plan as postgresql
from work_data_hub.domain.snapshot.sqlite_mends import plan as sqlite

if TYPE_CHECKING:
    from collections.abc import Iterable

    from work_data_hub.domain.snapshot.difference import Difference
    from work_data_hub.domain.snapshot.schema import Snapshot
    from work_data_hub.domain.snapshot.step import Step


@dataclass(frozen=True)
class Mend:
    """What ends one difference.

    Attributes:
        difference: that it ends.
        statements: each one statement without a semicolon, to be run one behind the other; none
            where another mend does it too, or nothing can: the note says which.
        loses_data: whether values go with it, or may become others. A statement that would only
            fail on what the rows hold does not lose any.
        outside_transaction: each statement is to be committed by itself: one of them cannot be
            in a transaction, or would hold its locks there for as long as the others take.
        note: what a person must know, one line; empty when there is nothing.
    """

    difference: Difference
    statements: tuple[str, ...]
    loses_data: bool = False
    outside_transaction: bool = False
    note: str = ""


def mends(wanted: Snapshot, found: Snapshot) -> list[Mend]:
    """Return what makes of one schema another.

    Each difference has one mend. They are in an order in which they can be run, and count on those
    before: what is in the way of several is dropped by the first, and made again by the last. On
    PostgreSQL who owns most is to run them: what is made belongs to who makes it.

    Args:
        wanted: as the schema should be.
        found: as it is, of the same engine.
    """
    engine = sqlite if wanted.engine == "sqlite" else postgresql
    return [_mend(difference, steps) for difference, steps in engine.planned(wanted, found)]


def _mend(difference: Difference, steps: Iterable[Step]) -> Mend:
    listed = list(steps)
    notes = dict.fromkeys(step.note for step in listed if step.note)  # each once
    return Mend(
        difference,
        tuple(step.sql for step in listed if step.sql),
        any(step.loses_data for step in listed),
        any(step.is_alone for step in listed),
        "; ".join(notes),
    )
