"""The identity of a database: recorded in it at the first run, and looked at before every other."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import sqlalchemy as sa

from work_data_hub.domain.record.record import VERSION_TABLE
from work_data_hub.domain.record.target import (
    ENVIRONMENT_CLASSES,
    EnvironmentClass,
    Identity,
    Target,
    identity_of_copy,
    strictest,
)
from work_data_hub.errors import RefusedError
from work_data_hub.io.schema.record.facts import is_local, read_facts
from work_data_hub.io.schema.record.framework_tables import IDENTITY, framework_tables

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from work_data_hub.io.schema.record.facts import DatabaseFacts

log = logging.getLogger(__name__)


def read_identity(connection: Connection, history: str = VERSION_TABLE) -> Identity | None:
    """Return what a database is recorded as; None when it is not."""
    facts = read_facts(connection, history, None)
    return _read(connection, facts.schema) if IDENTITY in facts.framework_tables else None


def read_target(connection: Connection, facts: DatabaseFacts, session: EnvironmentClass) -> Target:
    """Return what the database says it is; a copy is given the identity that it shall get.

    Nothing is written: see ``record``.
    """
    local = is_local(connection)
    found = [_read(connection, schema) for schema in facts.identity_schemas]
    recorded = [identity for identity in found if identity is not None]
    if not recorded:
        return Target(facts.name, local, None, session)
    # Another schema may hold another history of the same database.
    identity = with_environment(recorded[0], strictest(one.environment for one in recorded))
    if identity.pin != facts.pin:
        identity = identity_of_copy(
            identity, new_id=str(uuid4()), pin=facts.pin, session=session, is_local=local
        )
    return Target(facts.name, local, identity, session)


def new_identity(environment: EnvironmentClass, pin: str) -> Identity:
    """Return an identity that no database has yet."""
    return Identity(str(uuid4()), environment, pin)


def with_environment(found: Identity, environment: EnvironmentClass) -> Identity:
    """Return the identity with another environment class."""
    return replace(found, environment=environment)


def record(connection: Connection, schema: str | None, identity: Identity) -> None:
    """Write the identity as the only one, in the transaction of the connection."""
    table = framework_tables(schema).identity
    connection.execute(table.delete())
    connection.execute(
        table.insert().values(
            id=identity.id,
            environment=identity.environment,
            pin=identity.pin,
            recorded_at=datetime.now(UTC),
        )
    )
    log.info("this database is recorded as %s", identity.environment)


def is_recorded(connection: Connection, schema: str | None, identity: Identity) -> bool:
    """Whether the database already says exactly that."""
    return _read(connection, schema) == identity


def _read(connection: Connection, schema: str | None) -> Identity | None:
    table = framework_tables(schema).identity
    row = connection.execute(sa.select(table)).first()
    if row is None:
        return None
    if row.environment not in ENVIRONMENT_CLASSES:
        raise RefusedError(
            f"{IDENTITY} says {row.environment!r}, which is no environment class",
            hint=f"it must be one of {', '.join(ENVIRONMENT_CLASSES)}",
        )
    return Identity(row.id, cast("EnvironmentClass", row.environment), row.pin)
