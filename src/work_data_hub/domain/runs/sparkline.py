"""A row of numbers as a row of small bars (Tufte's sparkline)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

_BARS = "▁▂▃▄▅▆▇█"
_GAP = " "


def sparkline(values: Sequence[Decimal | None]) -> str:
    """Return a bar for each value, from the least to the greatest of them; a gap for None."""
    known = [value for value in values if value is not None]
    least, span = min(known, default=0), max(known, default=0) - min(known, default=0)
    top = len(_BARS) - 1
    return "".join(
        _GAP if value is None else _BARS[int((value - least) / span * top) if span else top // 2]
        for value in values
    )
