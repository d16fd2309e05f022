"""Runs the steps of a plan and knows, at every moment, how far it got."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from work_data_hub.domain.revisions.revision_file import description_of
from work_data_hub.domain.run.plan import Plan, Step
from work_data_hub.io.schema.locks.retries import is_lock_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from alembic.runtime.migration import MigrationContext, MigrationStep
    from alembic.script import Script

    from work_data_hub.domain.run.plan import Progress, Remainder
    from work_data_hub.io.schema.alembic_bridge.observer import RunObserver
    from work_data_hub.io.schema.locks.retries import Retries

    Steps = Callable[[tuple[str, ...], MigrationContext], Iterable[MigrationStep]]


class Guard(Protocol):
    """What stands around the steps of a run."""

    def verify(self) -> None:
        """Raise when no further step may run, because the run lock was lost."""

    def begin(self, step: Step, script: Script | None, context: MigrationContext) -> None:
        """A step is about to run."""

    def finish(self) -> None:
        """The step was committed."""

    def fail(self, step: Step, error: BaseException) -> Remainder:
        """The step failed; return what is committed of it."""

    def give_way(self) -> None:
        """Roll back what was read before the first step."""

    def is_lock_failure(self, error: BaseException) -> bool:
        """Whether a step failed because it did not get its locks in time."""

    def is_own_lock(self, error: BaseException) -> bool:
        """Whether a step failed because it met, on another connection, the lock of its run."""

    def blocked_by(self) -> str:
        """Say who held the locks that the running step did not get."""


class Execution:
    """One run: the plan that Alembic made, and how far it got.

    Alembic runs a step when it is yielded, and commits it before it asks for the next.

    Args:
        plan_steps: Alembic's own function that turns the current heads into steps.
        admit: raises when the plan may not run, and returns it with the time that is expected;
            called under the run lock, before the first step.
        guard: what stands around the steps.
        retries: when a step that did not get its locks is tried again.
        observer: is told how the run goes.
        progress: is kept up to date.
    """

    def __init__(
        self,
        plan_steps: Steps,
        *,
        admit: Callable[[Plan, MigrationContext], Plan],
        guard: Guard,
        retries: Retries,
        observer: RunObserver,
        progress: Progress,
    ) -> None:
        self._plan_steps = plan_steps
        self._admit = admit
        self._guard = guard
        self._retries = retries
        self._observer = observer
        self._progress = progress
        self._planned: list[MigrationStep] | None = None

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
                if self._progress.running is None:
                    self._give_way(error)
                else:
                    self._wait_for_locks(error, self._progress.running)

    def _give_way(self, error: BaseException) -> None:
        """Wait when the version table itself is locked; raise for every other error."""
        pause = self._retries.pause() if is_lock_failure(error) else None
        if pause is None:
            raise error
        self._guard.give_way()
        self._observer.waiting(f"the version table is locked; again in {pause:.1f} s")
        time.sleep(pause)

    def _wait_for_locks(self, error: BaseException, failed: Step) -> None:
        """Wait when a step did not get its locks; raise for every other error."""
        blocker = self._guard.blocked_by()
        self._progress.is_own_lock = self._guard.is_own_lock(error)
        self._progress.left = self._guard.fail(failed, error)
        if was_interrupted(error):
            raise KeyboardInterrupt from error
        if self._progress.left != "nothing" or not self._guard.is_lock_failure(error):
            raise error
        pause = self._retries.pause()
        if pause is None:
            error.add_note(f"its locks were {blocker}")
            raise error
        self._observer.waiting(
            f"{failed} did not get its locks ({blocker}); again in {pause:.1f} s"
        )
        time.sleep(pause)

    def steps(self, heads: tuple[str, ...], context: MigrationContext) -> Iterator[MigrationStep]:
        """Plan from the heads that the database has now; yield each step and watch it end.

        A second call goes on with the plan of the first: `-1` from where a failed attempt left
        the database would be another revision.
        """
        progress = self._progress
        if self._planned is None:
            progress.plan = plan_of(heads)
            planned = list(self._plan_steps(heads, context))
            progress.plan = plan_of(heads, planned)
            progress.plan = self._admit(progress.plan, context)
            self._planned = planned
            self._observer.planned(progress.plan)
        rest = list(zip(self._planned, progress.plan.steps, strict=True))[len(progress.finished) :]
        for step, described in rest:
            yield from self._watched(step, described, context)

    def _watched(
        self, step: MigrationStep, described: Step, context: MigrationContext
    ) -> Iterator[MigrationStep]:
        self._guard.verify()
        self._progress.running = described
        started = time.monotonic()
        self._guard.begin(described, getattr(step, "revision", None), context)
        self._observer.started(described)
        yield step
        self._progress.finished.append(described)
        self._progress.running = None
        self._retries.reset()
        self._guard.finish()
        self._observer.finished(described, time.monotonic() - started)


def plan_of(heads: tuple[str, ...], steps: Iterable[MigrationStep] = ()) -> Plan:
    """Return Alembic's steps from these heads as a plan."""
    return Plan(tuple(heads), tuple(_described(step) for step in steps))


def was_interrupted(error: BaseException | None) -> bool:
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
        description_of(step.doc),
        is_destructive=not info.is_upgrade,
    )
