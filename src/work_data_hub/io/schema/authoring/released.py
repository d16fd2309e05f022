"""Does a database have revisions that are about to be rewritten?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.record.applied import applied_rows
from work_data_hub.domain.record.environment_class import OWN_CLASSES
from work_data_hub.errors import DatabaseUnavailableError, RefusedError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from work_data_hub.config import DatabaseTarget
    from work_data_hub.domain.revisions.history import History


class Applied(NamedTuple):
    """What a database has of the revisions that are about to be rewritten.

    Attributes:
        revisions: those; they must be taken back first.
        notes: what a person should know of it.
    """

    revisions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def applied_in(
    revisions: Sequence[str], history: History, database_url: str | None, ini: Path
) -> Applied:
    """Return what a database of one's own has of revisions that are about to be rewritten.

    Args:
        revisions: those that are about to be rewritten.
        history: as the files are now.
        database_url: a database that must have none of them; left out, the settings' own.
        ini: the project's alembic.ini.

    Raises:
        RefusedError: the database that was named, or one that is not one's own, has them.
        DatabaseUnavailableError: the database that was named does not answer.
    """
    if not revisions:
        return Applied()
    try:
        target, held, environment = _held(database_url, history, ini)
    except (DatabaseUnavailableError, SettingsError) as error:
        if database_url is not None:
            raise
        return Applied(notes=(f"the settings' database was not asked: {error.message}",))
    found = tuple(revision for revision in revisions if revision in held)
    if not found:
        return Applied()
    if database_url is not None or environment not in OWN_CLASSES:
        raise RefusedError(
            f"{target} ({environment or 'not recorded'}) has {', '.join(found)} already",
            hint="make a new revision that changes what it did; what was applied stays as it is",
        )
    note = (
        f"{target} has {', '.join(found)} applied: it is taken back there first, with all that"
        " builds on it"
    )
    return Applied(found, (note,))


def _held(
    database_url: str | None, history: History, ini: Path
) -> tuple[DatabaseTarget, set[str], str | None]:
    # Imported here: a plan without a database to ask needs neither.
    from work_data_hub.io.schema.alembic_bridge.commands import seen
    from work_data_hub.io.schema.record.status import read_held

    target, found = seen(lambda view: (view.target, read_held(view)), database_url, ini)
    journalled = applied_rows(found.journal, since_last_stamp=True)
    held = history.with_needs(found.versions) | journalled.keys()
    return target, held, found.identity.environment if found.identity else None
