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
    HiddenRecord,
    Identity,
    Target,
    strictest,
)
from work_data_hub.errors import RefusedError
from work_data_hub.io.schema.record.facts import is_local, read_facts
from work_data_hub.io.schema.record.framework_tables import IDENTITY, framework_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy.engine import Connection

    from work_data_hub.io.schema.record.facts import DatabaseFacts

log = logging.getLogger(__name__)


def read_identity(
    connection: Connection, history: str = VERSION_TABLE, schema: str | None = None
) -> Identity | None:
    """Return what a database is recorded as; None when it is not.

    Raises:
        RefusedError: the role may not read it.
    """
    facts = read_facts(connection, history, schema)
    refuse_hidden(facts)
    return _read(connection, facts.schema) if IDENTITY in facts.framework_tables else None


def refuse_hidden(facts: DatabaseFacts) -> None:
    """Refuse to say what this history records, where the role may not read it.

    Raises:
        RefusedError: with what lets it.
    """
    for record in facts.hidden:
        if record.is_ours:
            raise RefusedError(
                f"{record.table} cannot be read", hint=f"let somebody who may do: {record.remedy}"
            )


def read_target(connection: Connection, facts: DatabaseFacts, session: EnvironmentClass) -> Target:
    """Return what the database says it is; a copy is given the identity that it shall get.

    Every schema with an identity counts, the strictest decides: it is one database. Nothing is
    written: see ``record``.
    """
    found = {schema: _read(connection, schema) for schema in facts.identity_schemas}
    recorded = {schema: one for schema, one in found.items() if one is not None}
    hidden = *facts.hidden, *_emptied(found.keys() - recorded.keys() - {facts.schema})
    is_copy = any(one.pin != facts.pin for one in recorded.values())
    return Target(
        name=facts.name,
        is_local=is_local(connection),
        identity=_effective(recorded, facts, is_hidden=bool(hidden)),
        session=session,
        is_copy=is_copy,
        has_tables=facts.has_tables,
        hidden=hidden,
    )


def _effective(
    recorded: Mapping[str | None, Identity], facts: DatabaseFacts, *, is_hidden: bool
) -> Identity | None:
    """Return the identity of the whole database, which a copy does not share with its original."""
    if not recorded:
        return None
    found = recorded.get(facts.schema) or next(iter(recorded.values()))
    if found.pin != facts.pin:
        found = Identity(str(uuid4()), found.environment, facts.pin)
    classes = [one.environment for one in recorded.values()]
    return with_environment(found, "prod" if is_hidden else strictest(classes))


def _emptied(schemas: Iterable[str | None]) -> Iterator[HiddenRecord]:
    """Give the records of other histories that have lost their row, or do not show it to us."""
    for schema in sorted(map(str, schemas)):
        table = f"{schema}.{IDENTITY}"
        remedy = f"restore the row of {table}, or drop the tables work_data_hub_* beside it"
        yield HiddenRecord(table, remedy, is_ours=False)


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
