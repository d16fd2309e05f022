"""Runs the steps of a plan and knows, at every moment, how far it got."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from work_data_hub.domain.run.plan import Plan, Step
from work_data_hub.io.schema.alembic_bridge.observer import LogObserver
from work_data_hub.io.schema.locks.retries import Retries, is_lock_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from alembic.runtime.migration import MigrationContext, MigrationStep
    from alembic.script import Script

    from work_data_hub.io.schema.alembic_bridge.observer import RunObserver

    Steps = Callable[[tuple[str, ...], MigrationContext], Iterable[MigrationStep]]


class Guard(Protocol):
    """What stands around the steps of a run that changes a database."""

    def admit(self, plan: Plan, context: MigrationContext) -> None:
        """Raise when the plan may not run; called under the run lock, before the first step."""

    def begin(self, step: Step, script: Script | None, context: MigrationContext) -> None:
        """A step is about to run."""

    def finish(self) -> None:
        """The step was committed."""

    def fail(self, step: Step, error: BaseException) -> None:
        """The step failed."""

    def give_way(self) -> None:
        """Roll back what was read before the first step."""

    @property
    def can_be_repeated(self) -> bool:
        """Whether the running step left nothing outside of its transaction."""

    def blocked_by(self) -> str:
        """Say who held the locks that the running step did not get."""


class Execution:
    """One run: the plan that Alembic made, and how far it got.

    Alembic runs a step when it is yielded, and commits it before it asks for the next.

    Args:
        plan_steps: Alembic's own function that turns the current heads into steps.
        preview: plan, and run nothing.
        guard: what stands around the steps; None when nothing is changed.
        retries: when a step that did not get its locks is tried again; None for never.
        observer: is told how the run goes; the log when it is left out.
    """

    def __init__(
        self,
        plan_steps: Steps,
        *,
        preview: bool = False,
        guard: Guard | None = None,
        retries: Retries | None = None,
        observer: RunObserver | None = None,
    ) -> None:
        self._plan_steps = plan_steps
        self._preview = preview
        self._guard = guard
        self._retries = retries or Retries(0)
        self._observer = observer or LogObserver()
        self._planned: list[MigrationStep] | None = None
        self.plan = Plan((), ())
        self.finished: list[Step] = []
        self.running: Step | None = None
        self.left_a_part = False

    @property
    def pending(self) -> tuple[Step, ...]:
        """The steps that were not reached."""
        reached = len(self.finished) + (self.running is not None)
        return self.plan.steps[reached:]

    def run(self, run_migrations: Callable[[], None]) -> None:
        """Run Alembic; a step that did not get its locks is tried again, and no other.

        Args:
            run_migrations: Alembic's loop over the steps.

        Raises:
            DBAPIError: as the driver raised it, when the deadline has passed.
        """
        while True:
            try:
                return run_migrations()
            except BaseException as error:
                if self._guard is None:
                    raise
                if self.running is None:
                    self._give_way(error)
                    continue
                blocker = self._guard.blocked_by()
                self.left_a_part = not self._guard.can_be_repeated
                self._guard.fail(self.running, error)
                if _was_interrupted(error):
                    raise KeyboardInterrupt from error
                if self.left_a_part or not is_lock_failure(error):
                    raise
                pause = self._retries.pause()
                if pause is None:
                    error.add_note(f"its locks were held by {blocker}")
                    raise
                self._observer.waiting(
                    f"{self.running} did not get its locks ({blocker}); again in {pause:.1f} s"
                )
                time.sleep(pause)

    def _give_way(self, error: BaseException) -> None:
        """Wait when the version table itself is locked; raise for every other error."""
        assert self._guard is not None
        pause = self._retries.pause() if is_lock_failure(error) else None
        if pause is None:
            raise error
        self._guard.give_way()
        self._observer.waiting(f"the version table is locked; again in {pause:.1f} s")
        time.sleep(pause)

    def steps(self, heads: tuple[str, ...], context: MigrationContext) -> Iterator[MigrationStep]:
        """Plan from the heads that the database has now; yield each step and watch it end.

        A second call goes on with the plan of the first: `-1` from where a failed attempt left
        the database would be another revision.
        """
        if self._planned is None:
            self.plan = Plan(tuple(heads), ())
            planned = list(self._plan_steps(heads, context))
            self.plan = Plan(tuple(heads), tuple(_described(step) for step in planned))
            if self._preview:
                return
            if self._guard is not None:
                self._guard.admit(self.plan, context)
            self._planned = planned
            self._observer.planned(self.plan)
        rest = list(zip(self._planned, self.plan.steps, strict=True))[len(self.finished) :]
        for step, described in rest:
            yield from self._watched(step, described, context)

    def _watched(
        self, step: MigrationStep, described: Step, context: MigrationContext
    ) -> Iterator[MigrationStep]:
        self.running = described
        started = time.monotonic()
        if self._guard is not None:
            self._guard.begin(described, getattr(step, "revision", None), context)
        self._observer.started(described)
        yield step
        self.finished.append(described)
        self.running = None
        self._retries.reset()
        if self._guard is not None:
            self._guard.finish()
        self._observer.finished(described, time.monotonic() - started)


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: what unwinds after it may fail and take its place."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _described(step: MigrationStep) -> Step:
    info = step.info  # type: ignore[attr-defined]  # both kinds of step have it
    if info.is_stamp:
        destination = ", ".join(info.destination_revision_ids) or "base"
        return Step(destination, "stamp", is_destructive=not info.is_upgrade)
    return Step(
        info.up_revision_id,
        "upgrade" if info.is_upgrade else "downgrade",
        step.doc.splitlines()[0] if step.doc else "",
        is_destructive=not info.is_upgrade,
    )
