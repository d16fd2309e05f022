"""Holds the schema against what the last run left, and keeps what this one leaves."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from work_data_hub.domain.finding import ERROR
from work_data_hub.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection

    from work_data_hub.domain.run.plan import Plan, Step
    from work_data_hub.io.schema.alembic_bridge.request import Permissions
    from work_data_hub.io.schema.snapshot.schema_record import SchemaRecord

log = logging.getLogger(__name__)


class SchemaKeeper:
    """Of one run.

    Args:
        record: of the database.
        plan: of the run.
        permissions: what the caller confirmed.
    """

    def __init__(self, record: SchemaRecord, plan: Plan, permissions: Permissions) -> None:
        self._record = record
        self._plan = plan
        self._permissions = permissions

    def admit(self, *, repeats: bool) -> None:
        """Say that the schema is not as the last run left it, or refuse to build on it.

        A stamp says that somebody has changed it; so does a revision that was interrupted. What
        is confirmed and builds nothing is kept as it is.

        Args:
            repeats: whether the first step repeats an interrupted one.

        Raises:
            RefusedError: it is another, and the settings let nobody build on it.
        """
        steps, permissions = self._plan.steps, self._permissions
        if permissions.confirm_drift and not steps:
            self._keep(self._plan.current)
        is_accepted = permissions.confirm_drift or permissions.resolved is not None or repeats
        if is_accepted or not steps or steps[0].direction != "upgrade":
            return
        found = self._record.changed()
        if found is not None and found.severity == ERROR:
            raise RefusedError(found.message, hint=found.hint)
        if found is not None:
            log.warning("%s; %s", found, found.hint)

    def applied(self, step: Step, versions: Collection[str]) -> None:
        """Keep what the schema is, in the transaction of the last step."""
        if step is self._plan.steps[-1]:
            self._keep(versions)

    def _keep(self, versions: Collection[str]) -> None:
        self._record.keep(", ".join(sorted(versions)) or "base")
