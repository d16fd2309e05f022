"""Does a database have revisions that are about to be rewritten?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.record.applied import applied_rows
from work_data_hub.errors import DatabaseUnavailableError, RefusedError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from work_data_hub.config import DatabaseTarget
    from work_data_hub.domain.revisions.history import History

_OWN = {"dev", "ephemeral"}


def database_notes(
    revisions: Sequence[str], history: History, database_url: str | None, ini: Path
) -> tuple[str, ...]:
    """Return what a person must do with a database of their own that has the revisions.

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
        return ()
    try:
        target, held, environment = _held(database_url, history, ini)
    except (DatabaseUnavailableError, SettingsError) as error:
        if database_url is not None:
            raise
        return (f"the settings' database was not asked: {error.message}",)
    found = [revision for revision in revisions if revision in held]
    if not found:
        return ()
    if database_url is not None or environment not in _OWN:
        raise RefusedError(
            f"{target} ({environment or 'not recorded'}) has {', '.join(found)} already",
            hint="make a new revision that changes what it did; what was applied stays as it is",
        )
    return (
        f"{target} has {', '.join(found)} applied: take it back first"
        f" (`wdh db downgrade {_below(found[0], history)}`), or drop that database and"
        " build it anew (`wdh db reset`)",
    )


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


def _below(revision: str, history: History) -> str:
    parents = history.revisions[revision].down_revisions
    return parents[0] if len(parents) == 1 else "base"
