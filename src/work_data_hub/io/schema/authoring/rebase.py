"""Puts one's own revisions, not released yet, on top of the others'; a plan first, then files.

Nothing is taken from the journal of a database or from the main branch: what either has may have
run elsewhere, and then its id and its parent are facts.
"""

from __future__ import annotations

import difflib
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.revisions.head_file import write_heads
from work_data_hub.domain.revisions.history import History
from work_data_hub.domain.revisions.rebase import plan_moves
from work_data_hub.domain.revisions.revision_edit import Edit, NewPlace, edit_revision
from work_data_hub.domain.revisions.revision_file import Declared, RevisionFile
from work_data_hub.errors import HistoryError, RefusedError, UsageError
from work_data_hub.io.schema.authoring.authors import colleagues_of
from work_data_hub.io.schema.authoring.file_changes import FileChange, write_all
from work_data_hub.io.schema.authoring.main_branch import read_main_branch
from work_data_hub.io.schema.authoring.released import applied_in
from work_data_hub.io.schema.revisions import project_files
from work_data_hub.io.schema.revisions.files import read_project
from work_data_hub.io.schema.revisions.head_file import head_file_of
from work_data_hub.io.schema.revisions.script_locations import names_by_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from work_data_hub.domain.revisions.rebase import Move
    from work_data_hub.io.schema.authoring.main_branch import MainBranch


_ID = re.compile(rb"\b\d{8}_\d{4}(?:\d{2})?\b")


class RebasePlan(NamedTuple):
    """What a rebase will do.

    Attributes:
        main: the branch that told whose the revisions are; None when they were named.
        moves: the revisions that get another parent, in their new order.
        edits: what changes in each file, by its path.
        changes: the files, as they will be.
        applied: the revisions to move that a database of one's own has: to be taken back first, by
            ``migration_runner.take_back``.
        notes: what a person should know or do besides.
    """

    main: str | None
    moves: tuple[Move, ...]
    edits: Mapping[str, tuple[Edit, ...]]
    changes: tuple[FileChange, ...]
    applied: tuple[str, ...]
    notes: tuple[str, ...]


def plan_rebase(
    revisions: Sequence[str] = (),
    *,
    onto: str | None = None,
    database_url: str | None = None,
    alembic_ini: Path | None = None,
) -> RebasePlan:
    """Return what puts one's own revisions in one line on top of the others'. Changes nothing.

    Args:
        revisions: one's own, by id or its beginning; left out, all that the main branch lacks and
            nobody else committed.
        onto: the main branch; left out, see ``read_main_branch``.
        database_url: a database whose journal must have none of them. Left out, the settings'
            own is asked, and may have them when it is a dev or throw-away one.
        alembic_ini: the project.

    Raises:
        UsageError: a revision is unknown, or git cannot tell which are one's own.
        HistoryError: the files cannot be read, or not be edited.
        RefusedError: a revision was released: the main branch or the database has it.
    """
    ini = project_files.meant(alembic_ini)
    folder, history, _ = read_project(str(ini))
    for finding in history.findings:
        raise HistoryError(f"{finding}", hint="correct it first; `wdh db verify` shows them all")
    main = read_main_branch(_folders(history, folder), onto)
    mine, notes = _mine(history, main, revisions)
    _refuse_copies(history, mine)
    if not mine and len(history.heads) > 1:
        raise _none_to_move(main, notes)
    moves = plan_moves(history, mine, datetime.now(UTC))
    applied = applied_in([move.revision for move in moves], history, database_url, ini)
    (changes, edits), head_file = _changes(moves), head_file_of(folder)
    if head_file.exists() or names_by_time(str(ini)):
        changes += _head_file(head_file, _heads_after(history, moves))
    name = main.name if main else None
    notes = [*applied.notes, *notes, *_notes_of(main, history)]
    return RebasePlan(name, moves, edits, tuple(changes), applied.revisions, tuple(notes))


def _notes_of(main: MainBranch | None, history: History) -> list[str]:
    absent = sorted(main.revisions - history.revisions.keys()) if main else []
    if main is None or not absent:
        return []
    return [f"{main.name} has {', '.join(absent)}, which is not here: merge it first"]


