"""The run lock on SQLite: an operating-system lock on a file beside the database.

BEGIN IMMEDIATE excludes other writers for one revision; between two of them another run could
begin. The lock covers the whole run, and the system frees it when its holder dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from work_data_hub.errors import DatabaseUnavailableError
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
        """Take the lock if it is free, and write down who has it."""
        if self._descriptor is None:
            self._descriptor = self._open()
        try:
            _lock(self._descriptor)
        except OSError:
            return False
        runner = this_runner()
        since = datetime.now(UTC).isoformat(timespec="seconds")
        holder = {
            "user": runner.os_user,
            "host": runner.host,
            "process": os.getpid(),
            "since": since,
        }
        self._write(json.dumps(holder).encode())
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
        """It is held until this process ends or releases it."""

    def release(self) -> None:
        """Forget who held the lock and free it; closing the file does."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            folder = self._path.parent
            if not folder.is_dir():
                hint = f"create the folder {folder}, or run scripts/db_setup.py, which does"
            else:
                hint = "choose a folder that you may write to; a change needs its lock file there"
            raise DatabaseUnavailableError(
                f"cannot open the lock file {self._path}: {error.strerror}", hint=hint
            ) from error

    def _write(self, content: bytes) -> None:
        assert self._descriptor is not None
        with contextlib.suppress(OSError):  # who holds it is a courtesy, a full disk no reason
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.truncate(self._descriptor, 0)
            os.write(self._descriptor, content)
