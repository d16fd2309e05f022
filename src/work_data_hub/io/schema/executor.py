"""Runs the steps of a plan and knows, at every moment, how far it got."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from work_data_hub.domain.plan import Plan, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from alembic.runtime.migration import MigrationContext, MigrationStep

    Steps = Callable[[tuple[str, ...], MigrationContext], Iterable[MigrationStep]]

log = logging.getLogger(__name__)


class Execution:
    """One run: the plan that Alembic made, and how far it got.

    Alembic runs a step when it is yielded, and commits it before it asks for the next.

    Args:
        plan_steps: Alembic's own function that turns the current heads into steps.
        preview: plan, and run nothing.
    """

    def __init__(self, plan_steps: Steps, *, preview: bool) -> None:
        self._plan_steps = plan_steps
        self._preview = preview
        self.plan = Plan((), ())
        self.finished: list[Step] = []
        self.running: Step | None = None

    def steps(self, heads: tuple[str, ...], context: MigrationContext) -> Iterator[MigrationStep]:
        """Plan from the heads that the database has now; yield each step and watch it end."""
        planned = list(self._plan_steps(heads, context))
        self.plan = Plan(tuple(heads), tuple(_described(step) for step in planned))
        if self._preview:
            return
        for step, described in zip(planned, self.plan.steps, strict=True):
            self.running = described
            started = time.monotonic()
            yield step
            self.finished.append(described)
            self.running = None
            log.info("%s (%.2f s)", described, time.monotonic() - started)

    @property
    def pending(self) -> tuple[Step, ...]:
        """The steps that were not reached."""
        reached = len(self.finished) + (self.running is not None)
        return self.plan.steps[reached:]


def _described(step: MigrationStep) -> Step:
    info = step.info  # type: ignore[attr-defined]  # both kinds of step have it
    if info.is_stamp:
        return Step(", ".join(info.destination_revision_ids) or "base", "stamp")
    return Step(
        info.up_revision_id,
        "upgrade" if info.is_upgrade else "downgrade",
        (step.doc or "").splitlines()[0] if step.doc else "",
    )
