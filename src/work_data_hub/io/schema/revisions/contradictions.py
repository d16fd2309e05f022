"""Revision files that contradict each other, where Alembic would only warn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.errors import HistoryError, UsageError
from work_data_hub.io.schema.revisions.files import read_history

if TYPE_CHECKING:
    from work_data_hub.domain.revisions.history import History


_SURE = {"duplicate-id"}
_CONTRADICTIONS = {*_SURE, "unknown-parent"}
_OF_THE_GRAPH = {*_CONTRADICTIONS, "label-taken", "unknown-dependency", "cycle"}


def refuse_contradictions(ini: str) -> None:
    """Refuse files that contradict each other where Alembic would only warn.

    Of two files with one id it takes the one that it read last; without the file of a parent it
    goes on, and fails with a KeyError.

    Raises:
        HistoryError: naming the files.
    """
    history = read_if_possible(ini)
    findings = history.findings if history is not None else []
    # A file that must be executed to be understood may be the parent that is missed.
    certain = _CONTRADICTIONS if all(f.code in _OF_THE_GRAPH for f in findings) else _SURE
    for finding in findings:
        if finding.code in certain:
            raise HistoryError(str(finding), hint=finding.hint)


def read_if_possible(ini: str) -> History | None:
    """Return a history; None where Alembic must say what is wrong, or knows better."""
    try:
        return read_history(ini)
    except (UsageError, OSError):
        return None
