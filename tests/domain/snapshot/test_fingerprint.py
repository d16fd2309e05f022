"""What is kept of a schema tells what was lost of it, and does not mind what has come to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from work_data_hub.domain.snapshot.fingerprint import Likeness, closest, fingerprint_of, parts_of
from work_data_hub.domain.snapshot.schema import SchemaObject, Snapshot

ORDERS = SchemaObject("table", "public.orders", {}, "", "public.orders")
ID = SchemaObject("column", "public.orders.id", {"type": "integer"}, "public.orders", "id")
NAME = SchemaObject("column", "public.orders.name", {"type": "text"}, "public.orders", "name")
MOOD = SchemaObject("enum", "public.mood", {"labels": ("sad", "ok")}, "", "public.mood")


def lost(before: list[SchemaObject], after: list[SchemaObject]) -> int | None:
    one, other = Snapshot("postgresql", before), Snapshot("postgresql", after)
    return fingerprint_of(one).lost_since(fingerprint_of(other))


def test_nothing_is_lost_of_what_is_the_same_in_another_order() -> None:
    assert lost([ORDERS, ID, NAME, MOOD], [MOOD, ORDERS, NAME, ID]) == 0


def test_what_has_come_to_it_does_not_count() -> None:
    more = SchemaObject("table", "public.more", {})
    assert lost([ORDERS, ID], [ORDERS, ID, MOOD, more]) == 0
    assert lost([], [ORDERS]) == 0


@pytest.mark.parametrize(
    "after",
    [
        [ORDERS, ID, NAME],
        [ORDERS, ID, NAME, SchemaObject("enum", "public.mood", {"labels": ("ok", "sad")})],
        [ORDERS, ID, MOOD],
        [ORDERS, ID, replace(NAME, properties={"type": "varchar(9)"}), MOOD],
        [replace(ORDERS, properties={"comment": "x"}), ID, NAME, MOOD],
    ],
)
def test_what_is_another_or_gone_counts_with_its_table(after: list[SchemaObject]) -> None:
    assert lost([ORDERS, ID, NAME, MOOD], after) == 1


def test_what_is_lost_is_counted_by_object() -> None:
    assert lost([ORDERS, ID, NAME, MOOD], []) == 2


def test_of_several_that_are_as_close_the_newest_counts() -> None:
    found = parts_of(Snapshot("postgresql", [ORDERS, ID]))
    assert closest({"1": found, "2": found, "3": ""}, found) == Likeness("2", 0, 0)
    assert closest({}, found) == Likeness("base", 0, 2)


def test_a_column_that_is_another_makes_no_other_table_of_it() -> None:
    wanted = parts_of(Snapshot("postgresql", [ORDERS, ID, NAME]))
    other = replace(NAME, properties={"type": "integer"})
    found = parts_of(Snapshot("postgresql", [ORDERS, ID, other, MOOD]))
    assert closest({"1": "", "2": wanted}, found) == Likeness("2", 1, 2)


def test_two_formats_say_nothing_about_each_other() -> None:
    old = fingerprint_of(Snapshot("sqlite", [ORDERS]))
    newer = old._replace(whole=old.whole.replace("1:", "2:", 1))
    assert old.lost_since(newer) is None


def test_what_was_left_out_is_not_taken_for_lost() -> None:
    before = fingerprint_of(Snapshot("sqlite", [ORDERS, MOOD]))
    after = fingerprint_of(Snapshot("sqlite", [ORDERS]), ["enum mood"])
    assert before.lost_since(after) is None
    assert after.lost_since(fingerprint_of(Snapshot("sqlite", []), ["enum mood"])) == 1
