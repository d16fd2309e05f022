"""A plan: the steps a run will take, as a value that can be printed and executed unchanged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Direction = Literal["upgrade", "downgrade", "stamp"]
Remainder = Literal["nothing", "a part", "a marked part", "all", "unknown"]


@dataclass(frozen=True)
class Step:
    """One revision that is applied, taken back, or stamped.

    Attributes:
        revision: the revision that the step runs; for a stamp, the one it moves to ("base" when
            it leaves none).
        direction: what is done with it.
        description: the first paragraph of its docstring, as one line; empty for a stamp.
        is_destructive: whether it may lose what cannot be had again: a downgrade, or a stamp
            that moves backwards.
    """

    revision: str
    direction: Direction
    description: str = ""
    is_destructive: bool = False

    def __str__(self) -> str:
        """Return the step as a line of text."""
        return f"{self.direction} {self.revision} {self.description}".rstrip()


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        current: the revisions that the database is at, before the first step.
        steps: in the order in which they run.
        expected: the seconds that each will take, as far as they are known; empty: not at all.
        adopted: revisions that are journalled as applied before.
        accepted: revisions whose edited or vanished file is journalled as accepted.
        confirmed: whether it records the schema as it is, and nothing else.
    """

    current: tuple[str, ...]
    steps: tuple[Step, ...]
    expected: tuple[float, ...] = ()
    adopted: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    confirmed: bool = False

    def seconds_left(self, done: int, running: float) -> float | None:
        """Return the seconds that the run will still take; None where that is not known.

        Args:
            done: how many steps have ended.
            running: for how many seconds the next one has been running.
        """
        if not self.expected:
            return None
        return max(0.0, self.expected[done] - running) + sum(self.expected[done + 1 :])


def expected_seconds(
    steps: Sequence[Step], known: Mapping[tuple[str, str], float]
) -> tuple[float, ...]:
    """Return how long steps will take, by what the same or others of their kind took.

    Args:
        steps: which.
        known: seconds by revision and direction.

    Returns:
        For each step its own time, or the mean of its direction; empty where there is neither.
    """
    means: dict[str, float] = {}
    for direction in {step.direction for step in steps}:
        times = [seconds for (_, kind), seconds in known.items() if kind == direction]
        if not times:
            return ()
        means[direction] = sum(times) / len(times)
    own = ((step.revision, step.direction) for step in steps)
    return tuple(known.get(each, means[each[1]]) for each in own)


@dataclass(frozen=True)
class RunResult:
    """What a run did.

    Attributes:
        database: its URL, without the password.
        before: the revisions that the database was at.
        after: the revisions that it is at now.
        steps: what was run, in order; empty when nothing had to be.
        adopted, accepted, confirmed: what was journalled beside that, as in ``Plan``.
    """

    database: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    steps: tuple[Step, ...]
    adopted: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    confirmed: bool = False

    @property
    def journalled(self) -> tuple[str, ...]:
        """What was journalled beside the steps, in words."""
        count = len(self.adopted)
        adopted = f"adopted {count} revision{'s' * (count > 1)} that had been applied before"
        accepted = (f"accepted {revision} as its file is now" for revision in self.accepted)
        confirmed = ["recorded the schema as it is"] if self.confirmed else []
        return (*([adopted] if count else []), *accepted, *confirmed)


@dataclass
class Progress:
    """How far a run got, at every moment; whoever words its faults reads it.

    Attributes:
        plan: what it shall do.
        finished: the steps that were committed.
        running: the step that has begun and not ended.
        left: what is committed of a step that failed; the database was asked.
        is_own_lock: whether it failed by waiting, on another connection, for the lock of its run.
    """

    plan: Plan = Plan((), ())
    finished: list[Step] = field(default_factory=list)
    running: Step | None = None
    left: Remainder = "nothing"
    is_own_lock: bool = False

    @property
    def pending(self) -> tuple[Step, ...]:
        """The steps that were not reached."""
        reached = len(self.finished) + (self.running is not None)
        return self.plan.steps[reached:]
