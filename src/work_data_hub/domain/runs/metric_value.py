"""The value of a metric, as far as its column can hold it."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from work_data_hub.errors import UsageError

_PLACES = Decimal("0.0001")
# NUMERIC(20, 4): sixteen digits before the point.
_TOO_LARGE = Decimal(10) ** 16


def metric_value(value: Any) -> Decimal | None:
    """Return a number, rounded to four places; None for one that is not measurable.

    That is None itself, NaN, infinity, and what has more than 16 digits before the point.

    Args:
        value: a number of Python, of numpy, or a Decimal.

    Raises:
        UsageError: it is no number.
    """
    if value is None:
        return None
    try:
        number = Decimal(str(int(value) if isinstance(value, bool) else value))
    except InvalidOperation:
        raise UsageError(
            f"a metric is a number, not {type(value).__name__}",
            hint='give what else there is to say by name: run.metric("late", 3, of="orders")',
        ) from None
    if not number.is_finite() or abs(number) >= _TOO_LARGE:
        return None
    rounded = number.quantize(_PLACES, ROUND_HALF_UP)
    return rounded if abs(rounded) < _TOO_LARGE else None
