"""Lists the revisions of a project: from the text of its files, or else by executing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.errors import HistoryError, UsageError
from work_data_hub.io.schema import project_files
from work_data_hub.io.schema.revision_files import read_history

if TYPE_CHECKING:
    from pathlib import Path

    from work_data_hub.domain.history import History
    from work_data_hub.domain.revision import RevisionInfo

_CONTRADICTIONS = {
    "duplicate-id": "give one of the two files another id, or delete it",
    "unknown-parent": "restore that file, or correct down_revision",
}
_SURE = {"duplicate-id"}
_OF_THE_GRAPH = {*_CONTRADICTIONS, "label-taken", "unknown-dependency", "cycle"}


def heads(alembic_ini: Path | None = None) -> tuple[str, ...]:
    """Return the ids of the revisions that no other builds on; one, unless there are branches.

    Imports neither Alembic nor SQLAlchemy, unless a file must be executed to be understood.

    Raises:
        HistoryError: a revision file cannot be read, or two have one id.
    """
    history = _sound(alembic_ini)
    if history is not None:
        return tuple(sorted(history.heads))
    from work_data_hub.io.schema.alembic_commands import config_of, worded

    with worded(config_of(alembic_ini)) as scripts:
        return tuple(sorted(scripts.get_heads()))


def history(alembic_ini: Path | None = None) -> tuple[RevisionInfo, ...]:
    """Return every revision, the oldest first.

    Raises:
        HistoryError: as ``heads``.
    """
    found = _sound(alembic_ini)
    return _executed(alembic_ini) if found is None else _as_alembic_orders(found)


def refuse_contradictions(ini: str) -> None:
    """Refuse files that contradict each other where Alembic would only warn.

    Of two files with one id it takes the one that it read last; without the file of a parent it
    goes on, and fails with a KeyError.

    Raises:
        HistoryError: naming the files.
    """
    history = _read(ini)
    findings = history.findings if history is not None else []
    # A file that must be executed to be understood may be the parent that is missed.
    certain = _CONTRADICTIONS.keys() if all(f.kind in _OF_THE_GRAPH for f in findings) else _SURE
    for finding in findings:
        if finding.kind in certain:
            raise HistoryError(str(finding), hint=_CONTRADICTIONS[finding.kind])


def _sound(alembic_ini: Path | None) -> History | None:
    """Return the history as the text says it; None when only executing the files can tell."""
    ini = (
        project_files.alembic_ini() if alembic_ini is None else project_files.existing(alembic_ini)
    )
    found = _read(str(ini))
    return None if found is None or found.findings else found


def _read(ini: str) -> History | None:
    try:
        return read_history(ini)
    except (UsageError, OSError):
        return None  # Alembic then says what is wrong, or knows better


def _as_alembic_orders(history: History) -> tuple[RevisionInfo, ...]:
    from work_data_hub.domain.revision import RevisionInfo
    from work_data_hub.io.schema.revision_map import revision_map

    heads = set(history.heads)
    order = revision_map(history).iterate_revisions(
        "heads", "base", inclusive=True, assert_relative_length=False
    )
    return tuple(
        RevisionInfo(
            revision=each.revision,
            down_revisions=tuple(sorted(history.revisions[each.revision].down_revisions)),
            description=history.revisions[each.revision].description,
            path=history.paths[each.revision],
            is_head=each.revision in heads,
        )
        for each in reversed(list(order))
    )


def _executed(alembic_ini: Path | None) -> tuple[RevisionInfo, ...]:
    from work_data_hub.domain.revision import RevisionInfo
    from work_data_hub.io.schema.alembic_commands import config_of, worded

    with worded(config_of(alembic_ini)) as scripts:
        return tuple(
            RevisionInfo(
                revision=script.revision,
                down_revisions=tuple(sorted(script._versioned_down_revisions)),  # noqa: SLF001
                description=script.doc,
                path=script.path,
                is_head=script.is_head,
            )
            for script in reversed(list(scripts.walk_revisions()))
        )
