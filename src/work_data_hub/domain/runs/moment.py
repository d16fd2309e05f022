"""Moments as people write them: a day, a time, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from work_data_hub.errors import UsageError

_AGO = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment_of(text: str, now: datetime) -> datetime:
    """Return the moment that is meant, in UTC.

    Args:
        text: such as ``90m``, ``24h``, ``7d``, ``2w`` (ago), ``2026-03-01``, or
            ``2026-03-01T08:00+02:00``; without a zone it is UTC.
        now: the present.

    Raises:
        UsageError: nobody could tell.
    """
    try:
        if found := _AGO.fullmatch(text.strip()):
            return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is no moment",
            hint="write how long ago (90m, 24h, 7d, 2w), a day (2026-03-01), or a time"
            " (2026-03-01T08:00+02:00; UTC where no zone is given)",
        ) from None
