"""Revisions that a database has and no file declares: their texts, as they were applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.config.database_url import mask
from work_data_hub.domain.record.applied import applied_rows
from work_data_hub.domain.revisions.digest import digest
from work_data_hub.domain.revisions.revision_file import Declared
from work_data_hub.domain.revisions.revision_text import read_revision
from work_data_hub.domain.run import protection
from work_data_hub.errors import HistoryError
from work_data_hub.io.schema.alembic_bridge.revision_map import paths
from work_data_hub.io.schema.record import identity
from work_data_hub.io.schema.record.facts import read_facts
from work_data_hub.io.schema.record.status import read_held
from work_data_hub.io.schema.revisions.applied_texts import AppliedTexts
from work_data_hub.io.schema.revisions.git import old_texts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.alembic_bridge.request import OwnOnly


class LostRevision(NamedTuple):
    """A revision that a database has, and of which there is no file.

    Attributes:
        revision: its id.
        text: as it was applied.
        found: where the text was, in words.
        is_what_was_applied: whether the journal's digest says so.
    """

    revision: str
    text: bytes
    found: str
    is_what_was_applied: bool


class LostPlan(NamedTuple):
    """What takes back the revisions whose files are gone.

    Attributes:
        database: its URL, without the password.
        revisions: in the order in which they are taken back; empty when nothing is lost.
    """

    database: str
    revisions: tuple[LostRevision, ...]


def find_lost(view: DatabaseView, operation: OwnOnly) -> LostPlan:
    """Return the revisions of a database that no file declares, down to what the files know.

    Raises:
        RefusedError: the database is staging or prod.
        HistoryError: a text is nowhere, or does not say what it builds on.
    """
    facts = read_facts(view.connection, view.history, view.schema)
    target = identity.read_target(view.connection, facts, view.settings.environment)
    protection.refuse(protection.check_own(target, *operation))
    digests = {row: entry.digest for row, entry in applied_rows(read_held(view).journal).items()}
    known = paths(view.scripts)
    found: dict[str, LostRevision] = {}
    wanted = [version for version in view.versions if version not in known]
    while wanted:
        revision = wanted.pop(0)
        # Put behind all that builds on it: a lower one is taken back later.
        lost = found.pop(revision) if revision in found else _found(view, revision, digests)
        found[revision] = lost
        wanted += [each for each in _needs(lost, digests) if each not in known]
    return LostPlan(mask(view.target.url), tuple(found.values()))


def _needs(lost: LostRevision, applied: Collection[str]) -> tuple[str, ...]:
    """Return what a revision builds on; a dependency may be written as a branch's label."""
    declared = read_revision(lost.text, lost.revision)
    if isinstance(declared, Declared):
        needed = (each for each in declared.depends_on if each in applied)
        return (*declared.down_revisions, *needed)
    raise HistoryError(
        f"the text of {lost.revision} does not say what it builds on",
        hint="build the database anew: `wdh db reset`",
    )


def _found(view: DatabaseView, revision: str, digests: Mapping[str, str | None]) -> LostRevision:
    applied = digests.get(revision)
    text = AppliedTexts().find(applied) if applied else None
    if text is not None:
        return LostRevision(revision, text, "kept on this machine when it was applied", True)
    old = [*old_texts(view.scripts.dir, revision)]
    same = next((each for each in old if digest(each.text) == applied), None)
    if same is None and (applied is not None or not old):
        in_git = "git has other texts of it alone" if old else "git has none"
        raise HistoryError(
            f"the text of {revision} that was applied is not on this machine, and {in_git}",
            hint="build the database anew: `wdh db reset`; or say which revision its tables are at:"
            " `wdh db stamp --purge REVISION`",
        )
    chosen = same or old[0]
    return LostRevision(
        revision, chosen.text, f"{chosen.path} in commit {chosen.commit[:10]}", same is not None
    )
