"""What a stream can show: how wide, whether lines can change, whether there is colour.

The one place that decides it. rich decides the same things its own way, so it is told.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_USUAL_COLUMNS = 80
# What shows no more than lines (terminfo's name, and what editors and CI call themselves).
_ONLY_LINES = {"", "dumb", "unknown"}


def columns(stream: TextIO) -> int:
    """Return how wide a stream is: what COLUMNS says, else its terminal's width, else 80."""
    told = os.environ.get("COLUMNS", "")
    # Found out without shutil, which costs more than all the rest of a quick answer.
    if told.isdecimal() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_COLUMNS
    except (AttributeError, ValueError, OSError):
        return _USUAL_COLUMNS


def is_live(stream: TextIO) -> bool:
    """Whether what a stream shows can be changed again: a terminal that is not a dumb one."""
    return stream.isatty() and os.environ.get("TERM", "") not in _ONLY_LINES


def has_colour(stream: TextIO) -> bool:
    """Whether a stream shows colour, and nobody said no to it (https://no-color.org)."""
    return is_live(stream) and not os.environ.get("NO_COLOR")


def console(stream: TextIO) -> Console:
    """Return rich's console of a stream, as is decided here."""
    from rich.console import Console

    return Console(
        file=stream,
        width=columns(stream),
        force_terminal=is_live(stream),
        # rich's `no_color` leaves bold, underlines and links: nobody asked for those either.
        color_system="auto" if has_colour(stream) else None,
        legacy_windows=False,
        highlight=False,
        emoji=False,
        markup=False,
    )


def styled(text: str, style: str, stream: TextIO) -> str:
    """Return a text as a stream shows it in rich's style; unchanged where it has no colour."""
    if not text or not has_colour(stream):
        return text
    from rich.color import ColorSystem
    from rich.style import Style

    return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)


def cut(text: str, stream: TextIO) -> str:
    """Return a line no wider than a terminal, with an ellipsis; whole where nothing is cut off.

    It is cut before it has a style.
    """
    width = columns(stream)
    return text if not is_live(stream) or len(text) <= width else f"{text[: width - 1]}…"


def duration(seconds: float) -> str:
    """Return a length of time in few letters: 12 s, 2:05 min, 1:02:05 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02} min"
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02} h"
