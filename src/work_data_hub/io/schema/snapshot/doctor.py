"""A check-up of a live database: everything that is unhealthy about it, in one look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.config.database_url import mask
from work_data_hub.domain.snapshot.checkup import Checkup
from work_data_hub.io.schema.alembic_bridge import commands
from work_data_hub.io.schema.alembic_bridge.revision_map import paths
from work_data_hub.io.schema.record.facts import read_facts
from work_data_hub.io.schema.snapshot.doctor_look import Look, one_moment
from work_data_hub.io.schema.snapshot.doctor_postgresql import check_postgresql
from work_data_hub.io.schema.snapshot.doctor_record import check_record
from work_data_hub.io.schema.snapshot.doctor_sqlite import check_sqlite

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView


def doctor(database_url: str | URL | None = None, *, alembic_ini: Path | None = None) -> Checkup:
    """Return everything that is unhealthy about a database. Changes nothing.

    The look takes a bounded time and, on PostgreSQL, two transactions that see one moment each and
    cannot write: it may be production, or a replica. What the role may not read, or what takes too
    long, is a warning. A healthy database has no findings.

    Args:
        database_url: the database; the settings decide when it is left out.
        alembic_ini: the project.

    Raises:
        SettingsError, DatabaseUnavailableError, HistoryError: as ``migration_runner.upgrade``.
    """
    return commands.seen(examine, database_url, alembic_ini)


def examine(view: DatabaseView) -> Checkup:
    """Return what is unhealthy about a database, for who has it open already."""
    connection = view.connection
    facts = read_facts(connection, view.history, view.schema)
    with one_moment(connection):
        found = [*check_record(view)]
    with one_moment(connection):
        look = Look(connection)
        if connection.dialect.name == "postgresql":
            revisions = paths(view.scripts)
            found += check_postgresql(look, facts.schema, view.history, revisions)
        else:
            found += check_sqlite(look)
    return Checkup(mask(view.target.url), tuple(found))
