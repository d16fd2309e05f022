"""Feeds Alembic's own graph with what was read from the files: order and plans are its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic.script.revision import Revision, RevisionMap

if TYPE_CHECKING:
    from work_data_hub.domain.revisions.history import History


def revision_map(history: History) -> RevisionMap:
    """Return Alembic's graph of a history, made without executing a file.

    Heads, order, plans, ``label@head``, ``+N`` and beginnings of ids are then what Alembic says
    of these files, its errors included (``alembic.script.revision.RevisionError``).

    Args:
        history: a history without findings; what one leaves out, the graph does not hold.
    """

    def revisions() -> list[Revision]:
        return [
            Revision(
                each.revision,
                each.down_revisions,
                each.depends_on or None,
                each.branch_labels or None,
            )
            for each in history.revisions.values()
        ]

    return RevisionMap(revisions)
