from __future__ import annotations

from datetime import UTC, datetime

import pytest

from work_data_hub.domain.revisions.history import History
from work_data_hub.domain.revisions.rebase import plan_moves
from work_data_hub.domain.revisions.revision_file import Declared, RevisionFile
from work_data_hub.errors import HistoryError, RefusedError

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


def history(*declared: Declared) -> History:
    return History([RevisionFile(f"/v/{each.revision}_x.py", "", each) for each in declared])


def moved(found: History, *mine: str) -> list[tuple[str, str, str]]:
    return [
        (each.revision, each.new_revision, each.new_parent) for each in plan_moves(found, mine, NOW)
    ]


def test_a_chain_gets_new_times_in_its_order() -> None:
    found = history(
        Declared("20260101_0000"),
        Declared("20260103_0000", ("20260102_0000",)),
        Declared("20260102_0000", ("20260101_0000",)),
        Declared("20260102_0001", ("20260101_0000",)),
    )
    assert moved(found, "20260102_0000", "20260103_0000") == [
        ("20260102_0000", "20260301_1200", "20260102_0001"),
        ("20260103_0000", "20260301_120030", "20260301_1200"),
    ]


def test_a_fork_and_a_merge_among_ones_own_become_one_line() -> None:
    found = history(
        Declared("a"),
        Declared("theirs", ("a",)),
        Declared("b", ("a",)),
        Declared("c", ("a",)),
        Declared("m", ("b", "c", "theirs")),
    )
    assert moved(found, "m", "c", "b") == [("b", "b", "theirs"), ("c", "c", "b"), ("m", "m", "c")]


def test_what_stands_on_top_already_is_left_alone() -> None:
    found = history(Declared("a"), Declared("b", ("a",)), Declared("c", ("a",)))
    assert moved(history(Declared("a"), Declared("b", ("a",))), "b") == []
    assert moved(found, "b", "c") == [("c", "c", "b")]


def test_new_ids_are_later_than_a_colleagues_whose_clock_is_ahead() -> None:
    found = history(
        Declared("20260101_0000"),
        Declared("20260401_000000", ("20260101_0000",)),
        Declared("20260102_0000", ("20260101_0000",)),
    )
    assert moved(found, "20260102_0000") == [("20260102_0000", "20260401_0001", "20260401_000000")]


def test_of_several_branches_it_is_the_one_that_they_grew_from() -> None:
    left = (Declared("a", branch_labels=("left",)), Declared("b", ("a",)), Declared("mine", ("a",)))
    found = history(*left, Declared("x", branch_labels=("right",)))
    assert moved(found, "mine") == [("mine", "mine", "b")]


def test_several_heads_of_the_others_are_theirs_to_join() -> None:
    found = history(
        Declared("a"), Declared("b", ("a",)), Declared("c", ("a",)), Declared("d", ("a",))
    )
    with pytest.raises(HistoryError, match="several heads themselves: b, c"):
        plan_moves(found, {"d"}, NOW)
    with pytest.raises(HistoryError, match="no revision that yours could be put on"):
        plan_moves(found, {"a", "b", "c", "d"}, NOW)


def test_a_revision_that_others_build_on_stays() -> None:
    found = history(Declared("a"), Declared("b", ("a",)), Declared("c", (), ("b",)))
    with pytest.raises(RefusedError, match="c builds on b"):
        plan_moves(found, {"b"}, NOW)
    named = history(Declared("a"), Declared("x", branch_labels=("right",)))
    with pytest.raises(RefusedError, match="begins the branch right"):
        plan_moves(named, {"x"}, NOW)