def _none_to_move(main: MainBranch | None, notes: Sequence[str]) -> RefusedError:
    released = f"every revision is in {main.name if main else 'git'}"
    if notes:
        return RefusedError(
            f"there are several heads, and none is yours: {released}, or somebody else's",
            hint=f"{notes[0]}; or join them: `wdh db merge`",
        )
    return RefusedError(
        f"there are several heads, and {released}", hint="join them: `wdh db merge`"
    )


def rebase(plan: RebasePlan) -> None:
    """Do what the plan says: every file, or none.

    Raises:
        RefusedError: a file was changed since the plan was made.
        UsageError: a file cannot be written.
    """
    write_all(plan.changes)


def _refuse_copies(history: History, mine: set[str]) -> None:
    """Refuse what a rebase that was killed left: the old files beside the new ones."""
    seen: dict[bytes, str] = {}
    for revision in sorted(mine):
        text = _ID.sub(b"", Path(history.paths[revision]).read_bytes())
        if (other := seen.setdefault(text, revision)) != revision:
            raise RefusedError(
                f"{revision} and {other} are the same but for their ids: a rebase was interrupted",
                hint="remove the old files, or `git restore` them and remove the new ones",
            )


def _folders(history: History, home: str) -> list[str]:
    """Return the folders that hold revisions, without those inside of another; home's first."""
    found = {str(Path(file.path).parent) for file in history.files}
    home = os.path.realpath(home)
    folders = sorted(found, key=lambda one: (not Path(one).is_relative_to(home), one))
    return [
        one
        for one in folders
        if not any(Path(one).is_relative_to(other) for other in folders if other != one)
    ]


def _mine(
    history: History, main: MainBranch | None, named: Sequence[str]
) -> tuple[set[str], list[str]]:
    """Return one's own revisions, and what is to be said of others' that are not released."""
    theirs = (
        {name for name, path in history.paths.items() if path in main.unread} | main.revisions
        if main
        else set()
    )
    if not named:
        if main is None:
            raise UsageError(
                "git does not tell which revisions are yours: there is no main branch here",
                hint="name them: wdh db rebase REVISION ..., or the branch: --onto BRANCH",
            )
        mine = history.revisions.keys() - theirs
        others = colleagues_of(history.paths[each] for each in mine)
        notes = [
            f"{each} stays where it is, it is by {author}: name it to move it"
            for each in sorted(mine)
            if (author := others.get(history.paths[each])) is not None
        ]
        return {each for each in mine if history.paths[each] not in others}, notes
    mine = {_resolved(history, name) for name in named}
    if released := sorted(mine & theirs):
        assert main is not None
        raise RefusedError(
            f"{', '.join(released)} is in {main.name}: others may have run it",
            hint="make a new revision that changes what it did",
        )
    return mine, []


def _resolved(history: History, name: str) -> str:
    found = (
        [name]
        if name in history.revisions
        else [revision for revision in history.revisions if revision.startswith(name)]
    )
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{name!r} is the beginning of several revisions: {', '.join(sorted(found))}",
            hint="write more of it",
        )
    near = difflib.get_close_matches(name, history.revisions, 1, 0.4)
    raise UsageError(
        f"there is no revision {name!r}",
        hint=f"did you mean {near[0]}?" if near else "`wdh db history` shows the revisions",
    )


def _changes(moves: Sequence[Move]) -> tuple[list[FileChange], dict[str, tuple[Edit, ...]]]:
    renamed = {move.revision: move.new_revision for move in moves}
    changes, edits = [], {}
    for move in moves:
        before = Path(move.path).read_bytes()
        place = NewPlace(move.new_revision, move.new_parent, renamed)
        after, edits[move.path] = edit_revision(before, move.path, place)
        changes.append(FileChange(Path(move.path), Path(move.new_path), before, after))
    return changes, edits


def _heads_after(history: History, moves: Sequence[Move]) -> tuple[str, ...]:
    moved = {move.revision: move for move in moves}
    files = []
    for revision, each in history.revisions.items():
        move = moved.get(revision)
        declared = Declared(move.new_revision, (move.new_parent,)) if move else each
        files.append(RevisionFile("", "", declared))
    return History(files).heads


def _head_file(path: Path, heads: Sequence[str]) -> list[FileChange]:
    before = path.read_bytes() if path.exists() else None
    after = write_heads(heads).encode()
    is_true = before is not None and before.replace(b"\r\n", b"\n") == after
    return [] if is_true else [FileChange(path, path, before, after)]
