"""Spool files: what a run said while its database was away, until somebody loads it.

One file for each run, of lines: first which database it belongs to, then entries. Who writes or
loads a file has it locked, and the system frees the lock when its holder dies: a file that can be
locked is nobody's. A line counts when its end is there; entries may be loaded twice.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from work_data_hub.config import get_settings
from work_data_hub.domain.runs.entry import entry_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from work_data_hub.domain.runs.entry import Entry

FORMAT = 1
SUFFIX = ".runs.jsonl"
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_HELD = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}


class Content(NamedTuple):
    """What a spool file says.

    Attributes:
        database: the label of its database (``RunDatabase.label``); None for a file of others.
        entries: in the order in which they were said.
        unreadable: how many lines are none.
    """

    database: str | None
    entries: Sequence[Entry]
    unreadable: int


def spool_folder() -> Path:
    """Return the folder of the spool files, which the settings name."""
    return Path(get_settings().run_spool).expanduser().absolute()


def spool_files(folder: Path) -> list[Path]:
    """Return the spool files that are there, the oldest run first.

    Raises:
        OSError: the folder cannot be read.
    """
    return sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []


class SpoolFile:
    """A spool file that is locked, and so this process's alone, until it is closed."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def of_run(cls, run_id: str, database: str) -> Self:
        """Return the file of a run, made where it is not there; only its owner may read it.

        Args:
            run_id: the run.
            database: its database's label.

        Raises:
            OSError: it cannot be made, or is in use.
        """
        folder = spool_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = cls.locked(folder / f"{run_id}{SUFFIX}", create=True)
        if file is None:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        file.begin(database)
        return file

    @classmethod
    def locked(cls, path: Path, *, create: bool = False) -> Self | None:
        """Return a file, locked; None when somebody else has it, or has loaded it meanwhile.

        Raises:
            OSError: it cannot be opened or locked.
        """
        while True:
            try:
                descriptor = os.open(path, _FLAGS | (os.O_CREAT if create else 0), 0o600)
            except FileNotFoundError:
                if create:
                    raise
                return None
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_there = _is_file_of(descriptor, path)
            except OSError as error:
                os.close(descriptor)
                if error.errno in _HELD:
                    return None
                raise
            if is_there:
                return cls(path, descriptor)
            # It was loaded and removed after we had opened it.
            os.close(descriptor)
            if not create:
                return None

    def begin(self, database: str) -> None:
        """Say in an empty file what it is, and of which database; one that says it stays.

        Raises:
            OSError: it could not be added.
        """
        if os.fstat(self._descriptor).st_size == 0:
            self._append({"format": FORMAT, "database": database})

    def append(self, entry: Entry) -> None:
        """Add an entry, and see that it is on the disk.

        Raises:
            OSError: it could not be added.
        """
        self._append(entry._asdict())

    def content(self) -> Content:
        """Return what it says.

        Raises:
            OSError: it cannot be read.
        """
        # By the descriptor: somebody may have removed the file.
        size = os.fstat(self._descriptor).st_size
        text = os.pread(self._descriptor, size, 0).decode("utf-8", "replace")
        # What is behind the last end of a line was never acknowledged.
        first, *lines = text.split("\n")[:-1] or [""]
        entries, unreadable = [], 0
        for line in lines:
            try:
                entries.append(entry_of(line))
            except ValueError:
                unreadable += 1
        return Content(_database_of(first), entries, unreadable)

    def remove(self) -> None:
        """Take the file away: all that it says was loaded.

        Raises:
            OSError: it cannot be taken away; then it is loaded again, which does no harm.
        """
        self.path.unlink(missing_ok=True)

    def set_aside(self) -> Path:
        """Keep what could not be read under another name, and return that.

        Raises:
            OSError: it cannot be renamed.
        """
        aside = self.path.with_name(f"{self.path.name}.damaged")
        return self.path.rename(aside)

    def close(self) -> None:
        """Free the file, and leave it where it is."""
        # Closing alone would leave it locked as long as a forked child has it open.
        with suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)

    def _append(self, said: object) -> None:
        line = f"{json.dumps(said)}\n".encode()
        before = os.fstat(self._descriptor).st_size
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
            os.fsync(self._descriptor)
        except OSError:
            # The half of a line would spoil the next one.
            with suppress(OSError):
                os.ftruncate(self._descriptor, before)
            raise


def _is_file_of(descriptor: int, path: Path) -> bool:
    ours = os.fstat(descriptor)
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)


def _database_of(line: str) -> str | None:
    try:
        found = json.loads(line)
        return str(found["database"]) if found["format"] == FORMAT else None
    except (ValueError, KeyError, TypeError):
        return None
