"""Folders that are built once and shared by every process of one user.

They live in one folder of our own:

    lock-<name>                held while that is being built
    <name>/                    built; its file `complete` says of how many entries
    building-<name>-<random>/  not finished: renamed when it is, else removed by its next build

The time of `complete` is that of the last use.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import time
from typing import TYPE_CHECKING

from work_data_hub.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# As long as the slowest migrations of a large project may take.
_LOCK_SECONDS = 3600.0
_LOCK_POLL_SECONDS = 0.02
_HOUR_SECONDS = 3600.0
_WEEK_SECONDS = 7 * 24 * 3600.0


def own_folder(folder: Path, mode: int) -> Path:
    """Make a folder that only we write to, or find the one that we made before.

    Args:
        folder: where it is; its parent exists.
        mode: its permissions, without write for group and others.

    Raises:
        MissingError: something of that name belongs to someone else or is open to others: in a
            shared folder anyone may have created it, to have us run programs of theirs.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise MissingError(
            f"{folder} is not a folder that only we can write to",
            hint="remove it, or set TMPDIR to another folder",
        )
    folder.chmod(mode)
    return folder


def built_once(
    cache: Path, name: str, build: Callable[[Path], None], *, at_most: int | None = None
) -> Path:
    """Return the folder of that name, building it unless it is there and complete.

    Processes that do this at the same time build once: the others wait. A build that is killed
    leaves nothing that is taken for finished.

    Args:
        cache: the folder from `own_folder`.
        name: of the folder, `kind-...`; whatever changes its content belongs in it.
        build: fills the empty folder that it is given.
        at_most: how many of this kind to keep: those used last, none that a week did not use.

    Raises:
        MissingError: another process held the lock for an hour.
    """
    folder = cache / name
    if find(cache, name) is not None:
        return folder
    # A lock for each: the migrations of one project may take long, and another need not wait.
    with locked(cache / f"lock-{name}"):
        if not _is_complete(folder):
            try:
                _build(folder, build)
            finally:
                # Afterwards: programs of a build that was killed may have written until now.
                for leftover in cache.glob(f"building-{name}-*"):
                    shutil.rmtree(leftover, ignore_errors=True)
            if at_most is not None:
                _prune(cache, name.split("-", 1)[0], at_most)
    return folder


def find(cache: Path, name: str) -> Path | None:
    """Return the folder of that name, where it is built; it counts as used."""
    folder = cache / name
    if not _is_complete(folder):
        return None
    os.utime(folder / "complete")
    return folder


def _prune(cache: Path, kind: str, at_most: int) -> None:
    found = []
    for mark in cache.glob(f"{kind}-*/complete"):
        with contextlib.suppress(FileNotFoundError):  # another process prunes too
            found.append((mark.stat().st_mtime, mark.parent))
    now = time.time()
    for number, (used, folder) in enumerate(sorted(found, reverse=True)):
        # A session that began within the hour may still copy from it.
        if (number >= at_most and used < now - _HOUR_SECONDS) or used < now - _WEEK_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
            # Whoever waits for this lock sees that its file is gone, and takes that of the name.
            (cache / f"lock-{folder.name}").unlink(missing_ok=True)


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    building = folder.with_name(f"building-{folder.name}-{secrets.token_hex(8)}")
    building.mkdir(mode=0o700)
    building.chmod(0o711)
    build(building)
    # "complete" counts itself.
    (building / "complete").write_text(str(_entries(building) + 1), encoding="ascii")
    if folder.exists():
        folder.rename(folder.with_name(f"building-{folder.name}-{secrets.token_hex(8)}"))
    building.rename(folder)


def _is_complete(folder: Path) -> bool:
    """Say whether the folder holds what its build left: cleaners of /tmp remove single files."""
    try:
        return int((folder / "complete").read_text(encoding="ascii")) == _entries(folder)
    except (FileNotFoundError, ValueError):
        return False


def _entries(folder: Path) -> int:
    return sum(len(folders) + len(files) for _, folders, files in os.walk(folder))


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of that file for the block.

    Raises:
        MissingError: another process held it for an hour.
    """
    deadline = time.monotonic() + _LOCK_SECONDS
    while (descriptor := _taken(path)) is None:
        if time.monotonic() > deadline:
            raise MissingError(f"another process holds {path}", hint="end it, then try again")
        time.sleep(_LOCK_POLL_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)


def _taken(path: Path) -> int | None:
    """Return the open file that holds the lock; None when another process has it.

    The kernel frees it when it is closed, and so when its holder ends, killed or not.
    """
    import fcntl  # not on Windows

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Pruning may have removed the file, and another process have locked one of the name.
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    os.close(descriptor)
    return None
