"""One statement of a mend, with what there is to know of it."""

from __future__ import annotations

from typing import NamedTuple


class Step(NamedTuple):
    """One statement, or without one only a note.

    Attributes:
        sql: without a semicolon.
        loses_data: values go with it, or may become others.
        is_alone: it is committed by itself.
        note: one line for people.
    """

    sql: str = ""
    loses_data: bool = False
    is_alone: bool = False
    note: str = ""
