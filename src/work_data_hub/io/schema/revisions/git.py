"""Asks git: what it says of a folder, and of a revision's file that is not there any more."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.revisions.revision_file import Declared
from work_data_hub.domain.revisions.revision_text import read_revision

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACES = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"}
_LONGEST_SECONDS = 10.0
_MOST_COMMITS = 50
_BEGINNING = b"\x01"


class OldText(NamedTuple):
    """A revision's file, as a commit has it.

    Attributes:
        text: of the file.
        commit: which.
        path: of the file, in the repository.
    """

    text: bytes
    commit: str
    path: str


def ask_git(
    folder: str, *arguments: str, given: bytes = b"", seconds: float | None = None
) -> bytes | None:
    """Return what git says; None when it is not there, or has nothing to say in that time."""
    command = ["git", "-C", folder, *arguments]
    # In a hook they say where the repository is, relative to another folder.
    environment = {name: value for name, value in os.environ.items() if name not in _PLACES}
    try:
        process = subprocess.run(
            command,
            input=given,
            env=environment,
            capture_output=True,
            check=False,
            timeout=seconds,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return process.stdout if process.returncode == 0 else None


def old_texts(folder: str, revision: str) -> Iterator[OldText]:
    """Yield the texts that a revision's file had, the newest first.

    Every branch is searched, and what git remembers of commits that no branch has any more. The
    file is found by the revision's id, which its name must hold.

    Args:
        folder: one of the repository.
        revision: the id.
    """
    if not revision.replace("_", "").replace("-", "").isalnum():
        return  # git would read a pattern
    asked = ["log", "--all", "--reflog", f"--max-count={_MOST_COMMITS}", "--diff-filter=AMR"]
    files = ["--format=%x01%H", "--name-only", "-z", "--", f":(top,glob)**/*{revision}*.py"]
    said = ask_git(folder, *asked, *files, seconds=_LONGEST_SECONDS) or b""
    commit = ""
    for part in said.split(b"\0"):
        word = part.strip(b"\n")
        if word.startswith(_BEGINNING):
            commit = word.removeprefix(_BEGINNING).decode("ascii")
        elif word and (text := ask_git(folder, "show", f"{commit}:{os.fsdecode(word)}")):
            declared = read_revision(text, os.fsdecode(word))
            if isinstance(declared, Declared) and declared.revision == revision:
                yield OldText(text, commit, os.fsdecode(word))


def branches_with(folder: str, old: OldText) -> tuple[str, ...]:
    """Return the branches that have the commit, and the file still; one's own before others'."""
    asked = ["for-each-ref", f"--contains={old.commit}", "--format=%(refname:short)"]
    found = ask_git(folder, *asked, "refs/heads", "refs/remotes", seconds=_LONGEST_SECONDS) or b""
    return tuple(
        name
        for name in found.decode("utf-8", "replace").split()
        if ask_git(folder, "cat-file", "-e", f"{name}:{old.path}") is not None
    )
