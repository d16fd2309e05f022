"""Holds the schema against what the last run left, and keeps what this one leaves."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.finding import ERROR
from work_data_hub.domain.record.journal_state import BASE, after_stamp, newest, with_needs
from work_data_hub.errors import MissingError, RefusedError
from work_data_hub.io.schema.alembic_bridge.revision_map import needs

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from work_data_hub.domain.run.plan import Plan, Step
    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.alembic_bridge.request import Permissions
    from work_data_hub.io.schema.snapshot.schema_record import SchemaRecord

log = logging.getLogger(__name__)


_SHOWN = 3


class _Claim(NamedTuple):
    """Who says that the schema is what a revision makes.

    Attributes:
        prefix: of what is wrong.
        way_out: of who wants to go on all the same; ``{0}`` is where to.
        binds_all: whether it is refused on a database of one's own, too.
        detail: what the journal says of it, where nothing verified it.
    """

    prefix: str
    way_out: str
    binds_all: bool
    detail: str | None = None


_A_STAMP = _Claim(
    "",
    "to record it all the same: `wdh db stamp --confirm-drift {0}`, or alembic -x confirm-drift=yes"
    " stamp {0}",
    binds_all=True,
    detail="not verified",
)
_A_HAND = _Claim(
    "the version table was written by no run, and ",
    "to build on it all the same: `wdh db upgrade --confirm-drift`, or alembic -x confirm-drift=yes"
    " upgrade head",
    binds_all=False,
)


class SchemaKeeper:
    """Of one run.

    Args:
        view: the database, and the files.
        record: of its schema.
        plan: of the run.
        permissions: what the caller confirmed.
    """

    def __init__(
        self, view: DatabaseView, record: SchemaRecord, plan: Plan, permissions: Permissions
    ) -> None:
        self._detail: str | None = None
        self._view = view
        self._record = record
        self._plan = plan
        self._permissions = permissions

    def admit(self, *, repeats: bool, is_own: bool, is_by_hand: bool) -> bool:
        """Say that the schema is not as it should be, or refuse to build on it.

        An upgrade builds on what the last run left, unless a revision was interrupted; a stamp
        says that the schema is what a revision makes, and so does who wrote into the version
        table. What is confirmed and changes nothing is kept as it is.

        Args:
            repeats: whether the first step repeats an interrupted one.
            is_own: whether the database is one's own, which needs no proof where none is to be had.
            is_by_hand: whether it is at revisions that no run put it at.

        Returns:
            Whether the schema was kept as it is, beside which such a run has no step.

        Raises:
            RefusedError: it is another, and nobody confirmed it.
        """
        steps, permissions = self._plan.steps, self._permissions
        if steps and steps[0].direction == "stamp":
            self._verify(self._claimed(), _A_STAMP, is_own=is_own)
            return False
        if is_by_hand:
            self._verify(self._plan.current, _A_HAND, is_own=is_own)
        if not steps and permissions.confirm_drift and not self._record.is_off:
            self._record.keep(self._plan.current)
            return True
        is_upgrade = bool(steps) and steps[0].direction == "upgrade"
        if is_upgrade and permissions.resolved is None and not repeats:
            self._hold()
        return False

    def applied(self, step: Step, versions: Collection[str]) -> str | None:
        """Keep what the schema is, in the transaction of the last step.

        Returns:
            What the journal says of a stamp that was not verified.
        """
        if step is self._plan.steps[-1]:
            self._record.keep(versions)
        return self._detail

    def _hold(self) -> None:
        found = (
            None if self._permissions.confirm_drift else self._record.changed(self._plan.current)
        )
        if found is not None and found.severity == ERROR:
            raise RefusedError(found.message, hint=found.hint)
        if found is not None:
            log.warning("%s; %s", found, found.hint)

    def _verify(self, revisions: Sequence[str], claim: _Claim, *, is_own: bool) -> None:
        """Hold the schema to what somebody says that it is."""
        if self._record.is_off or not revisions:
            return
        if self._permissions.confirm_drift:
            self._detail = claim.detail
            return
        # Imported for those who need it: no other run pays for it.
        from work_data_hub.io.schema.snapshot.claim import lacking

        said = ", ".join(revisions)
        try:
            found = lacking(self._view, revisions)
        except MissingError as error:
            self._detail = claim.detail
            what = f"it cannot be told whether the schema looks like {said}: {error.message}"
            self._refuse_or_warn(f"{claim.prefix}{what}", error.hint, claim, may_go_on=is_own)
            return
        if found:
            listed = "; ".join(map(str, found[:_SHOWN]))
            more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            self._refuse_or_warn(
                f"{claim.prefix}the schema does not look like {said}: {listed}{more}",
                f"`wdh db drift {revisions[0]}` says what ends that",
                claim,
                may_go_on=is_own and not claim.binds_all,
            )

    def _refuse_or_warn(self, what: str, hint: str, claim: _Claim, *, may_go_on: bool) -> None:
        if may_go_on:
            log.warning("%s; %s", what, hint)
            return
        stamped = self._plan.steps[-1].revision if len(self._plan.steps) == 1 else "heads"
        way_out = claim.way_out.format("heads" if ", " in stamped else stamped)
        raise RefusedError(what, hint=f"{hint}; {way_out}")

    def _claimed(self) -> tuple[str, ...]:
        """Return the revisions that the database is said to be at, when the stamp is done."""
        graph = needs(self._view.scripts)
        applied = with_needs(self._plan.current, graph)
        for step in self._plan.steps:
            is_base = step.revision == BASE
            applied = set() if is_base else after_stamp(applied, step.revision.split(", "), graph)
        return newest(applied, graph)
