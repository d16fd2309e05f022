"""The drawing of a history: each revision once, lanes part and come together."""

from __future__ import annotations

import pytest

from work_data_hub.domain.revisions.graph import draw

LINE = [("c", ["b"]), ("b", ["a"]), ("a", [])]
TWO_HEADS = [("x", ["a"]), ("y", ["a"]), ("a", [])]
MERGE_OF_THREE = [("m", ["x", "y", "z"]), ("x", ["a"]), ("y", ["a"]), ("z", ["a"]), ("a", [])]
BESIDE = [("q", ["p"]), ("m", ["x", "y"]), ("p", ["x"]), ("x", ["a"]), ("y", ["a"]), ("a", [])]
TWO_BASES = [("x", []), ("y", ["b"]), ("b", [])]
MERGE_OF_TWO_BASES = [("m", ["x", "y"]), ("x", []), ("y", ["b"]), ("b", [])]


@pytest.mark.parametrize(
    ("history", "drawn"),
    [
        (LINE, ["* c", "* b", "* a"]),
        (TWO_HEADS, ["* x", "| * y", "|/", "* a"]),
        (MERGE_OF_THREE, ["* m", "|\\ \\", "* | | x", "| * | y", "| | * z", "|/ /", "* a"]),
        (
            BESIDE,
            ["* q", "| * m", "| |\\", "* | | p", "|/  |", "*   | x", "|   * y", "|  /", "* a"],
        ),
        (TWO_BASES, ["* x", "* y", "* b"]),
        (MERGE_OF_TWO_BASES, ["* m", "|\\", "* | x", "  * y", "  * b"]),
        ([], []),
    ],
)
def test_a_history_is_drawn_from_the_newest(
    history: list[tuple[str, list[str]]], drawn: list[str]
) -> None:
    assert [f"{row.lanes} {row.revision or ''}".rstrip() for row in draw(history)] == drawn
