"""A word for whoever waits: what takes longer than a moment says so, where somebody listens."""

from __future__ import annotations

from contextlib import contextmanager

# Not from `typing`: a short-lived command would pay a third of its time for that import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOMENT_SECONDS = 0.4
_listener: Callable[[str], None] | None = None
_said = ""


@contextmanager
def listening(tell: Callable[[str], None]) -> Iterator[None]:
    """Have somebody told of what is waited for, for the block; another thread may call it."""
    global _listener, _said  # one process has one person before it
    before, _listener, _said = _listener, tell, ""
    try:
        yield
    finally:
        _listener = before


def say(what: str) -> None:
    """Tell what is waited for, now; the same twice is said once."""
    global _said
    if _listener is not None and what != _said:
        _said = what
        _listener(what)


@contextmanager
def told_if_slow(what: str) -> Iterator[None]:
    """Tell what is waited for, if the block takes longer than a moment."""
    if _listener is None:
        yield
        return
    from threading import Timer

    timer = Timer(MOMENT_SECONDS, say, [what])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
