"""Reads the revision files that Alembic would load, as text: nothing is executed or imported."""

from __future__ import annotations

import os

from work_data_hub.domain.revisions.history import History
from work_data_hub.domain.revisions.revision_file import Declared, RevisionFile
from work_data_hub.io.schema.revisions.cache import RevisionCache, stamp
from work_data_hub.io.schema.revisions.script_locations import (
    read_options,
    script_folder,
    section,
    version_folders,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from work_data_hub.io.schema.revisions.script_locations import Options

_SOURCE = ".py"
_BYTECODE = (".pyc", ".pyo")
_SKIPPED = (".#", "__init__")  # alembic.script.base._only_source_rev_file
_CACHED_BYTECODE = "__pycache__"


def read_history(ini: str | None, toml: str | None = None) -> History:
    """Return the history of a project, as ``read_project``."""
    return read_project(ini, toml)[1]


def read_project(ini: str | None, toml: str | None = None) -> tuple[str, History, bool]:
    """Return the folder of env.py, the history, and whether the configuration names a database.

    The history is in the order in which Alembic loads its files.

    What cannot be told without executing a file is among the history's findings. What was read
    before is taken from the user's cache while size and times of a file are the same.

    Args:
        ini: the path of alembic.ini.
        toml: the path of a pyproject.toml with a ``[tool.alembic]``, read for what the other
            does not say; None when Alembic would not read one.

    Raises:
        UsageError: the configuration cannot be read, or names a folder that is not there.
    """
    cache = _cache_of(ini, toml, section.get())
    options = _options(ini, toml, cache)
    *_, is_recursive, is_sourceless, names_database = options
    history = _read_folders(version_folders(options), is_recursive, is_sourceless, cache)
    return script_folder(options), history, names_database


def read_folders(
    folders: Iterable[str],
    *,
    is_recursive: bool,
    is_sourceless: bool,
    project: tuple[str | None, str | None, str],
) -> History:
    """Return the history of folders that somebody has found already, as ``read_project``.

    Args:
        folders: absolute, without symbolic links.
        is_recursive: whether the folders below them count.
        is_sourceless: whether bytecode counts.
        project: alembic.ini, pyproject.toml and the section: whose cache it is.

    Raises:
        OSError: a folder cannot be listed.
    """
    cache = _cache_of(*project)
    cache.keep("")
    return _read_folders(folders, is_recursive, is_sourceless, cache)


def _cache_of(ini: str | None, toml: str | None, section_name: str) -> RevisionCache:
    paths = [os.path.abspath(path) if path else "" for path in (ini, toml)]
    return RevisionCache("\n".join([*paths, section_name]))


def _read_folders(
    folders: Iterable[str], is_recursive: bool, is_sourceless: bool, cache: RevisionCache
) -> History:
    seen: set[str] = set()
    files: list[RevisionFile] = []
    for folder in folders:
        for entry in _listed(folder, is_recursive, is_sourceless):
            path = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
            if path not in seen:
                seen.add(path)
                file = _read(path, entry, is_sourceless, cache)
                if file is not None:
                    files.append(file)
    cache.save()
    return History(files)


def other_checksum(path: str, recorded: str) -> str | None:
    """Return the checksum of what a revision file means, where it is not the recorded one.

    Returns:
        None where it is, or where that cannot be told.
    """
    # Imported here: only a file whose text changed is asked for it.
    from work_data_hub.domain.revisions import checksum

    try:
        with open(path, "rb") as file:
            return checksum.other_checksum(file.read(), recorded)
    except OSError:
        return None


def _options(ini: str | None, toml: str | None, cache: RevisionCache) -> Options:
    # Reading either takes longer than all the rest: what they say is cached like the files.
    stamps = tuple([_stamp_of(path) for path in (ini, toml)])
    newest = max(stamps, key=lambda each: max(each[1], each[2]))
    known: Any = cache.get("", newest)
    if known is not None and known[0] == stamps:
        options: Options = known[1]
        return options
    options = read_options(ini, toml)
    cache.put("", newest, (stamps, options))
    return options


def _stamp_of(path: str | None) -> tuple[int, int, int, int]:
    try:
        return stamp(os.stat(path)) if path else (0, 0, 0, 0)
    except OSError:
        return (0, 0, 0, 0)


def _listed(folder: str, is_recursive: bool, is_sourceless: bool) -> Iterator[os.DirEntry[str]]:
    """Yield the files of a folder in Alembic's order (its ``Script._list_py_dir``)."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    if not os.path.basename(folder).endswith(_CACHED_BYTECODE):
        files = [entry for entry in entries if not entry.is_dir()]
        yield from files
        if is_sourceless:
            yield from _orphans(folder, {entry.name.split(".")[0] for entry in files})
        if not is_recursive:
            return
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            yield from _listed(entry.path, is_recursive, is_sourceless)


def _orphans(folder: str, names: set[str]) -> list[os.DirEntry[str]]:
    """Return the cached bytecode whose source is gone."""
    cached = os.path.join(folder, _CACHED_BYTECODE)
    if not os.path.isdir(cached):
        return []
    with os.scandir(cached) as entries:
        return [entry for entry in entries if entry.name.split(".")[0] not in names]


def _read(
    path: str, entry: os.DirEntry[str], is_sourceless: bool, cache: RevisionCache
) -> RevisionFile | None:
    """Return what a file says; None for one that Alembic does not load."""
    name = os.path.basename(path)
    if name.startswith(_SKIPPED):
        return None
    if is_sourceless and name.endswith(_BYTECODE) and not os.path.exists(path[:-1]):
        return _unread(path, "it is bytecode without its source")
    if not name.endswith(_SOURCE):
        return None
    try:
        seen = stamp(entry.stat())
        known = cache.get(path, seen)
        if known is None:
            known = _cold(path)
            cache.put(path, seen, known)
    except OSError as error:
        return _unread(path, f"it cannot be read: {error.strerror}")
    return _revision_file(path, *known)


def _unread(path: str, reason: str) -> RevisionFile:
    return _revision_file(path, "", (), {"code": "unreadable", "message": reason, "path": path})


def _revision_file(
    path: str, digest: str, declared: tuple[Any, ...], finding: dict[str, Any]
) -> RevisionFile:
    if declared:
        return RevisionFile(path, digest, Declared(*declared))
    from work_data_hub.domain.finding import Finding  # not needed where nothing is wrong

    return RevisionFile(path, digest, Finding(**finding))


def _cold(path: str) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Read a file; return its digest, and what it declares or why that cannot be told."""
    # Imported here: nobody needs them whose files are all in the cache.
    from work_data_hub.domain.finding import as_data
    from work_data_hub.domain.revisions.digest import digest
    from work_data_hub.domain.revisions.revision_text import read_revision

    with open(path, "rb", buffering=0) as file:
        source = file.read()
    content = read_revision(source, path)
    if not isinstance(content, Declared):
        return digest(source), (), as_data(content)
    declared = (
        content.revision,
        content.down_revisions,
        content.depends_on,
        content.branch_labels,
        content.description,
    )
    return digest(source), declared, {}
