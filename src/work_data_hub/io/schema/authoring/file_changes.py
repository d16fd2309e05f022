"""Writes several files, all of them or none."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_SKIPPED = ".#"  # how a name begins that Alembic skips


class FileChange(NamedTuple):
    """One file that gets another content, and perhaps another name.

    Attributes:
        path: the file.
        new_path: its name afterwards.
        before: its content now; None when it is not there yet.
        after: its content afterwards.
        rights_of: a file whose rights a new one gets: it may hold a password.
    """

    path: Path
    new_path: Path
    before: bytes | None
    after: bytes
    rights_of: Path | None = None


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
    like = change.path if change.before is not None else change.rights_of
    descriptor, temporary = _private(change) if like else _ordinary(change)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(change.after)
            file.flush()
            os.fsync(file.fileno())
        if like:
            shutil.copymode(like, temporary)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _private(change: FileChange) -> tuple[int, Path]:
    descriptor, name = tempfile.mkstemp(prefix=_SKIPPED, dir=change.new_path.parent)
    return descriptor, Path(name)


def _ordinary(change: FileChange) -> tuple[int, Path]:
    """Make a file of the rights that the process gives to new ones; they cannot be asked for."""
    path = change.new_path.with_name(f"{_SKIPPED}{secrets.token_hex(8)}")
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), path


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
