from __future__ import annotations

from datetime import UTC, datetime

import pytest

from work_data_hub.domain.revisions.naming import (
    RevisionName,
    file_description,
    is_revision_id,
    new_revision_id,
    parse_file_name,
)

NOON = datetime(2026, 2, 28, 12, 30, 59, tzinfo=UTC)


def test_the_id_is_the_time_part_of_the_name() -> None:
    assert parse_file_name("20251113_000001_create_core_tables.py") == RevisionName(
        "20251113_000001", "create_core_tables"
    )
    assert parse_file_name("20251113_0930_add_orders.py") == RevisionName(
        "20251113_0930", "add_orders"
    )


@pytest.mark.parametrize(
    "name",
    [
        "create_core_tables.py",
        "20251113_create.py",
        "20251113_09301_five_digits.py",
        "20251332_0930_no_such_day.py",
        "20251113_2560_no_such_time.py",
        "20251113_0930.py",
        "20251113_0930_Upper_Case.py",
        "20251113_0930_text.txt",
        "20251113_0930_with-dash.py",
    ],
)
def test_other_names_do_not_follow_the_rule(name: str) -> None:
    assert parse_file_name(name) is None


@pytest.mark.parametrize(
    ("message", "description"),
    [
        ("Describe change!", "describe_change"),
        ("größe ändern: ß & é", "grosse_andern_ss_e"),
        ('it\'s 100% \\ "done"', "it_s_100_done"),
        ("!!!", ""),
        ("Ж", ""),
        ("x" * 300, "x" * 60),
        ("word " * 50, "_".join(["word"] * 12)),
    ],
)
def test_a_message_becomes_a_name_that_follows_the_rule(message: str, description: str) -> None:
    assert file_description(message) == description
    if description:
        assert parse_file_name(f"20251113_0930_{description}.py") is not None


def test_a_new_id_has_minutes() -> None:
    assert new_revision_id(NOON, ()) == "20260228_1230"


def test_a_taken_minute_gives_seconds_and_a_taken_second_the_next_free_one() -> None:
    taken = ["20260228_1230"]
    assert new_revision_id(NOON, taken) == "20260228_123059"
    taken += ["20260228_123059", "20260228_123100"]
    assert new_revision_id(NOON, taken) == "20260228_123101"


def test_what_is_made_is_valid() -> None:
    taken: list[str] = []
    for _ in range(100):
        taken.append(new_revision_id(NOON, taken))
    assert len(set(taken)) == 100
    assert all(is_revision_id(revision) for revision in taken)
