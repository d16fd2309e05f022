"""May this run touch this database? The only home of that decision."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from work_data_hub.domain.record.environment_class import go_together
from work_data_hub.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from work_data_hub.domain.record.environment_class import EnvironmentClass
    from work_data_hub.domain.record.target import Target


@dataclass(frozen=True)
class Refusal:
    """Why not, and the way out; both are one line."""

    reason: str
    way_out: str


def refuse(refusal: Refusal | None) -> None:
    """Raise what a check found.

    Raises:
        RefusedError: with the way out.
    """
    if refusal is not None:
        raise RefusedError(refusal.reason, hint=refusal.way_out)


def check_environment(target: Target, session: EnvironmentClass) -> Refusal | None:
    """Refuse a session of another environment class, such as a dev shell on production.

    A throw-away database belongs to every session. What it is before its first run is another
    question (``check_first_run``).
    """
    if target.hidden and session != "prod":
        return _hidden(target)
    if target.identity is None or go_together(target.identity.environment, session):
        return None
    recorded = target.identity.environment
    if target.is_copy:
        return Refusal(
            f"the database {target.name!r} is a copy of one that is recorded as {recorded}, or that"
            f" one in another place, but ENVIRONMENT is {session}",
            f"set ENVIRONMENT={recorded} if it is that one; if it is a copy, say so once:"
            f" {_recording(target, session)}",
        )
    return Refusal(
        f"the database {target.name!r} is recorded as {recorded}, but ENVIRONMENT is {session}",
        f"set ENVIRONMENT={recorded} if this database is meant, else correct the URL; `wdh help"
        " recovery` says how to change what is recorded",
    )


def check_first_run(target: Target, wanted: EnvironmentClass) -> Refusal | None:
    """Refuse to guess what a database of others is: it would be that from then on.

    One of this machine, and one without tables, becomes what its first session is.

    Args:
        target: the database.
        wanted: what it would be recorded as.
    """
    if target.identity is not None or wanted == "prod":
        return None
    if target.hidden:
        return _hidden(target)
    if target.is_local or not target.has_tables:
        return None
    return Refusal(
        f"the database {target.name!r} is not on this machine, has tables and is not recorded, so"
        f" it counts as prod, but it would become {wanted}",
        f"say what it is, once: {_recording(target, wanted)}",
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
    """Refuse to load rows into staging or prod unless the database was named, and has a journal.

    Args:
        target: the database.
        file: what would be loaded.
        confirmed: the name that was given as confirmation, if any.
    """
    if target.identity is None and not target.is_own:
        return _without_journal(target, f"loading {file} changes rows")
    return check_loading_later(target, file, confirmed)


def check_loading_later(target: Target, file: str, confirmed: str | None) -> Refusal | None:
    """Refuse before a run what ``check_loading`` would refuse behind it."""
    return _unless_confirmed(target, f"loading {file} changes rows", confirmed)


def check_repair(target: Target, confirmed: str | None) -> Refusal | None:
    """Refuse to mend a database without a journal, or staging or prod unless it was named.

    Args:
        target: the database.
        confirmed: the name that was given as confirmation, if any.
    """
    what = "a repair changes the database"
    if target.identity is None:
        return _without_journal(target, what)
    return _unless_confirmed(target, what, confirmed)


def _without_journal(target: Target, what: str) -> Refusal:
    return Refusal(
        f"{what}, and no run has been on the database {target.name!r} yet: nothing would tell of"
        " it",
        "run `wdh db upgrade` first",
    )


def _unless_confirmed(target: Target, what: str, confirmed: str | None) -> Refusal | None:
    if target.is_own or confirmed == target.name:
        return None
    wrong = f" ({confirmed!r} is not its name)" if confirmed is not None else ""
    name = shlex.quote(target.name)
    return Refusal(
        f"{what}, and the database {target.name!r} {_class_of(target)}{wrong}",
        f"confirm it by the name of the database: alembic -x confirm={name} ...,"
        f" --confirm {name}, or confirm={target.name!r}",
    )


def check_recording(
    target: Target, wanted: EnvironmentClass, confirmed: str | None
) -> Refusal | None:
    """Refuse to move a database away from staging or prod unless it was named."""
    if target.hidden:
        return _hidden(target)
    if target.effective_environment == wanted:
        return None
    return check_destructive(target, f"recording it as {wanted}", confirmed)


def check_reset(target: Target) -> Refusal | None:
    """Refuse to drop everything, unless the database is dev or a throw-away one.

    No confirmation changes that: where data matters nobody drops all of it by a migration tool.
    """
    if target.is_own:
        return None
    return Refusal(
        f"a reset drops everything, and the database {target.name!r} {_class_of(target)}",
        "only databases of dev and of tests are reset; "
        + (_remedies(target) or "check that this database is meant"),
    )


def check_own(target: Target, operation: str, way_out: str) -> Refusal | None:
    """Refuse what is done to databases of one's own alone: those of dev, and throw-away ones.

    Args:
        target: the database.
        operation: what would be done, in words.
        way_out: what is done elsewhere instead.
    """
    if target.is_own:
        return None
    return Refusal(
        f"{operation} is for databases of dev and of tests, and the database {target.name!r}"
        f" {_class_of(target)}",
        _remedies(target) or way_out,
    )


def check_record(target: Target, missing_tables: Iterable[str]) -> Refusal | None:
    """Refuse a database of which a part of the framework's record was removed, or is out of reach.

    What it was is not known any more. Not to be asked of a database without any record.
    """
    missing = sorted(missing_tables)
    if any(record.is_ours for record in target.hidden):
        return _hidden(target)
    if not missing and target.identity is not None:
        return None
    lost = "the tables " + ", ".join(missing) if missing else "the row of work_data_hub_identity"
    return Refusal(
        f"{lost} were removed from the database {target.name!r}",
        "restore them; or drop all of work_data_hub_identity, _journal and _in_progress, and the"
        " database is taken over as at its first run",
    )


def _hidden(target: Target) -> Refusal:
    tables = ", ".join(record.table for record in target.hidden)
    return Refusal(
        f"{tables} of the database {target.name!r} cannot be read, so it counts as prod",
        f"set ENVIRONMENT=prod if it is, or {_remedies(target)}",
    )


def _remedies(target: Target) -> str:
    """Return what makes hidden records tell; empty where there are none."""
    remedies = "; ".join(record.remedy for record in target.hidden)
    return f"let somebody who may do this: {remedies}" if remedies else ""


def _class_of(target: Target) -> str:
    if target.hidden:
        return f"has a record that cannot be read ({target.hidden[0].table}), so it counts as prod"
    if target.identity is not None:
        return f"is {target.effective_environment}"
    if target.is_local:
        return f"would be recorded as {target.session}"
    return "carries no identity and is not on this machine, so it counts as prod"


def _recording(target: Target, wanted: EnvironmentClass) -> str:
    """Return the command that records a class, with the confirmation that it needs."""
    is_leaving = not target.is_own and target.effective_environment != wanted
    confirm = f"-x confirm={shlex.quote(target.name)} " if is_leaving else ""
    return f"alembic -x record_environment={wanted} {confirm}ensure_version"
