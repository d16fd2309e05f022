"""How a run is watched: silently, by lines in a pipe, or by a live display on a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

from work_data_hub.cli import screen
from work_data_hub.cli.progress import LineProgress, Progress


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
    if not screen.is_live(err):
        return LineProgress(err)
    from work_data_hub.cli.live_progress import LiveProgress

    return LiveProgress(err)
