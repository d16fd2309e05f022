"""May this run touch this database? The only home of that decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from work_data_hub.domain.record.environment_class import go_together

if TYPE_CHECKING:
    from collections.abc import Iterable

    from work_data_hub.domain.record.environment_class import EnvironmentClass
    from work_data_hub.domain.record.target import Target

_PROTECTED = ("staging", "prod")


@dataclass(frozen=True)
class Refusal:
    """Why not, and the way out; both are one line."""

    reason: str
    way_out: str


def check_environment(target: Target, session: EnvironmentClass) -> Refusal | None:
    """Refuse a session of another environment class, such as a dev shell on production.

    A database that is not recorded yet takes the session's class; a throw-away one belongs to
    every session.
    """
    if target.identity is None or go_together(target.identity.environment, session):
        return None
    recorded = target.identity.environment
    return Refusal(
        f"the database {target.name!r} is recorded as {recorded}, but ENVIRONMENT is {session}",
        f"set ENVIRONMENT={recorded} if this database is meant, else correct the URL; the guide"
        " says how to change what is recorded",
    )


def check_destructive(target: Target, operation: str, confirmed: str | None) -> Refusal | None:
    """Refuse to destroy on staging or prod unless the database was named.

    Args:
        target: the database.
        operation: what would be done, in words.
        confirmed: the name that was given as confirmation, if any.
    """
    return _unless_confirmed(target, f"{operation} is destructive", confirmed)


def check_loading(target: Target, file: str, confirmed: str | None) -> Refusal | None:
    """Refuse to load rows into staging or prod unless the database was named.

    Args:
        target: the database.
        file: what would be loaded.
        confirmed: the name that was given as confirmation, if any.
    """
    return _unless_confirmed(target, f"loading {file} changes rows", confirmed)


def _unless_confirmed(target: Target, what: str, confirmed: str | None) -> Refusal | None:
    if target.effective_environment not in _PROTECTED or confirmed == target.name:
        return None
    known = (
        f"is {target.effective_environment}"
        if target.identity is not None
        else "carries no identity and is not on this machine, so it counts as prod"
    )
    wrong = f" ({confirmed!r} is not its name)" if confirmed is not None else ""
    return Refusal(
        f"{what}, and the database {target.name!r} {known}{wrong}",
        f"confirm it by the name of the database: alembic -x confirm={target.name} ...,"
        f" --confirm {target.name}, or confirm={target.name!r}",
    )


def check_recording(
    target: Target, wanted: EnvironmentClass, confirmed: str | None
) -> Refusal | None:
    """Refuse to move a database away from staging or prod unless it was named."""
    if target.effective_environment == wanted:
        return None
    return check_destructive(target, f"recording it as {wanted}", confirmed)


def check_reset(target: Target) -> Refusal | None:
    """Refuse to drop everything, unless the database is dev or a throw-away one.

    No confirmation changes that: where data matters nobody drops all of it by a migration tool.
    """
    if target.effective_environment not in _PROTECTED:
        return None
    known = "is" if target.identity is not None else "is not recorded here, and counts as"
    return Refusal(
        f"a reset drops everything, and the database {target.name!r} {known}"
        f" {target.effective_environment}",
        "only databases of dev and of tests are reset; check that this database is meant",
    )


def check_record(target: Target, missing_tables: Iterable[str]) -> Refusal | None:
    """Refuse a database of which a part of the framework's record was removed.

    What it was is not known any more. Not to be asked of a database without any record.
    """
    missing = sorted(missing_tables)
    if not missing and target.identity is not None:
        return None
    lost = "the tables " + ", ".join(missing) if missing else "the row of work_data_hub_identity"
    return Refusal(
        f"{lost} were removed from the database {target.name!r}",
        "restore them; or drop all of work_data_hub_identity, _journal and _in_progress, and the"
        " database is taken over as at its first run",
    )
