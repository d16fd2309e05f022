"""How a run is watched: silently, by lines in a pipe, or by a live display on a terminal."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator


from work_data_hub.cli.progress import LineProgress, Progress

# What shows no more than lines (terminfo's name, and what editors and CI call themselves).
_ONLY_LINES = {"", "dumb", "unknown"}


@contextmanager
def watched(*, is_quiet: bool) -> Iterator[Progress]:
    """Show how a run goes, on standard error, for the block."""
    progress = _progress(sys.stderr, is_quiet=is_quiet)
    try:
        yield progress
    finally:
        progress.close()


def _progress(err: TextIO, *, is_quiet: bool) -> Progress:
    if is_quiet:
        return Progress()
    if not err.isatty() or os.environ.get("TERM", "") in _ONLY_LINES:
        return LineProgress(err)
    from work_data_hub.cli.live_progress import LiveProgress

    return LiveProgress(err)
