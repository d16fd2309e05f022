"""Puts revisions on top of others: in which order, with which ids and parents."""

from __future__ import annotations

from datetime import datetime, timedelta
from graphlib import TopologicalSorter
from heapq import heappop, heappush
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.revisions.naming import new_revision_id, parse_file_name, time_of
from work_data_hub.errors import HistoryError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection

    from work_data_hub.domain.revisions.history import History


class Move(NamedTuple):
    """A revision that gets another parent.

    Attributes:
        revision, new_revision: its id, and the one that it gets; equal where names are no times.
        down_revisions: what it builds on.
        new_parent: what it shall build on.
        path, new_path: its file.
    """

    revision: str
    new_revision: str
    down_revisions: tuple[str, ...]
    new_parent: str
    path: str
    new_path: str


def plan_moves(history: History, mine: Collection[str], now: datetime) -> tuple[Move, ...]:
    """Return what puts ``mine`` in one line on top of all others; empty when they are.

    Args:
        history: the revisions of the working tree, without findings.
        mine: the revisions to be moved.
        now: the time, in UTC, from which new ids are made.

    Raises:
        HistoryError: the others have several heads, or none is there.
        RefusedError: another revision builds on one of ``mine``, or one of them begins a branch
            with a name of its own.
    """
    _refuse_entangled(history, mine)
    ordered = _ordered(history, mine)
    if not ordered:
        return ()
    tip = _onto(history, mine)
    new_ids = _NewIds(history, tip, now)
    moves: list[Move] = []
    for revision in ordered:
        parents = history.revisions[revision].down_revisions
        if moves or parents != (tip,):
            moves.append(_move(history, revision, tip, new_ids))
            tip = moves[-1].new_revision
        else:
            tip = revision
    return tuple(moves)


class _NewIds:
    """Makes ids, each later than all before it."""

    def __init__(self, history: History, tip: str, now: datetime) -> None:
        self._taken = set(history.revisions)
        # A colleague's clock may be ahead of ours.
        latest = time_of(tip)
        ours = now.replace(tzinfo=None)
        self._now = ours if latest is None else max(ours, latest + timedelta(minutes=1))

    def take(self) -> str:
        made = new_revision_id(self._now, self._taken)
        self._taken.add(made)
        return made


def _move(history: History, revision: str, parent: str, new_ids: _NewIds) -> Move:
    path = PurePath(history.paths[revision])
    name, new = parse_file_name(path.name), revision
    new_path = path
    if name is not None and name.id == revision:
        new = new_ids.take()
        new_path = path.with_name(f"{new}_{name.description}.py")
    parents = history.revisions[revision].down_revisions
    return Move(revision, new, parents, parent, str(path), str(new_path))


def _refuse_entangled(history: History, mine: Collection[str]) -> None:
    for revision, each in history.revisions.items():
        needed = {*each.down_revisions, *each.depends_on} & set(mine)
        if revision not in mine and needed:
            raise RefusedError(
                f"{revision} builds on {min(needed)}, and is not among those to be rebased",
                hint="name it too, if it was not released either",
            )
        if revision in mine and each.branch_labels and not each.down_revisions:
            raise RefusedError(
                f"{revision} begins the branch {each.branch_labels[0]}, which is to stand alone",
                hint="name the revisions to be rebased without it",
            )


def _ordered(history: History, mine: Collection[str]) -> list[str]:
    """Return revisions, each after those that it needs; else in the order of their ids."""
    chosen = set(mine)
    sorter = TopologicalSorter(
        {name: (history.with_needs([name]) & chosen) - {name} for name in chosen}
    )
    sorter.prepare()
    ready, ordered = list[str](), list[str]()
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(ready, name)
        ordered.append(heappop(ready))
        sorter.done(ordered[-1])
    return ordered


def _onto(history: History, mine: Collection[str]) -> str:
    """Return the one head of the others that the revisions shall stand on."""
    others = set(history.revisions) - set(mine)
    inner = {parent for name in others for parent in history.revisions[name].down_revisions}
    heads = sorted(others - inner)
    roots = {
        parent
        for name in mine
        for parent in history.revisions[name].down_revisions
        if parent in others
    }
    # Of several branches, the one that they grew from.
    grown = [head for head in heads if roots & history.with_ancestors(head)] if roots else heads
    if len(grown) == 1:
        return grown[0]
    if not grown:
        raise HistoryError(
            "there is no revision that yours could be put on top of",
            hint="merge or fetch the branch with the others' revisions first",
        )
    raise HistoryError(
        f"the others' revisions have several heads themselves: {', '.join(grown)}",
        hint="name your revisions, all of them: wdh db rebase REVISION ...",
    )
