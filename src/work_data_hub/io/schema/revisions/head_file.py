"""Keeps the head file beside ``versions/`` true (see ``domain.revisions.head_file``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from work_data_hub.domain.revisions.head_file import NAME, read_heads, write_heads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from work_data_hub.domain.revisions.head_file import HeadFile


def head_file_of(script_folder: str | Path) -> Path:
    """Return where the head file of a project is, whether or not it is there."""
    return Path(script_folder) / NAME


def read_head_file(path: Path) -> HeadFile | None:
    """Return what a head file says; None when there is none.

    Raises:
        OSError: it is there and cannot be read.
    """
    try:
        return read_heads(path.read_text(encoding="utf-8-sig", errors="replace"))
    except FileNotFoundError:
        return None


def write_head_file(path: Path, heads: Iterable[str]) -> None:
    """Make the head file say these heads; one that does already is left alone.

    Raises:
        OSError: it cannot be written.
    """
    text = write_heads(heads)
    try:
        is_true = path.read_text(encoding="utf-8", errors="replace") == text
    except FileNotFoundError:
        is_true = False
    if not is_true:
        path.write_text(text, encoding="utf-8", newline="\n")
