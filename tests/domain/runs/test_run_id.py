from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from work_data_hub.domain.runs.run_id import (
    LONGEST_BEAT_SECONDS,
    RANDOM_BITS,
    beat_of,
    new_run_id,
)

TIMES = st.integers(0, (1 << 48) - 1)
RANDOM = st.integers(0, (1 << RANDOM_BITS) - 1)


@given(st.integers(1, LONGEST_BEAT_SECONDS), TIMES, RANDOM)
def test_an_id_says_how_quick_the_heart_beats(beat: int, now_ms: int, random: int) -> None:
    found = new_run_id(beat, now_ms, random)
    assert found.version == 8
    assert found.variant == "specified in RFC 4122"
    assert found.int >> 80 == now_ms
    assert beat_of(UUID(str(found))) == timedelta(seconds=beat)


# The last millisecond that an id has room for, in the year 10889, has none behind it.
@given(st.integers(0, (1 << 48) - 2), RANDOM)
def test_ids_grow_with_time(now_ms: int, random: int) -> None:
    assert new_run_id(15, now_ms, random) < new_run_id(15, now_ms + 1, 0)


def test_an_id_that_somebody_else_made_has_no_heartbeat() -> None:
    assert beat_of(uuid4()) is None
    assert beat_of(UUID("55555555-5555-4555-8555-555555555555")) is None
    assert beat_of(UUID("55555555-5555-8555-8555-555555555555")) is None


@pytest.mark.parametrize("beat", [0, -1, LONGEST_BEAT_SECONDS + 1])
def test_a_beat_that_does_not_fit_is_refused(beat: int) -> None:
    with pytest.raises(ValueError, match="no number of seconds"):
        new_run_id(beat, 0, 0)
