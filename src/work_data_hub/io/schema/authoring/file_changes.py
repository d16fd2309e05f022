"""Writes several files, all of them or none."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class FileChange(NamedTuple):
    """One file that gets another content, and perhaps another name.

    Attributes:
        path: the file.
        new_path: its name afterwards.
        before: its content now; None when it is not there yet.
        after: its content afterwards.
    """

    path: Path
    new_path: Path
    before: bytes | None
    after: bytes


def write_all(changes: Sequence[FileChange]) -> None:
    """Make every change, or leave every file as it was.

    Raises:
        RefusedError: a file is not what it was when the change was planned.
        UsageError: a file cannot be written; nothing is changed then.
    """
    for change in changes:
        _refuse_when_changed(change)
    with contextlib.ExitStack() as temporaries, contextlib.ExitStack() as undoing:
        try:
            written = [temporaries.enter_context(_beside(change)) for change in changes]
            for change, temporary in zip(changes, written, strict=True):
                undoing.callback(_restore, change, _mode(change.path))
                temporary.replace(change.new_path)
            for change in changes:
                if change.new_path != change.path:
                    change.path.unlink()
        except OSError as error:
            raise UsageError(
                f"{error.strerror}: {error.filename}",
                hint="check your rights and the space; nothing was changed",
            ) from error
        undoing.pop_all()


def _refuse_when_changed(change: FileChange) -> None:
    now = change.path.read_bytes() if change.path.exists() else None
    is_taken = change.new_path != change.path and change.new_path.exists()
    if now != change.before or is_taken:
        raise RefusedError(
            f"{change.new_path if is_taken else change.path} was changed meanwhile",
            hint="run the command again",
        )


@contextlib.contextmanager
def _beside(change: FileChange) -> Iterator[Path]:
    """Lend the new content in a file beside the old one, of the same rights."""
    folder = change.new_path.parent
    descriptor, name = tempfile.mkstemp(prefix=".#", dir=folder)  # a name that Alembic skips
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(change.after)
            file.flush()
            os.fsync(file.fileno())
        if change.before is not None:
            shutil.copymode(change.path, temporary)
        else:
            temporary.chmod(0o666 & ~_umask())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _mode(path: Path) -> int:
    return path.stat().st_mode if path.exists() else 0


def _restore(change: FileChange, mode: int) -> None:
    if change.before is not None and _content(change.path) != change.before:
        change.path.write_bytes(change.before)
        change.path.chmod(mode)
    if change.new_path != change.path or change.before is None:
        change.new_path.unlink(missing_ok=True)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
