"""A plan: the steps a run will take, as a value that can be printed and executed unchanged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["upgrade", "downgrade", "stamp"]
Remainder = Literal["nothing", "a part", "a marked part", "all", "unknown"]


@dataclass(frozen=True)
class Step:
    """One revision that is applied, taken back, or stamped.

    Attributes:
        revision: the revision that the step runs; for a stamp, the one it moves to ("base" when
            it leaves none).
        direction: what is done with it.
        description: the first line of the revision's docstring; empty for a stamp.
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
    """

    current: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class RunResult:
    """What a run did.

    Attributes:
        database: its URL, without the password.
        before: the revisions that the database was at.
        after: the revisions that it is at now.
        steps: what was done, in order; empty when nothing had to be.
    """

    database: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass
class Progress:
    """How far a run got, at every moment; whoever words its faults reads it.

    Attributes:
        plan: what it shall do.
        finished: the steps that were committed.
        running: the step that has begun and not ended.
        left: what is committed of a step that failed; the database was asked.
    """

    plan: Plan = Plan((), ())
    finished: list[Step] = field(default_factory=list)
    running: Step | None = None
    left: Remainder = "nothing"

    @property
    def pending(self) -> tuple[Step, ...]:
        """The steps that were not reached."""
        reached = len(self.finished) + (self.running is not None)
        return self.plan.steps[reached:]
