"""Is the version table where the journal left it, or did somebody else write into it?"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from work_data_hub.domain.finding import ERROR, WARNING, Finding
from work_data_hub.domain.record.journal_state import BASE, moves, newest, state_of, with_needs
from work_data_hub.io.schema.alembic_bridge.revision_map import needs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from work_data_hub.domain.record.target import Target
    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.record.journal import JournalEntry


def disagreement(
    view: DatabaseView, target: Target, entries: Sequence[JournalEntry]
) -> Finding | None:
    """Return that the version table is not where the journal left it, if so.

    On a database of one's own it is a warning: the next run adopts what is there.

    Args:
        view: the database, and the files.
        target: what the database is.
        entries: the rows of the journal that decide, the oldest first.
    """
    moved = moves(entries)
    graph = needs(view.scripts)
    versions, state = view.versions, state_of(moved, graph)
    if not moved or state is None or _agree(versions, state, graph):
        return None
    known, last = newest(state & graph.keys(), graph), moved[-1]
    confirm = "" if target.is_own else f" --confirm {shlex.quote(target.name)}"
    return Finding(
        "journal-disagrees",
        f"{view.history} says {', '.join(versions) or BASE}, the journal says"
        f" {', '.join(known) or BASE}: the last that it knows is {last.direction} {last.revision}"
        f" by {last.os_user}@{last.host}, {last.finished_at:%Y-%m-%d %H:%M} UTC; what came then"
        " was plain Alembic, or somebody's hand",
        severity=WARNING if target.is_own else ERROR,
        hint="look which of the two the tables are at, and record that:"
        f" {_stamped(versions, confirm)}, or {_stamped(known, confirm)}",
    )


def _agree(
    versions: Sequence[str], state: frozenset[str], graph: Mapping[str, Sequence[str]]
) -> bool:
    unknown = {*versions} - graph.keys()
    if unknown:  # newer code has put it there: no file tells what it needs
        return unknown <= state
    return with_needs(versions, graph) == with_needs(state & graph.keys(), graph)


def _stamped(revisions: Sequence[str], confirm: str) -> str:
    """Return the commands that record where a database is."""
    first, *more = revisions or (BASE,)
    commands = [f"`wdh db stamp --purge {first}{confirm}`"]
    commands += [f"`wdh db stamp {revision}{confirm}`" for revision in more]
    return " and ".join(commands)
