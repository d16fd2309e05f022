"""What is wrong with a project's revisions, as values; nothing is executed, no database needed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from work_data_hub.domain.finding import WARNING, Finding
from work_data_hub.domain.record.applied import applied_rows, edited_checksums, recorded_checksum
from work_data_hub.domain.revisions.naming import is_revision_id, parse_file_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from work_data_hub.domain.record.applied import Row
    from work_data_hub.domain.revisions.head_file import HeadFile
    from work_data_hub.domain.revisions.history import History

# The column that Alembic makes, `alembic_version.version_num`.
_LONGEST_ID = 32
# Findings after which it is not known which revisions there are.
_UNTOLD = {"unreadable", "not-python", "no-revision", "computed", "refused", "duplicate-id"}
# What need not be so when the file that is missed is one of those.
_CONSEQUENCES = {"unknown-parent", "unknown-dependency"}
_WAY = "`wdh db rebase` puts yours on top, `wdh db merge` joins what was released"
_REBASE = "`wdh db rebase` mends it"
# Git need not know whose they are; and nobody asks it where a run is refused.
ONE_ON_TOP_OR_JOINED = "`wdh db rebase REVISION` puts that one on top, `wdh db merge` joins them"
# Where git has no main branch, a rebase must be told which are one's own.
_WITHOUT_MAIN = {
    _WAY: ONE_ON_TOP_OR_JOINED,
    _REBASE: "write the heads there, one a line",
}
_RESTORE_OR_ACCEPT = (
    "restore the file from version control and make a new revision; or accept it:"
    " alembic -x accept={0} upgrade head, or wdh db upgrade --accept {0}; or set"
    " WDH_EDITED_REVISIONS=warn"
)
_REDO_OR_ACCEPT = (
    "`wdh db redo {0}` takes back what was applied, and applies the file as it is now; or restore"
    " the file, or accept it: `wdh db upgrade --accept {0}`, alembic -x accept={0} upgrade head"
)
_ACCEPT_THAT_IT_IS_GONE = (
    "restore the file from version control; or accept it: `wdh db upgrade --accept {0}`; or build"
    " the database anew: `wdh db reset`"
)


def verify_files(
    history: History,
    head_file: tuple[str, HeadFile] | None,
    *,
    by_the_rule: bool,
    has_main_branch: Callable[[], bool],
) -> list[Finding]:
    """Return what is wrong with the files.

    Args:
        history: the revisions, as they were read.
        head_file: its path and what it says, where there is one.
        by_the_rule: whether the project's files are named by their time.
        has_main_branch: whether git knows which revisions others have; asked where a hint needs it.
    """
    is_told = not _UNTOLD & {each.code for each in history.findings}
    found = [each for each in history.findings if is_told or each.code not in _CONSEQUENCES]
    found += _long_ids(history)
    if by_the_rule:
        found += [*_names(history), *_times(history)]
    if is_told:
        found += _several_heads(history)
    if head_file is not None:
        found += _head_file(history, *head_file, is_told=is_told)
    if any(each.hint in _WITHOUT_MAIN for each in found) and not has_main_branch():
        return [each.with_hint(_WITHOUT_MAIN.get(each.hint, each.hint)) for each in found]
    return found


def verify_applied(
    history: History,
    versions: Sequence[str],
    journal: Sequence[Row],
    other_checksum: Callable[[str, str], str | None],
    *,
    severity: str,
    is_own: bool,
) -> list[Finding]:
    """Return what a database says against the files.

    Args:
        history: the revisions, as they were read.
        versions: the rows of the version table.
        journal: every row, the oldest first.
        other_checksum: of what a file means, where it is not a recorded one.
        severity: of a revision that was edited or has vanished since it was applied.
        is_own: whether the database is one's own, where a revision may be taken back freely.
    """
    applied = history.with_needs(versions)
    digests = {name: digest for name, digest in history.digests.items() if name in applied}
    changed = verify_journal(
        journal, history.paths, digests, other_checksum, severity=severity, is_own=is_own
    )
    unknown = (ahead(each, is_own=is_own) for each in history.unknown(versions))
    return [*unknown, *changed.values()]


def verify_journal(
    journal: Sequence[Row],
    paths: Mapping[str, str],
    digests: Mapping[str, str],
    other_checksum: Callable[[str, str], str | None],
    *,
    severity: str,
    is_own: bool,
) -> dict[str, Finding]:
    """Return the revisions that were edited or have vanished since they were applied, by id.

    Args:
        journal: the rows that decide, the oldest first.
        paths: the file of each revision that there is.
        digests: of the text now, for each applied revision whose file can be read.
        other_checksum: of what a file means, where it is not a recorded one.
        severity: of what is found.
        is_own: whether the database is one's own, where a revision may be taken back freely.
    """
    rows = applied_rows(journal)
    edited = edited_checksums(
        rows, digests, lambda revision, recorded: other_checksum(paths[revision], recorded)
    )
    found = {}
    for revision, checksum in edited.items():
        message = (
            f"{revision} was edited after it was applied: its file has the checksum {checksum},"
            f" the journal says {recorded_checksum(rows[revision])}"
        )
        hint = (_REDO_OR_ACCEPT if is_own else _RESTORE_OR_ACCEPT).format(revision)
        found[revision] = Finding("edited", message, paths[revision], 1, severity, hint)
    for revision, row in applied_rows(journal, since_last_stamp=True).items():
        if revision not in paths:
            recorded = recorded_checksum(row) or "not recorded"
            message = f"{revision} was applied (checksum {recorded}), and its file is gone"
            hint = (_ACCEPT_THAT_IT_IS_GONE if is_own else _RESTORE_OR_ACCEPT).format(revision)
            found[revision] = Finding("vanished", message, None, 1, severity, hint)
    return found


def misnamed(revision: str, path: str) -> Finding | None:
    """Return that a file does not follow the naming rule; None when it does."""
    name = parse_file_name(os.path.basename(path))  # noqa: PTH119  # no pathlib here
    if name is None:
        return Finding("name", "the file is not named YYYYMMDD_HHMM_short_description.py", path)
    if name.id != revision:
        message = f"the name says {name.id}, the file declares {revision!r}"
        return Finding("name-and-id", message, path)
    return None


def ahead(revision: str, *, is_own: bool = False, branches: Sequence[str] = ()) -> Finding:
    """Return that a database is at a revision which no file declares.

    Args:
        revision: which.
        is_own: whether the database is one's own: another branch has the file then, or had it.
        branches: those that have it, where that is known.
    """
    message = f"the database is at revision {revision}, which this code does not know"
    if is_own:
        where = f"to {' or '.join(branches[:3])}, which has it" if branches else "the branch back"
        hint = (
            f"switch {where}; or `wdh db downgrade --lost` takes it back by the text that was"
            " applied; or build the database anew: `wdh db reset`; or it is another project's,"
            " beside which this one needs a version_table of its own"
        )
        return Finding("ahead", message, hint=hint)
    hint = (
        "it was migrated by newer code: deploy that; or by another project, beside which this one"
        " needs a version_table of its own; or another database is meant; or that file is gone for"
        " good: `wdh db stamp --purge REVISION` records which one the tables are at"
    )
    return Finding("ahead", message, hint=hint)


def several_heads(
    heads: Iterable[str],
    path: str | None = None,
    hint: str = f"name one; or {ONE_ON_TOP_OR_JOINED}",
) -> Finding:
    """Return that there are several heads where one is wanted."""
    message = f"there are several heads: {', '.join(sorted(heads))}"
    return Finding("several-heads", message, path, hint=hint)


def _long_ids(history: History) -> Iterator[Finding]:
    for revision, path in history.paths.items():
        if len(revision) > _LONGEST_ID:
            message = (
                f"the id has {len(revision)} characters; the version column holds {_LONGEST_ID}"
                " (PostgreSQL refuses it)"
            )
            yield Finding("id-too-long", message, path)


def _names(history: History) -> Iterator[Finding]:
    """What was there before the rule keeps its names: only what builds on it is held to it."""
    found = {revision: misnamed(revision, path) for revision, path in history.paths.items()}
    ruled = (revision for revision, each in found.items() if each is None or each.code != "name")
    return filter(None, map(found.get, history.with_descendants(ruled)))


def _times(history: History) -> Iterator[Finding]:
    """A revision that is older than what it builds on was put there by hand."""
    for revision, each in history.revisions.items():
        for parent in filter(is_revision_id, each.down_revisions):
            if is_revision_id(revision) and revision <= parent:
                message = f"{revision} builds on {parent}, which is not older"
                yield Finding("time-order", message, history.paths[revision], severity=WARNING)


def _several_heads(history: History) -> Iterator[Finding]:
    heads = history.heads
    if len(heads) > 1 and not _are_labelled_apart(history, heads):
        yield several_heads(heads, history.paths[max(heads)], _WAY)


def _are_labelled_apart(history: History, heads: Sequence[str]) -> bool:
    """Whether each head is that of a branch with a name of its own, so that they are meant."""
    labels = [
        {
            label
            for revision in history.with_ancestors(head)
            for label in history.revisions[revision].branch_labels
        }
        for head in heads
    ]
    return all(labels) and sum(map(len, labels)) == len(set().union(*labels))


def _head_file(history: History, path: str, said: HeadFile, *, is_told: bool) -> Iterator[Finding]:
    if said.conflict_line is not None:
        message = "git has a conflict here"
        yield Finding("head-file-conflict", message, path, said.conflict_line, hint=_WAY)
    elif is_told and said.heads != tuple(sorted(history.heads)):
        heads, says = ", ".join(sorted(history.heads)) or "none", ", ".join(said.heads) or "none"
        message = f"it says {says}, the heads are {heads}"
        yield Finding("head-file", message, path, hint=_REBASE)
