"""Do the revision files still say what was applied? And which of them does the journal not know?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from work_data_hub.domain.finding import ERROR, WARNING
from work_data_hub.domain.record.applied import applied_rows
from work_data_hub.domain.revisions.checksum import checksum
from work_data_hub.domain.revisions.digest import digest
from work_data_hub.domain.revisions.verification import verify_journal
from work_data_hub.io.schema.record.journal import SourceMark
from work_data_hub.io.schema.revisions.files import other_checksum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alembic.script import Script, ScriptDirectory

    from work_data_hub.config import Settings
    from work_data_hub.domain.finding import Finding
    from work_data_hub.io.schema.record.journal import JournalEntry


def source_mark(script: Script) -> SourceMark | None:
    """Return what identifies the file's content; None for a revision without source."""
    text = _source(script)
    return None if text is None else SourceMark(checksum(text), digest(text))


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


def severity_of(settings: Settings) -> str:
    """Return how grave an edited or vanished revision is to a session."""
    return WARNING if settings.edited_revisions == "warn" else ERROR


def findings(
    journal: list[JournalEntry], applied: list[Script], scripts: ScriptDirectory, settings: Settings
) -> dict[str, Finding]:
    """Return the applied revisions that were edited or have vanished, by id."""
    if not journal:
        return {}
    paths = {script.revision: script.path for script in scripts.walk_revisions()}
    texts = {each.revision: text for each in applied if (text := _source(each)) is not None}
    digests = {revision: digest(text) for revision, text in texts.items()}
    return verify_journal(journal, paths, digests, other_checksum, severity=severity_of(settings))


def _source(script: Script) -> bytes | None:
    """Return the text of a revision; None for bytecode, which every build writes anew."""
    path = Path(script.path)
    try:
        return path.read_bytes() if path.suffix == ".py" else None
    except OSError:
        return None
