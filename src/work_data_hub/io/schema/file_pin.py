"""The pin of a SQLite file: what its copy cannot inherit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def file_pin(file: Path) -> str:
    """Return what tells a SQLite file from its copy: a copy is another inode."""
    return f"sqlite:{file.stat().st_ino}"
