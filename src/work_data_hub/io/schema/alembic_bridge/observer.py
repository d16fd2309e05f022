"""Watches a run: each step that begins and ends, and what it waits for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from work_data_hub.domain.run.plan import Plan, Step

log = logging.getLogger(__name__)


class RunObserver(Protocol):
    """Is told how a run goes. What it raises ends the run like a fault of the step."""

    def planned(self, plan: Plan) -> None:
        """The plan was admitted; its first step is about to begin."""

    def started(self, step: Step) -> None:
        """A step begins; again when it is tried again."""

    def finished(self, step: Step, seconds: float) -> None:
        """The step was committed, so long after it began."""

    def waiting(self, reason: str) -> None:
        """The run waits, in words; another thread may call it."""


class LogObserver:
    """Tells the log, as the plain `alembic` command does."""

    def planned(self, plan: Plan) -> None:
        """Nothing: the steps are logged as they end."""

    def started(self, step: Step) -> None:
        """Nothing, as above."""

    def finished(self, step: Step, seconds: float) -> None:
        """Log the step and its time."""
        log.info("%s (%.2f s)", step, seconds)

    def waiting(self, reason: str) -> None:
        """Log for whom the run waits."""
        log.warning("%s", reason)
