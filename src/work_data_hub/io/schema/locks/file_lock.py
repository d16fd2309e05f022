"""The run lock on SQLite: an operating-system lock on a file beside the database.

BEGIN IMMEDIATE excludes other writers for one revision; between two of them another run could
begin. The lock covers the whole run, and the system frees it when its holder dies.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from work_data_hub.errors import DatabaseUnavailableError, LockTimeoutError
from work_data_hub.io.schema.record.runner import this_runner

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        # One byte far behind the content, which others must be able to read.
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


# What the system says when somebody else has the lock; anything else means that it cannot lock.
_HELD = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}
_FLAGS = os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class FileLock:
    """See the module.

    Args:
        database: the file of the database; links are followed, so that every name of a file
            means one lock.
    """

    def __init__(self, database: Path) -> None:
        resolved = database.resolve()
        self._path = resolved.with_name(f"{resolved.name}.lock")
        self._descriptor: int | None = None

    def try_to_take(self) -> bool:
        """Take the lock if it is free, and write down who has it.

        Raises:
            DatabaseUnavailableError: the file cannot be opened, or not be locked where it is.
        """
        if self._descriptor is None:
            self._descriptor = self._open()
        try:
            _lock(self._descriptor)
        except OSError as error:
            if error.errno in _HELD:
                return False
            raise self._cannot("lock", error) from error
        if not self._is_still_there():
            # It was deleted or replaced: whoever comes next would lock another one.
            self.release()
            return False
        self._introduce()
        return True

    def holder(self) -> str:
        """Say who holds the lock, as it wrote it down."""
        try:
            found = json.loads(self._path.read_bytes())
            since = datetime.fromisoformat(found["since"])
            seconds = max(0.0, time.time() - since.timestamp())
            return (
                f"{found['user']}@{found['host']}, process {found['process']},"
                f" since {found['since']} ({seconds:.0f} s)"
            )
        except (OSError, ValueError, KeyError, TypeError):
            return "it has just begun"

    def verify(self) -> None:
        """Look whether the file is still the one that is locked.

        Raises:
            LockTimeoutError: it was deleted, so that another run could begin beside this one.
        """
        if not self._is_still_there():
            raise LockTimeoutError(
                f"the run lock was lost: {self._path} was deleted",
                hint="leave that file where it is while anything runs, then run again",
            )

    def release(self) -> None:
        """Free it; closing the file does."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        try:
            try:
                return os.open(self._path, os.O_RDWR | _FLAGS, 0o666)
            except PermissionError:
                # Of another user, who may not have let us write to it: to lock it we need not.
                return os.open(self._path, os.O_RDONLY | _FLAGS)
        except OSError as error:
            raise self._cannot("open", error) from error

    def _cannot(self, verb: str, error: OSError) -> DatabaseUnavailableError:
        folder = self._path.parent
        if not folder.is_dir():
            hint = f"create the folder {folder}, or let `wdh db create` do it"
        elif error.errno == errno.ELOOP:
            hint = "it is a link, which is not followed: remove it"
        elif self._path.exists() and verb == "open":
            hint = f"it belongs to somebody else: let others read it (chmod a+r {self._path})"
        elif verb == "open":
            hint = "choose a folder that you may write to; a change needs its lock file there"
        else:
            hint = "its file system cannot lock; put the database on a disk of this machine"
        name = errno.errorcode.get(error.errno or 0, "unknown")
        return DatabaseUnavailableError(
            f"cannot {verb} the lock file {self._path}: {error.strerror} ({name})", hint=hint
        )

    def _is_still_there(self) -> bool:
        assert self._descriptor is not None
        ours = os.fstat(self._descriptor)
        try:
            there = self._path.lstat()
        except OSError:
            return False
        return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)

    def _introduce(self) -> None:
        """Write down who has the lock, into a file that is ours: a courtesy, nothing more."""
        assert self._descriptor is not None
        runner = this_runner()
        holder = {
            "user": runner.os_user,
            "host": runner.host,
            "process": os.getpid(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with contextlib.suppress(OSError):  # read-only to us, or the disk is full
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            if _is_ours(os.read(self._descriptor, _LONGEST)):
                os.truncate(self._descriptor, 0)
                os.lseek(self._descriptor, 0, os.SEEK_SET)
                os.write(self._descriptor, json.dumps(holder).encode())


_LONGEST = 10_000


def _is_ours(content: bytes) -> bool:
    """Whether a file was written by us, or by nobody: `poetry.lock` beside `poetry` is not ours."""
    if not content:
        return True
    try:
        found = json.loads(content)
    except ValueError:
        return False
    return isinstance(found, dict) and found.keys() == {"user", "host", "process", "since"}
