"""The ids that ``record_run`` gives: they say that a run has a heartbeat, and how quick it is.

A UUID of version 8 (RFC 9562, 5.8: the free one): 48 bits of the time in milliseconds, so that ids
grow; 12 bits of the seconds between two beats; 16 bits that are always the same; 46 random ones. A
run that was written by hand has another version, beats never, and is never taken for dead.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

LONGEST_BEAT_SECONDS = 0xFFF
RANDOM_BITS = 46
_MARK = 0x5D48
_VERSION = 8
_VARIANT = 0b10


def new_run_id(beat_seconds: int, now_ms: int, random: int) -> UUID:
    """Return an id.

    Args:
        beat_seconds: between two beats, 1 to 4095.
        now_ms: milliseconds since 1970.
        random: a number of ``RANDOM_BITS`` bits.

    Raises:
        ValueError: when the beat is none.
    """
    if not 1 <= beat_seconds <= LONGEST_BEAT_SECONDS:
        raise ValueError(f"{beat_seconds} is no number of seconds from 1 to {LONGEST_BEAT_SECONDS}")
    fields = ((_VERSION, 4), (beat_seconds, 12), (_VARIANT, 2), (_MARK, 16), (random, RANDOM_BITS))
    whole = now_ms & 0xFFFFFFFFFFFF
    for value, bits in fields:
        whole = whole << bits | value
    return UUID(int=whole)


def beat_of(run_id: UUID) -> timedelta | None:
    """Return the time between two beats of a run; None for one that does not beat."""
    is_ours = run_id.version == _VERSION and run_id.int >> RANDOM_BITS & 0xFFFF == _MARK
    seconds = run_id.int >> 64 & LONGEST_BEAT_SECONDS
    return timedelta(seconds=seconds) if is_ours and seconds else None
