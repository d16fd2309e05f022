"""What is kept of an error that ended a run: what it says, where, and what it came from.

It has no secrets that can be told, no lines of source (which may hold them), and an end.
"""

from __future__ import annotations

import traceback
from pathlib import PurePath
from typing import TYPE_CHECKING

from work_data_hub.domain.runs.entry import clean
from work_data_hub.io.schema.drivers import is_of_driver
from work_data_hub.io.schema.engine import said
from work_data_hub.redaction import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_DETAILS = 4000
_LONGEST_MESSAGE = 1000
_FRAMES = 5
_DEEPEST = 5
_PARTS = 10


def details_of(error: BaseException) -> str:
    """Return what is kept of an error, in lines: the error first, then what it came from."""
    text = clean(without_secrets("\n".join(_told(error, 0))))
    return text if len(text) <= LONGEST_DETAILS else f"{text[: LONGEST_DETAILS - 1]}…"


def _told(error: BaseException, depth: int) -> Iterator[str]:
    yield f"{type(error).__name__}: {_message(error)}"
    yield from _places(error)
    if depth == _DEEPEST:
        return
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions[:_PARTS]:
            first, *rest = _told(part, depth + 1)
            yield f"with {first}"
            yield from rest
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        first, *rest = _told(cause, depth + 1)
        yield f"from {first}"
        yield from rest


def _message(error: BaseException) -> str:
    try:
        # A driver's further lines show the statement and its values.
        is_statement = hasattr(error, "statement") or is_of_driver(error)
        text = said(error) if is_statement else str(error)
    except Exception:  # the program's own __str__ may raise anything
        return "(what it says cannot be read)"
    text = without_secrets(text)  # before it is cut: the half of a secret could not be told
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[: _LONGEST_MESSAGE - 1]}…"


def _places(error: BaseException) -> Iterator[str]:
    for frame, line in reversed([*traceback.walk_tb(error.__traceback__)][-_FRAMES:]):
        code = frame.f_code
        yield f"  at {PurePath(code.co_filename).name}:{line} in {code.co_name}"
