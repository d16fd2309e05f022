"""Plans that take revisions back as they were applied, on a database of one's own.

A file may have been edited since, or be gone: its ``downgrade`` would undo something else, and its
``down_revision`` would record a revision that was never applied.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from alembic.runtime.migration import RevisionStep

from work_data_hub.domain.record.applied import applied_rows
from work_data_hub.io.schema.alembic_bridge.applied_script import AppliedScript, graph_with
from work_data_hub.io.schema.record import history_check
from work_data_hub.io.schema.revisions.applied_texts import AppliedTexts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alembic.runtime.migration import MigrationContext, MigrationStep

    from work_data_hub.io.schema.run.admission import Admission
    from work_data_hub.io.schema.run.executor import Steps

log = logging.getLogger(__name__)


def as_applied(plan_steps: Steps, admission: Admission, lost: Mapping[str, bytes]) -> Steps:
    """Return Alembic's function for the plan, made to take back what was applied.

    Args:
        plan_steps: turns the current heads into steps, by the graph of ``scripts.revision_map``.
        admission: of the run.
        lost: the texts of revisions that have no file and that shall be known all the same.
    """
    scripts, is_own = admission.view.scripts, admission.target.is_own

    def planned(heads: tuple[str, ...], context: MigrationContext) -> list[MigrationStep]:
        if lost:
            scripts.revision_map = graph_with(scripts, lost)
        history_check.refuse_unknown(scripts, heads, is_own=is_own)
        steps = list(plan_steps(heads, context))
        edited = _edited(admission, heads) if is_own and any(map(_takes_back, steps)) else {}
        texts = {revision: text for revision, text in edited.items() if text is not None}
        if texts:
            scripts.revision_map = graph_with(scripts, {**lost, **texts})
            steps = list(plan_steps(heads, context))
        for step in filter(_takes_back, steps):
            _say_which_text(step, edited)
        return steps

    return planned


def _takes_back(step: MigrationStep) -> bool:
    return isinstance(step, RevisionStep) and not step.is_upgrade


def _edited(admission: Admission, heads: tuple[str, ...]) -> dict[str, bytes | None]:
    """Return the applied revisions that were edited since, with the text that was applied."""
    if not admission.facts.has_framework_tables:
        return {}
    view, entries, kept = admission.view, admission.journal.deciding(), AppliedTexts()
    applied = history_check.applied_scripts(view.scripts, heads)
    found = history_check.findings(entries, applied, view.scripts, view.settings, is_own=True)
    digests = {revision: row.digest for revision, row in applied_rows(entries).items()}
    return {
        revision: kept.find(digests[revision] or "")
        for revision, finding in found.items()
        if finding.code == "edited"
    }


def _say_which_text(step: MigrationStep, edited: Mapping[str, bytes | None]) -> None:
    script = step.revision  # type: ignore[attr-defined]  # it is a RevisionStep
    if script.revision not in edited:
        return
    if isinstance(script, AppliedScript):
        log.warning("%s is taken back as it was applied, not as its file is now", script.revision)
    else:
        log.warning(
            "%s was edited after it was applied, and what was applied is not kept on this machine:"
            " it is taken back by its file as it is now",
            script.revision,
        )
