from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from work_data_hub.domain.runs.entry import Entry, as_plain_data, checked_name, clean, entry_of
from work_data_hub.domain.runs.metric_value import metric_value
from work_data_hub.domain.runs.moment import moment_of
from work_data_hub.domain.runs.sparkline import sparkline
from work_data_hub.errors import UsageError

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
ROW = {"execution_id": "1", "status": "running"}


def test_an_entry_comes_back_from_its_line() -> None:
    entry = Entry(ROW, ({"metric_id": "2", "metadata": {"ä": [1, None]}},))
    assert entry_of(json.dumps(entry._asdict())) == entry


@pytest.mark.parametrize(
    "line",
    [
        *("", "{", "1", "[]", '{"run": {}, "metrics": []}', '{"run": 1, "metrics": [1]}'),
        '{"run": {"status": "running"}, "metrics": []}',
        '{"run": {"status": 1, "execution_id": "1"}, "metrics": []}',
        '{"run": {"status": "running", "execution_id": "1"}, "metrics": [{}]}',
    ],
)
def test_what_is_no_entry_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"no entry|Expecting"):
        entry_of(line)


@given(st.text())
def test_a_cleaned_text_can_be_kept_by_both_engines(text: str) -> None:
    assert "\0" not in clean(text)
    assert clean(text).encode("utf-8").decode("utf-8") == clean(text)


def test_half_characters_are_replaced() -> None:
    assert clean("a\ud800b\0c") == "a?b\ufffdc"


def test_what_json_has_no_word_for_is_its_text() -> None:
    value = {1: {2}, "path": Path("a"), "nan": float("nan"), "when": NOW, "kept": [True, 1.5, None]}
    found = as_plain_data(value)
    assert found == {
        "1": [2],
        "path": "a",
        "nan": "nan",
        "when": "2026-03-08 12:00:00+00:00",
        "kept": [True, 1.5, None],
    }
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, None, 3])
def test_a_name_that_no_column_takes_is_refused(name: Any) -> None:
    with pytest.raises(UsageError, match="the name of a metric"):
        checked_name(name, "metric", 100)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (3, "3.0000"),
        (True, "1.0000"),
        (0.00125, "0.0013"),
        (Decimal("-1.23455"), "-1.2346"),
        (10**16 - 1, "9999999999999999.0000"),
    ],
)
def test_a_metric_is_kept_with_four_places(value: float | Decimal, kept: str) -> None:
    assert str(metric_value(value)) == kept


@pytest.mark.parametrize(
    "value", [None, float("nan"), float("-inf"), 10**16, "9999999999999999.99996", Decimal("sNaN")]
)
def test_what_cannot_be_measured_or_kept_is_none(value: Any) -> None:
    assert metric_value(value) is None


@pytest.mark.parametrize("value", ["many", [], object()])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match="a metric is a number"):
        metric_value(value)


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], ""),
        ([1, 2, 3, 4, 5, 6, 7, 8], "▁▂▃▄▅▆▇█"),
        ([5, 5], "▄▄"),
        ([0, None, 7], "▁ █"),
        ([None], " "),
        ([-3, 0, 4], "▁▄█"),
    ],
)
def test_a_sparkline_has_a_bar_for_each_value(values: list[int | None], bars: str) -> None:
    assert sparkline([None if value is None else Decimal(value) for value in values]) == bars


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("2w", NOW - timedelta(weeks=2)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T08:00+02:00", datetime(2026, 3, 1, 6, tzinfo=UTC)),
        (" 2026-03-01 08:00 ", datetime(2026, 3, 1, 8, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_time_or_how_long_ago(text: str, moment: datetime) -> None:
    assert moment_of(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "7y", "-1d", "999999w", "2026-02-30", "٣d"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no moment"):
        moment_of(text, NOW)
