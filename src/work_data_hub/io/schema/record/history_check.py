"""Do the revision files still say what was applied? And which of them does the journal not know?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from work_data_hub.domain.record.applied import applied_rows, edited_checksum
from work_data_hub.domain.revisions.checksum import checksum
from work_data_hub.domain.revisions.digest import digest
from work_data_hub.io.schema.record.journal import JournalEntry, SourceMark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from alembic.script import Script, ScriptDirectory


WAY_OUT = (
    "restore the file from version control and make a new revision; or accept it:"
    " alembic -x accept={0} upgrade head, or wdh db upgrade --accept {0}; or set"
    " WDH_EDITED_REVISIONS=warn"
)


@dataclass(frozen=True)
class HistoryFinding:
    """An applied revision whose file is not what it was.

    Attributes:
        revision: its id.
        recorded: the checksum in the journal.
        path: the file; None when it has vanished.
        found: the checksum of the file now; None when it has vanished.
    """

    revision: str
    recorded: str | None
    path: str | None
    found: str | None

    def __str__(self) -> str:
        """Return the finding as a line of text."""
        if self.path is None:
            return f"{self.revision} was applied (checksum {self.recorded}), and its file is gone"
        return (
            f"{self.revision} was edited after it was applied: {self.path} has the checksum"
            f" {self.found}, the journal says {self.recorded}"
        )


def source_mark(script: Script) -> SourceMark | None:
    """Return what identifies the file's content; None for a revision without source."""
    try:
        text = Path(script.path).read_bytes()
        return SourceMark(checksum(text.decode("utf-8")), digest(text))
    except (OSError, SyntaxError, ValueError):
        return None


def applied_scripts(scripts: ScriptDirectory, heads: tuple[str, ...]) -> list[Script]:
    """Return every revision that a database at these heads has, in any order.

    Raises:
        CommandError: the database is at a revision that the files do not know.
    """
    if not heads:
        return []
    return list(scripts.iterate_revisions(heads, "base", implicit_base=True))


def unknown_to(journal: list[JournalEntry], applied: Iterable[Script]) -> list[Script]:
    """Return the applied revisions that the journal does not hold as applied."""
    known = applied_rows(journal)
    return [script for script in applied if script.revision not in known]


def findings(
    journal: list[JournalEntry], applied: list[Script], scripts: ScriptDirectory
) -> list[HistoryFinding]:
    """Return the applied revisions that were edited or have vanished."""
    rows = applied_rows(journal)
    edited = (_edited(script, rows.get(script.revision)) for script in applied)
    return [finding for finding in edited if finding is not None] + list(
        _vanished(applied_rows(journal, since_last_stamp=True), scripts)
    )


def _edited(script: Script, row: JournalEntry | None) -> HistoryFinding | None:
    if row is None:
        return None
    found = edited_checksum(row, _digest(script), lambda: _checksum(script))
    if found is None:
        return None
    return HistoryFinding(script.revision, row.checksum, script.path, found)


def _digest(script: Script) -> str | None:
    try:
        return digest(Path(script.path).read_bytes())
    except OSError:
        return None


def _checksum(script: Script) -> str | None:
    mark = source_mark(script)
    return None if mark is None else mark.checksum


def _vanished(rows: dict[str, JournalEntry], scripts: ScriptDirectory) -> Iterator[HistoryFinding]:
    known = {script.revision for script in scripts.walk_revisions()} if rows else set()
    for revision, row in rows.items():
        if revision not in known:
            yield HistoryFinding(revision, row.checksum, None, None)
