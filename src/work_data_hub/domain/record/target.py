"""What a database is: an identity that is recorded in it, and an environment class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from work_data_hub.domain.record.environment_class import ENVIRONMENT_CLASSES, EnvironmentClass

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ENVIRONMENT_CLASSES",
    "EnvironmentClass",
    "Identity",
    "Target",
    "identity_of_copy",
    "strictest",
]


@dataclass(frozen=True)
class Identity:
    """What a database says it is.

    Names do not identify a database; what is stored in it does.

    Attributes:
        id: random, made at the first run.
        environment: dev, staging, prod, or ephemeral for a test database.
        pin: what a copy cannot inherit (PostgreSQL: system identifier and database OID).
    """

    id: str
    environment: EnvironmentClass
    pin: str


@dataclass(frozen=True)
class Target:
    """The database of a run, as far as protection needs to know it.

    Attributes:
        name: what a person confirms: the database's name, or the name of its file.
        is_local: whether it is on this machine.
        identity: what it says it is; None before the first run.
        session: the class of the session, which a database of this machine is recorded as.
    """

    name: str
    is_local: bool
    identity: Identity | None
    session: EnvironmentClass = "dev"

    @property
    def effective_environment(self) -> EnvironmentClass:
        """The class that protection goes by; a stranger on another machine counts as prod."""
        if self.identity is not None:
            return self.identity.environment
        return self.session if self.is_local else "prod"


def strictest(classes: Iterable[EnvironmentClass]) -> EnvironmentClass:
    """Return the class that protects most."""
    return max(classes, key=("ephemeral", "dev", "staging", "prod").index)


def identity_of_copy(
    found: Identity, *, new_id: str, pin: str, session: EnvironmentClass, is_local: bool
) -> Identity:
    """Return the identity that a copy gets.

    A copy on this machine belongs to the session that found it. A copy elsewhere may be the
    original after a move or an upgrade of its server: it keeps its class. So does a copy of a
    throw-away database.
    """
    keeps = found.environment == "ephemeral" or not is_local
    return Identity(new_id, found.environment if keeps else session, pin)
