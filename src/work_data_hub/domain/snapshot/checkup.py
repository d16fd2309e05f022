"""A check-up: everything that is unhealthy about a live database, and what mends it for certain."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.finding import ERROR, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable


class Repair(NamedTuple):
    """A statement that mends a finding, and is certain to do no harm.

    Attributes:
        code: of the finding.
        statement: what is executed, as it is shown.
        lock: executed before it in its transaction; empty where nothing need be locked.
        condition: a query that must say true under that lock; empty where nothing need be asked.
        is_outside: whether it runs outside of any transaction, beside those of others.
    """

    code: str
    statement: str
    lock: str = ""
    condition: str = ""
    is_outside: bool = False


class Diagnosis(NamedTuple):
    """Something unhealthy, and what mends it, where that is certain to do no harm."""

    finding: Finding
    repair: Repair | None = None


class Checkup(NamedTuple):
    """What was found in a database, at one moment.

    Attributes:
        database: its URL, without the password.
        diagnoses: what is unhealthy; none in a healthy database.
    """

    database: str
    diagnoses: tuple[Diagnosis, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, the errors first."""
        found = [each.finding for each in self.diagnoses]
        return tuple(sorted(found, key=lambda finding: finding.severity != ERROR))

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What mends some of it."""
        return tuple(each.repair for each in self.diagnoses if each.repair is not None)

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is an error; warnings are only worth knowing."""
        return all(finding.severity == WARNING for finding in self.findings)


class Mended(NamedTuple):
    """What became of a repair.

    Attributes:
        repair: which.
        fault: why it was not done, one line; empty where it was.
    """

    repair: Repair
    fault: str = ""


def ill(code: str, message: str, hint: str, repair: Repair | None = None) -> Diagnosis:
    """Return what is an error."""
    return Diagnosis(Finding(code, message, hint=hint), repair)


def worth_knowing(code: str, message: str, hint: str, repair: Repair | None = None) -> Diagnosis:
    """Return what is a warning."""
    return Diagnosis(Finding(code, message, severity=WARNING, hint=hint), repair)


class NotLookedAtError(Exception):
    """A question that was not answered: no rights, too little time, a table that is locked.

    Attributes:
        is_denied: whether it is a question of rights.
    """

    def __init__(self, reason: str, *, is_denied: bool = False) -> None:
        super().__init__(reason)
        self.is_denied = is_denied


class DamagedError(Exception):
    """A question that the engine cannot answer, because what it reads is damaged."""


def damaged(what: str) -> Diagnosis:
    """Return that the engine finds its own files damaged.

    Args:
        what: it says.
    """
    return ill(
        "damaged",
        what,
        "`REINDEX` builds indexes anew; a row that breaks a constraint is to be corrected; what is"
        " damaged still must come from a backup",
    )


def not_looked_at(what: str, why: NotLookedAtError) -> Diagnosis:
    """Return that something is not known.

    Args:
        what: was not looked at.
        why: it was not.
    """
    hint = "look again when the database is less busy"
    if why.is_denied:
        hint = "look again as a role that may read it, such as one of pg_read_all_data"
    return worth_knowing("not-looked-at", f"{what}: not looked at: {why}", hint)


def counted(count: int, limit: int, noun: str) -> str:
    """Return a count for people, of which no more is known than that it is over a limit."""
    number = f"more than {limit}" if count > limit else str(count)
    return f"{number} {noun}{'s' * (count != 1)}"


def listed(names: Iterable[str], shown: int = 3) -> str:
    """Return some names for people, and how many more there are."""
    found = [*names]
    more = f" and {len(found) - shown} more" if len(found) > shown else ""
    return ", ".join(found[:shown]) + more
