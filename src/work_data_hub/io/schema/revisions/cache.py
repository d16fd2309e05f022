"""Remembers what was read from a project's files, in one file in the user's cache folder.

A cache is never needed: one that cannot be read, is of another version, was damaged, or belongs
to somebody else is no cache. It decides what a database lacks, so only its owner may write it.
"""

from __future__ import annotations

import marshal
import os
import time
from binascii import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# To be raised with every change of what is stored or of how a file is understood.
VERSION = 5
_MARSHAL_FORMAT = 2
_KEPT_PROJECTS = 64
# The coarsest clock of a file system that is in use (FAT: 2 seconds).
_TICK_NS = 2_000_000_000
_PREFIX = "revision-files-"
Stamp = tuple[int, int, int, int]


def stamp(status: os.stat_result) -> Stamp:
    """Return what changes when a file does: its size, its times in nanoseconds, its inode.

    The time of change is there because nobody can set it: images and archives are built with
    equal modification times, and a file of the same size may have replaced this one.
    """
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def is_settled(seen: Stamp, now_ns: int) -> bool:
    """Whether a later change is sure to show in the stamp.

    A file that was changed in the tick of the clock in which it was read can be changed again
    without another stamp (git calls that racily clean).

    Args:
        seen: the stamp that was taken before the file was read.
        now_ns: the time before that, in nanoseconds since the epoch.
    """
    return max(seen[1], seen[2]) + _TICK_NS < now_ns


class RevisionCache:
    """What is remembered of one project.

    Args:
        key: the absolute paths of the project's configuration.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._path = _cache_file(key)
        self._kept: dict[str, tuple[Stamp, Any]] = {}
        self._known = self._load()
        self._is_changed = False
        self._now_ns = time.time_ns()

    def get(self, name: str, seen: Stamp) -> Any:
        """Return what is remembered of a file with this stamp; None when nothing is."""
        entry = self._known.get(name)
        if entry is None or entry[0] != seen:
            return None
        self._kept[name] = entry
        return entry[1]

    def keep(self, name: str) -> None:
        """Go on remembering what is not asked for this time."""
        if name in self._known:
            self._kept[name] = self._known[name]

    def put(self, name: str, seen: Stamp, value: Any) -> None:
        """Remember plain data of a file, if a later change of the file would show."""
        if is_settled(seen, self._now_ns):
            self._kept[name] = (seen, value)
            self._is_changed = True

    def save(self) -> None:
        """Write what was read in this process, if any of it is new; never fails."""
        if not self._is_changed or self._path is None:
            return
        body = marshal.dumps((self._key, self._kept), _MARSHAL_FORMAT)
        temporary = f"{self._path}.{os.getpid()}"
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                file.write(_header(body) + body)
            os.replace(temporary, self._path)
            _forget_old_projects(os.path.dirname(self._path))
        except OSError:
            _remove(temporary)

    def _load(self) -> dict[str, tuple[Stamp, Any]]:
        if self._path is None:
            return {}
        try:
            with open(self._path, "rb") as file:
                if not is_only_ours(os.fstat(file.fileno())):
                    return {}
                text = file.read()
            body = text[len(_header(b"")) :]
            # marshal is fast and trusts its input: the sum says that it is what we wrote.
            if not text.startswith(_header(body)):
                return {}
            key, known = marshal.loads(body)  # noqa: S302  # as just said
        except (OSError, EOFError, ValueError, TypeError):
            return {}
        return known if key == self._key and isinstance(known, dict) else {}


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


def _header(body: bytes) -> bytes:
    return b"wdh %04d %08x\n" % (VERSION, crc32(body))


def is_only_ours(status: os.stat_result) -> bool:
    """Whether nobody else may have written the file (Windows keeps others out by its folders)."""
    if not hasattr(os, "getuid"):
        return True
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def _cache_file(key: str) -> str | None:
    folder = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(folder):  # its specification: anything else is to be ignored
        folder = os.path.join(os.path.expanduser("~"), ".cache")
    if not os.path.isabs(folder):
        return None
    name = f"{_PREFIX}{crc32(os.fsencode(key)):08x}"
    return os.path.join(folder, "work-data-hub", name)


def _forget_old_projects(folder: str) -> None:
    """Keep the caches that were written last: projects come and go, and test runs make many."""
    with os.scandir(folder) as entries:
        caches = [entry for entry in entries if entry.name.startswith(_PREFIX)]
    if len(caches) > _KEPT_PROJECTS:
        caches.sort(key=lambda entry: entry.stat().st_mtime_ns)
        for entry in caches[:-_KEPT_PROJECTS]:
            _remove(entry.path)
