"""Do the revision files still say what was applied? And which of them does the journal not know?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic.script.revision import ResolutionError

from work_data_hub.domain.finding import ERROR, WARNING
from work_data_hub.domain.record.applied import applied_rows
from work_data_hub.domain.revisions.checksum import checksum
from work_data_hub.domain.revisions.digest import digest
from work_data_hub.domain.revisions.verification import ahead, verify_journal
from work_data_hub.errors import HistoryError
from work_data_hub.io.schema.alembic_bridge.applied_script import AppliedScript
from work_data_hub.io.schema.alembic_bridge.revision_map import ReadScript, paths
from work_data_hub.io.schema.record.journal import SourceMark
from work_data_hub.io.schema.revisions.files import other_checksum
from work_data_hub.io.schema.revisions.git import branches_with, old_texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alembic.script import Script, ScriptDirectory

    from work_data_hub.config.plain_settings import PlainSettings
    from work_data_hub.domain.finding import Finding
    from work_data_hub.io.schema.record.journal import JournalEntry


def source_text(script: Script | None) -> bytes | None:
    """Return the text of a revision; None for bytecode, which every build writes anew."""
    if script is None:
        return None
    if isinstance(script, AppliedScript):
        return script.text
    path = Path(script.path)
    try:
        return path.read_bytes() if path.suffix == ".py" else None
    except OSError:
        return None


def _digest(script: Script) -> str | None:
    if isinstance(script, ReadScript):
        return script.digest
    text = source_text(script)
    return None if text is None else digest(text)


def source_mark(text: bytes | None) -> SourceMark | None:
    """Return what identifies the text of a revision; None where it has none."""
    return None if text is None else SourceMark(checksum(text), digest(text))


def applied_scripts(scripts: ScriptDirectory, heads: tuple[str, ...]) -> list[Script]:
    """Return every revision that a database at these heads has, in any order.

    Raises:
        CommandError: the database is at a revision that the files do not know.
    """
    if not heads:
        return []
    return list(scripts.iterate_revisions(heads, "base"))


def unknown_to(journal: list[JournalEntry], applied: Iterable[Script]) -> list[Script]:
    """Return the applied revisions that the journal does not hold as applied."""
    known = applied_rows(journal)
    return [script for script in applied if script.revision not in known]


def severity_of(settings: PlainSettings) -> str:
    """Return how grave an edited or vanished revision is to a session."""
    return WARNING if settings.edited_revisions == "warn" else ERROR


def refuse_unknown(scripts: ScriptDirectory, heads: Iterable[str], *, is_own: bool) -> None:
    """Refuse what cannot be done with a database that is at a revision of which there is no file.

    Args:
        scripts: the files, and what else their graph was told of.
        heads: where the database is.
        is_own: as ``unknown``.

    Raises:
        HistoryError: with the ways out of such a database.
    """
    for head in heads:
        if not _is_known(scripts, head):
            finding = unknown(scripts, head, is_own=is_own)
            raise HistoryError(str(finding), hint=finding.hint)


def _is_known(scripts: ScriptDirectory, revision: str) -> bool:
    try:
        return scripts.revision_map.get_revision(revision) is not None
    except ResolutionError:
        return False


def unknown(scripts: ScriptDirectory, revision: str, *, is_own: bool) -> Finding:
    """Return that a database is at a revision of which there is no file.

    Args:
        scripts: the files.
        revision: where the database is.
        is_own: whether it is one's own; git is asked then which branches have the file.
    """
    branches: tuple[str, ...] = ()
    if is_own:
        newest = next(old_texts(scripts.dir, revision), None)
        branches = branches_with(scripts.dir, newest) if newest else ()
    return ahead(revision, is_own=is_own, branches=branches)


def findings(
    journal: list[JournalEntry],
    applied: list[Script],
    scripts: ScriptDirectory,
    settings: PlainSettings,
    *,
    is_own: bool,
) -> dict[str, Finding]:
    """Return the applied revisions that were edited or have vanished, by id.

    Args:
        journal: the rows that decide, the oldest first.
        applied: the revisions that the database has.
        scripts: the files.
        settings: of the session.
        is_own: whether the database is one's own, where a revision may be taken back freely.
    """
    if not journal:
        return {}
    found = {script.revision: _digest(script) for script in applied}
    digests = {revision: known for revision, known in found.items() if known is not None}
    severity = severity_of(settings)
    return verify_journal(
        journal, paths(scripts), digests, other_checksum, severity=severity, is_own=is_own
    )
