"""What a database is: an identity that is recorded in it, and an environment class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.record.environment_class import (
    ENVIRONMENT_CLASSES,
    OWN_CLASSES,
    EnvironmentClass,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ENVIRONMENT_CLASSES",
    "EnvironmentClass",
    "HiddenRecord",
    "Identity",
    "Target",
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


class HiddenRecord(NamedTuple):
    """A table of the framework's that is there and tells nothing.

    Attributes:
        table: with its schema.
        remedy: what makes it tell, for those who may.
        is_ours: whether it is one of the history's own.
    """

    table: str
    remedy: str
    is_ours: bool


@dataclass(frozen=True)
class Target:
    """The database of a run, as far as protection needs to know it.

    Attributes:
        name: what a person confirms: the database's name, or the name of its file.
        is_local: whether it is on this machine.
        identity: what it says it is; None before the first run.
        session: the class of the session, which a database of this machine is recorded as.
        is_copy: whether the identity came with a copy, or with the original to another place.
        has_tables: whether there are tables beside the framework's.
        hidden: records that are there and cannot be read.
    """

    name: str
    is_local: bool
    identity: Identity | None
    session: EnvironmentClass = "dev"
    is_copy: bool = False
    has_tables: bool = False
    hidden: tuple[HiddenRecord, ...] = ()

    @property
    def recorded_environment(self) -> EnvironmentClass | None:
        """What it is recorded as: prod where that cannot be read; None before the first run."""
        if self.hidden:
            return "prod"
        return self.identity.environment if self.identity is not None else None

    @property
    def effective_environment(self) -> EnvironmentClass:
        """The class that protection goes by; a stranger on another machine counts as prod."""
        return self.recorded_environment or (self.session if self.is_local else "prod")

    @property
    def is_own(self) -> bool:
        """Whether it is a database of dev or of tests, to do with as one likes."""
        return self.effective_environment in OWN_CLASSES


def strictest(classes: Iterable[EnvironmentClass]) -> EnvironmentClass:
    """Return the class that protects most."""
    return max(classes, key=("ephemeral", "dev", "staging", "prod").index)
