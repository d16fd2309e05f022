"""Which revisions the main branch of the git repository has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.revisions.revision_file import Declared
from work_data_hub.domain.revisions.revision_text import read_revision
from work_data_hub.errors import UsageError
from work_data_hub.io.schema.revisions.git import ask_git

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_USUAL = ("origin/HEAD", "origin/main", "origin/master", "main", "master")


class MainBranch(NamedTuple):
    """The revisions that others may have.

    Attributes:
        name: of the branch.
        revisions: their ids.
        unread: the paths of files, in the working tree, whose id cannot be told there.
    """

    name: str
    revisions: frozenset[str]
    unread: frozenset[str]


def read_main_branch(folders: Sequence[str], onto: str | None = None) -> MainBranch | None:
    """Return what the main branch has; None where git cannot tell.

    Args:
        folders: the absolute paths of the folders with revisions, the project's own first. What
            lies outside of its repository, in a package or a submodule, is not ours to move.
        onto: the branch; left out, the first that there is of the remote's default branch,
            ``origin/main``, ``origin/master``, ``main``, ``master``.

    Raises:
        UsageError: there is no branch ``onto``.
    """
    name = _first_branch(folders[0], [onto] if onto else _USUAL) if folders else None
    if name is None:
        if onto is not None:
            raise UsageError(f"git knows no branch {onto!r} here", hint="`git branch --all`")
        return None
    revisions, unread = set(), set()
    repository = _repository(folders[0])
    for folder in folders:
        if _repository(folder) != repository:
            unread |= {str(path) for path in Path(folder).rglob("*.py")}
            continue
        for path, source in _files(folder, name):
            declared = None if source is None else read_revision(source, path)
            if isinstance(declared, Declared):
                revisions.add(declared.revision)
            else:
                unread.add(path)
    return MainBranch(name, frozenset(revisions), frozenset(unread))


def main_branch_name(folder: str) -> str | None:
    """Return the name of the main branch of a folder's repository; None where git knows none."""
    return _first_branch(folder, _USUAL)


def _repository(folder: str) -> bytes | None:
    return ask_git(folder, "rev-parse", "--show-toplevel")


def _first_branch(folder: str, names: Sequence[str]) -> str | None:
    for name in names:
        if ask_git(folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") is not None:
            return name
    return None


def _files(folder: str, branch: str) -> Iterator[tuple[str, bytes | None]]:
    """Yield the Python files below a folder as they are in a branch.

    The content is None where git does not have it: a partial clone that cannot fetch it now.
    """
    listed = ask_git(folder, "ls-tree", "-r", "-z", branch, "--", ".") or b""
    blobs: list[tuple[str, bytes]] = []
    for entry in listed.split(b"\0"):
        about, _, name = entry.partition(b"\t")
        if name.endswith(b".py"):
            blobs.append((os.path.join(folder, os.fsdecode(name)), about.split()[2]))  # noqa: PTH118
    wanted = b"".join(blob + b"\n" for _, blob in blobs)
    answer = ask_git(folder, "cat-file", "--batch", given=wanted) or b""
    position = 0
    for path, _ in blobs:
        start = answer.index(b"\n", position) + 1
        _, kind, *size = answer[position:start].split()
        if kind == b"missing":
            yield path, None
            position = start
        else:
            position = start + int(size[0]) + 1
            yield path, answer[start : position - 1]
