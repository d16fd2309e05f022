"""What is wrong with a project's revisions, as values; nothing is executed, no database needed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.record.applied import applied_rows, edited_checksum
from work_data_hub.domain.revisions.naming import is_revision_id, parse_file_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from work_data_hub.domain.record.applied import Row
    from work_data_hub.domain.revisions.head_file import HeadFile
    from work_data_hub.domain.revisions.history import History
    from work_data_hub.domain.revisions.revision_file import Finding as Unread

ERROR, WARNING = "error", "warning"
# The column that Alembic makes, `alembic_version.version_num`.
_LONGEST_ID = 32
# Findings after which it is not known which revisions there are.
_UNTOLD = {"unreadable", "not-python", "no-revision", "computed", "refused", "duplicate-id"}
# What need not be so when the file that is missed is one of those.
_CONSEQUENCES = {"unknown-parent", "unknown-dependency"}
_WAY = "`wdh db rebase` puts yours on top, `alembic merge heads` joins what was released"


class Finding(NamedTuple):
    """One thing that is wrong.

    Attributes:
        code: what kind of fault it is, for programs.
        path: the file; absolute, or None where no file is meant.
        line: 1-based.
        message: what was found, one line.
        severity: ``error``, or ``warning`` for what need not be a fault.
    """

    code: str
    path: str | None
    line: int
    message: str
    severity: str = ERROR


def verify_files(
    history: History, head_file: tuple[str, HeadFile] | None, *, by_the_rule: bool
) -> list[Finding]:
    """Return what is wrong with the files.

    Args:
        history: the revisions, as they were read.
        head_file: its path and what it says, where there is one.
        by_the_rule: whether the project's files are named by their time.
    """
    is_told = not _UNTOLD & {each.kind for each in history.findings}
    found = [
        _of_history(each) for each in history.findings if is_told or each.kind not in _CONSEQUENCES
    ]
    found += _long_ids(history)
    if by_the_rule:
        found += [*_names(history), *_times(history)]
    if is_told:
        found += _several_heads(history)
    if head_file is not None:
        found += _head_file(history, *head_file, is_told=is_told)
    return found


def verify_applied(
    history: History,
    versions: Iterable[str],
    journal: Sequence[Row],
    read_checksum: Callable[[str], str | None],
    *,
    severity: str,
) -> list[Finding]:
    """Return what a database says against the files.

    Args:
        history: the revisions, as they were read.
        versions: the rows of the version table.
        journal: every row, the oldest first.
        read_checksum: reads the checksum of what a file means.
        severity: of a revision that was edited or has vanished since it was applied.
    """
    found = [
        Finding("ahead", None, 1, f"the database is at {row}, which no file declares")
        for row in history.unknown(versions)
    ]
    rows = applied_rows(journal)
    for revision in history.with_needs(versions):
        path = history.paths[revision]
        row = rows.get(revision)
        digest = history.digests[revision]
        if row and edited_checksum(row, digest, lambda one=path: read_checksum(one)):  # type: ignore[misc]
            message = f"{revision} was edited after it was applied"
            found.append(Finding("edited", path, 1, message, severity))
    for revision in applied_rows(journal, since_last_stamp=True):
        if revision not in history.revisions:
            message = f"{revision} was applied, and its file is gone"
            found.append(Finding("vanished", None, 1, message, severity))
    return found


def _of_history(found: Unread) -> Finding:
    if found.kind != "computed":
        return Finding(found.kind, found.path, found.line, found.reason)
    message = f"only executing it could tell what it declares: {found.reason}"
    return Finding(found.kind, found.path, found.line, message, WARNING)


def _long_ids(history: History) -> Iterator[Finding]:
    for revision, path in history.paths.items():
        if len(revision) > _LONGEST_ID:
            message = (
                f"the id has {len(revision)} characters; the version column holds {_LONGEST_ID}"
                " (PostgreSQL refuses it)"
            )
            yield Finding("id-too-long", path, 1, message)


def _names(history: History) -> Iterator[Finding]:
    """What was there before the rule keeps its names: only what builds on it is held to it."""
    names = {
        revision: parse_file_name(os.path.basename(path))  # noqa: PTH119  # no pathlib here
        for revision, path in history.paths.items()
    }
    ruled = history.with_descendants(revision for revision, name in names.items() if name)
    for revision in ruled:
        name, path = names[revision], history.paths[revision]
        if name is None:
            message = "the file is not named YYYYMMDD_HHMM_short_description.py"
            yield Finding("name", path, 1, message)
        elif name.id != revision:
            message = f"the name says {name.id}, the file declares {revision!r}"
            yield Finding("name-and-id", path, 1, message)


def _times(history: History) -> Iterator[Finding]:
    """A revision that is older than what it builds on was put there by hand."""
    for revision, each in history.revisions.items():
        for parent in filter(is_revision_id, each.down_revisions):
            if is_revision_id(revision) and revision <= parent:
                message = f"{revision} builds on {parent}, which is not older"
                yield Finding("time-order", history.paths[revision], 1, message, WARNING)


def _several_heads(history: History) -> Iterator[Finding]:
    heads = history.heads
    if len(heads) > 1 and not _are_labelled_apart(history, heads):
        names = ", ".join(sorted(heads))
        last = max(heads)
        message = f"there are several heads: {names}; {_WAY}"
        yield Finding("several-heads", history.paths[last], 1, message)


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
        message = f"git has a conflict here: {_WAY}"
        yield Finding("head-file-conflict", path, said.conflict_line, message)
    elif is_told and said.heads != tuple(sorted(history.heads)):
        heads, says = ", ".join(sorted(history.heads)) or "none", ", ".join(said.heads) or "none"
        message = f"it says {says}, the heads are {heads}: `wdh db rebase` mends it"
        yield Finding("head-file", path, 1, message)
