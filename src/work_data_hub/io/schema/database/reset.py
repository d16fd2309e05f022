"""Drops everything that is in a database of dev or of tests, and builds it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alembic import command

from work_data_hub.config.database_url import mask
from work_data_hub.domain.run import protection
from work_data_hub.errors import UsageError
from work_data_hub.io.schema.alembic_bridge import commands
from work_data_hub.io.schema.alembic_bridge.request import Permissions, Request
from work_data_hub.io.schema.database.content import DatabaseObject, drop_content, read_content
from work_data_hub.io.schema.record import identity
from work_data_hub.io.schema.record.facts import read_facts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy.engine import URL

    from work_data_hub.domain.run.plan import RunResult
    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.alembic_bridge.observer import RunObserver


@dataclass(frozen=True)
class ResetPlan:
    """What a reset will drop.

    Attributes:
        database: its URL, without the password.
        name: what a person confirms: the database's name, or that of its file.
        environment: what it is recorded as; None before the first run.
        schemas: PostgreSQL's schemas that will be emptied; empty for SQLite, where all goes.
        objects: what is in them now.
    """

    database: str
    name: str
    environment: str | None
    schemas: tuple[str, ...]
    objects: tuple[DatabaseObject, ...]


def plan_reset(
    database_url: str | URL | None = None,
    *,
    schemas: Sequence[str] = (),
    alembic_ini: Path | None = None,
) -> ResetPlan:
    """Return what ``reset`` would drop. Changes nothing.

    Raises:
        RefusedError, WorkDataHubError: as ``reset``.
    """
    return commands.seen(lambda view: _planned(view, schemas), database_url, alembic_ini)


def reset(
    database_url: str | URL | None = None,
    *,
    schemas: Sequence[str] = (),
    agreed: ResetPlan | None = None,
    alembic_ini: Path | None = None,
    observer: RunObserver | None = None,
) -> RunResult:
    """Drop everything that is in a database of dev or of tests, and build it up to the heads.

    PostgreSQL: every object of the schemas, and what depends on it; never the schemas, the
    extensions or the database itself. SQLite: the content of the file. The journal goes too.
    What is dropped is dropped in one transaction, or in several where a server has no room for so
    many locks; the same run, under one lock, builds again.

    Args:
        database_url: the database; the settings decide when it is left out.
        schemas: further schemas; that of the version table and the default one always count.
        agreed: what somebody was shown, and agreed to: that and nothing else is dropped.
        alembic_ini: the project.
        observer: is told of every step; the log when it is left out.

    Raises:
        RefusedError: the database is neither dev nor ephemeral, or not of this session, or holds
            something else than was agreed to, or one that needs more locks than there is room for.
        UsageError: there is no such schema.
        MigrationFailedError: the role may not drop something, and nothing was dropped; or a
            revision failed, and those before it are there.
        WorkDataHubError: as ``migration_runner.upgrade``.
    """
    # Asked before any lock is taken, and again under it (Admission.refuse_reset).
    plan = agreed or plan_reset(database_url, schemas=schemas, alembic_ini=alembic_ini)
    request = Request.of(database_url, Permissions(), observer)
    objects = plan.objects if agreed else None
    request.empty = lambda view: drop_content(
        view.connection, plan.schemas, view.history, view.settings.lock_timeout, objects
    )
    commands.run(request, lambda config: command.upgrade(config, "heads"), alembic_ini)
    return request.reported()


def _planned(view: DatabaseView, further_schemas: Sequence[str]) -> ResetPlan:
    connection, session = view.connection, view.settings.environment
    facts = read_facts(connection, view.history, view.schema)
    target = identity.read_target(connection, facts, session)
    protection.refuse(protection.check_reset(target))
    protection.refuse(protection.check_environment(target, session))
    schemas = _schemas(view, facts.schema, further_schemas)
    return ResetPlan(
        database=mask(view.target.url),
        name=target.name,
        environment=target.recorded_environment,
        schemas=schemas,
        objects=read_content(connection, schemas),
    )


def _schemas(view: DatabaseView, found: str | None, further: Sequence[str]) -> tuple[str, ...]:
    if view.connection.dialect.name != "postgresql":
        if further:
            raise UsageError("SQLite has no schemas", hint="leave --schema out")
        return ()
    names = view.connection.exec_driver_sql("SELECT nspname FROM pg_namespace").scalars().all()
    for name in further:
        if name not in names or name.startswith("pg_") or name == "information_schema":
            raise UsageError(
                f"there is no schema {name!r} to empty", hint="name one of the database's own"
            )
    default = view.connection.exec_driver_sql("SELECT current_schema()").scalar()
    return tuple(sorted({name for name in (default, found, *further) if name}))
