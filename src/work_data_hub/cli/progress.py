"""What a person sees of a run while it goes on: lines in a pipe, a live display on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from work_data_hub.cli import streams

if TYPE_CHECKING:
    from work_data_hub.domain.run.plan import Plan, Step


class Progress:
    """Remembers how long each step took, and says nothing: what ``--quiet`` shows.

    Attributes:
        finished_steps: each step and its seconds.
    """

    def __init__(self) -> None:
        self.finished_steps: list[tuple[Step, float]] = []
        self._total = 0

    def planned(self, plan: Plan) -> None:
        """Note how many steps there will be."""
        self._total = len(plan.steps)

    def started(self, step: Step) -> None:
        """Note nothing."""

    def finished(self, step: Step, seconds: float) -> None:
        """Note the step."""
        self.finished_steps.append((step, seconds))

    def waiting(self, reason: str) -> None:
        """Note nothing."""

    def close(self) -> None:
        """Leave nothing on the screen that is not true any more."""

    def line(self, step: Step, seconds: float) -> str:
        """Return the line of a step that has just finished."""
        return f"[{len(self.finished_steps)}/{self._total}] {step} ({seconds:.2f} s)"


class LineProgress(Progress):
    """Writes one line for each step that finished, and for each wait.

    Args:
        err: where to.
    """

    def __init__(self, err: TextIO) -> None:
        super().__init__()
        self._err = err

    def finished(self, step: Step, seconds: float) -> None:
        """Write the step's line."""
        super().finished(step, seconds)
        self._write(self.line(step, seconds))

    def waiting(self, reason: str) -> None:
        """Write for whom the run waits."""
        self._write(reason if reason.startswith("waiting") else f"waiting: {reason}")

    def _write(self, line: str) -> None:
        streams.say(f"{line}\n", self._err)
