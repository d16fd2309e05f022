"""A stream that is full, or read no more, is left: what is written to it fails no more."""

from __future__ import annotations

import os
from typing import TextIO


def abandon(out: TextIO) -> None:
    """Lead a stream of the process to nowhere: its buffer is written at the end of the process."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, out.fileno())
    os.close(nothing)
