"""Draws a history as lines of text, one revision a line, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class Row(NamedTuple):
    """A line of the drawing.

    Attributes:
        lanes: the drawing; ``*`` stands for the revision.
        revision: which; None where lanes only part or come together.
    """

    lanes: str
    revision: str | None


def draw(revisions: Iterable[tuple[str, Sequence[str]]]) -> Iterator[Row]:
    """Draw revisions, each with its parents, in an order in which each comes before its parents.

    A lane is what still waits for a revision; it is kept empty where it ended, so that no other
    moves.
    """
    lanes: list[str | None] = []
    for revision, parents in revisions:
        if revision not in lanes:
            lanes.append(revision)
        column = lanes.index(revision)
        others = [at for at, lane in enumerate(lanes) if lane == revision and at != column]
        if others:
            yield Row(_joining(lanes, others), None)
            lanes = [None if at in others else lane for at, lane in enumerate(lanes)]
        drawn = ["*" if at == column else _lane(lane) for at, lane in enumerate(lanes)]
        yield Row(" ".join(drawn).rstrip(), revision)
        ends: list[str | None] = [*parents]
        lanes[column : column + 1] = ends or [None]
        if len(parents) > 1:
            yield Row(_parting(lanes, column), None)
        while lanes and lanes[-1] is None:
            lanes.pop()


def _lane(lane: str | None) -> str:
    return " " if lane is None else "|"


def _joining(lanes: Sequence[str | None], others: Sequence[int]) -> str:
    """Draw the lanes that end here, towards the left."""
    drawn = ""
    for at, lane in enumerate(lanes):
        drawn += ("/ " if at in others else f" {_lane(lane)}") if at else _lane(lane)
    return drawn.rstrip()


def _parting(lanes: Sequence[str | None], column: int) -> str:
    """Draw the lanes that begin here, towards the right; what is right of them makes room."""
    drawn = _lane(lanes[0])
    for at, lane in enumerate(lanes[1:], start=1):
        drawn += "\\ " if at > column and lane is not None else f" {_lane(lane)}"
    return drawn.rstrip()
