"""Revision files that contradict each other, where Alembic would only warn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.errors import HistoryError, UsageError
from work_data_hub.io.schema.revisions.files import read_history

if TYPE_CHECKING:
    from work_data_hub.domain.revisions.history import History


_CONTRADICTIONS = {
    "duplicate-id": "give one of the two files another id, or delete it",
    "unknown-parent": "restore that file, or correct down_revision",
}


_SURE = {"duplicate-id"}


_OF_THE_GRAPH = {*_CONTRADICTIONS, "label-taken", "unknown-dependency", "cycle"}


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


def _read(ini: str) -> History | None:
    try:
        return read_history(ini)
    except (UsageError, OSError):
        return None  # Alembic then says what is wrong, or knows better
