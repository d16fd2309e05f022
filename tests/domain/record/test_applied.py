"""What the journal says was applied."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from work_data_hub.domain.record.applied import applied_rows


class Row(NamedTuple):
    revision: str
    direction: str
    outcome: str = "done"
    checksum: str | None = "1:x"
    digest: str | None = "d"


def applied(*rows: Row, since_last_stamp: bool = False) -> dict[str, str | None]:
    found = applied_rows(rows, since_last_stamp=since_last_stamp)
    return {revision: row.checksum for revision, row in found.items()}


@pytest.mark.parametrize("direction", ["upgrade", "adopt", "accept"])
def test_what_was_applied_adopted_or_accepted_counts(direction: str) -> None:
    assert applied(Row("a", direction)) == {"a": "1:x"}


@pytest.mark.parametrize("direction", ["stamp", "record", "seed"])
def test_what_is_no_revision_that_ran_does_not(direction: str) -> None:
    assert applied(Row("a", direction)) == {}


def test_a_failed_attempt_changes_nothing() -> None:
    assert applied(Row("a", "upgrade", "failed")) == {}
    assert applied(Row("a", "upgrade"), Row("a", "downgrade", "failed")) == {"a": "1:x"}
    edited = Row("a", "upgrade", "failed", "1:edited")
    assert applied(Row("a", "upgrade"), edited) == {"a": "1:x"}


def test_what_was_taken_back_does_not_count() -> None:
    assert applied(Row("a", "upgrade"), Row("a", "downgrade")) == {}
    again = Row("a", "upgrade", checksum="1:again")
    assert applied(Row("a", "upgrade"), Row("a", "downgrade"), again) == {"a": "1:again"}


def test_a_vanished_file_that_was_accepted_does_not_count() -> None:
    assert applied(Row("a", "upgrade"), Row("a", "accept", checksum=None, digest=None)) == {}


def test_the_last_stamp_counts_and_no_failed_one() -> None:
    rows = (
        Row("a", "upgrade"),
        Row("base", "stamp"),
        Row("b", "upgrade"),
        Row("base", "stamp"),
        Row("c", "upgrade"),
        Row("base", "stamp", "failed"),
    )
    assert applied(*rows, since_last_stamp=True) == {"c": "1:x"}
    assert applied(*rows).keys() == {"a", "b", "c"}
