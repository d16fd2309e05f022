"""The past of a database, looked at before a run: adopted, accepted, warned of, or refused."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.finding import WARNING
from work_data_hub.domain.record.journal_state import moves, state_of
from work_data_hub.errors import HistoryError
from work_data_hub.io.schema.alembic_bridge.revision_map import needs
from work_data_hub.io.schema.record import history_check
from work_data_hub.io.schema.revisions.applied_texts import AppliedTexts

if TYPE_CHECKING:
    from collections.abc import Collection

    from alembic.script import Script

    from work_data_hub.domain.finding import Finding
    from work_data_hub.domain.run.plan import Plan
    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.record.journal import Journal, JournalEntry, SourceMark

log = logging.getLogger(__name__)


class LookedBack(NamedTuple):
    """What a look at the past found, and wrote down.

    Attributes:
        entries: the rows of the journal that decide.
        adopted: the revisions that it did not know, the oldest first.
        accepted: the revisions whose files are accepted as they are now.
        is_by_hand: whether the database is at revisions that no run put it at, though runs were
            there.
    """

    entries: list[JournalEntry]
    adopted: tuple[str, ...]
    accepted: tuple[str, ...]
    is_by_hand: bool


class Past:
    """What was applied to a database, and what the files say of it now.

    Args:
        view: the database, and the files.
        journal: its journal.
        is_own: whether the database is one's own: what a plan takes back there may have been
            edited, and where it does nothing else the rest may have been, too.
    """

    def __init__(self, view: DatabaseView, journal: Journal, *, is_own: bool) -> None:
        self._view = view
        self._journal = journal
        self._is_own = is_own
        self._texts = AppliedTexts() if is_own else None

    def look_back(
        self, heads: tuple[str, ...], plan: Plan, accepted: Collection[str]
    ) -> LookedBack:
        """Adopt what the journal does not know, and hold the files to what was applied.

        Args:
            heads: the revisions that the database is at.
            plan: what shall be run.
            accepted: revisions whose edited or vanished file is accepted.

        Raises:
            HistoryError: an applied revision was edited, or its file is gone.
        """
        scripts, settings = self._view.scripts, self._view.settings
        applied = history_check.applied_scripts(scripts, heads)
        entries = self._journal.deciding()
        unknown = history_check.unknown_to(entries, applied)
        self._journal.adopt((script.revision, self._marked(script)) for script in unknown)
        found = history_check.findings(entries, applied, scripts, settings, is_own=self._is_own)
        taken: list[str] = []
        for revision, finding in found.items():
            if revision in accepted:
                taken.append(revision)
                script = scripts.get_revision(revision) if finding.path else None
                source = self._marked(script)
                self._journal.add(revision, "accept", source=source, detail=str(finding))
            elif not (self._is_own and _is_taken_back(revision, plan)):
                self._hold_against(finding, plan)
        adopted = tuple(script.revision for script in reversed(unknown))
        return LookedBack(entries, adopted, tuple(taken), self._is_by_hand(entries, adopted))

    def _is_by_hand(self, entries: list[JournalEntry], adopted: Collection[str]) -> bool:
        """Tell a stamp, which a run held to the schema, from what no run has written."""
        moved = moves(entries)
        if not moved or not adopted:
            return False
        state = state_of(moved, needs(self._view.scripts))
        return state is None or not state.issuperset(adopted)

    def _marked(self, script: Script | None) -> SourceMark | None:
        """Return what identifies the text of a revision, and keep the text."""
        text = history_check.source_text(script)
        if text is not None and self._texts is not None:
            self._texts.keep(text)
        return history_check.source_mark(text)

    def _hold_against(self, finding: Finding, plan: Plan) -> None:
        if finding.severity == WARNING or (self._is_own and _takes_back_alone(plan)):
            log.warning("%s", finding)
        else:
            raise HistoryError(str(finding), hint=finding.hint)


def _is_taken_back(revision: str, plan: Plan) -> bool:
    return any(step.revision == revision and step.direction == "downgrade" for step in plan.steps)


def _takes_back_alone(plan: Plan) -> bool:
    return bool(plan.steps) and all(step.direction == "downgrade" for step in plan.steps)
