"""Loads a seed file into the database that is meant, if it is of this session's environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.config import choose_database, get_settings
from work_data_hub.domain.record.record import IDENTITY, VERSION_TABLE
from work_data_hub.domain.run.protection import check_environment
from work_data_hub.errors import RefusedError, UsageError
from work_data_hub.io.schema import engine
from work_data_hub.io.schema.database.seed_file import SeedResult, load_seeds, read_seed_file
from work_data_hub.io.schema.record import identity
from work_data_hub.io.schema.record.facts import read_facts
from work_data_hub.io.schema.revisions import project_files

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL, Connection

    from work_data_hub.config import Settings


def seed(
    database_url: str | URL | None = None,
    file: Path | None = None,
    *,
    alembic_ini: Path | None = None,
) -> SeedResult:
    """Execute a seed file in one transaction.

    Args:
        database_url: the database; the settings decide when it is left out.
        file: the SQL; WorkDataHub's own seeds when left out, for its own project alone.
        alembic_ini: the project.

    Raises:
        UsageError: a file is not there or cannot be read, or the project ships none.
        RefusedError: the database is recorded as of another environment.
        DatabaseUnavailableError: it does not answer, or is not there.
        SeedFailedError: nothing was loaded.
    """
    ini = project_files.meant(alembic_ini)
    path = file or _shipped(ini)
    script = read_seed_file(path)  # refused before the database is touched
    settings = get_settings()
    folder = project_files.database_folder(ini)
    target = choose_database(settings, database_url, folder=folder)
    if not engine.exists(target.url):
        raise UsageError(f"there is no database {target}", hint="run `wdh db upgrade` first")
    with engine.connect(target.url, wait_seconds=settings.connect_wait) as connection:
        _refuse_other_environment(connection, settings)
        connection.rollback()
        return load_seeds(connection, script, path=path)


def _shipped(ini: Path) -> Path:
    if ini != project_files.alembic_ini():
        raise UsageError("this project ships no seeds", hint="name the file: wdh db seed FILE")
    return project_files.seed_file()


def _refuse_other_environment(connection: Connection, settings: Settings) -> None:
    facts = read_facts(connection, VERSION_TABLE, None)
    if IDENTITY not in facts.framework_tables:
        return
    refusal = check_environment(
        identity.read_target(connection, facts, settings.environment), settings.environment
    )
    if refusal is not None:
        raise RefusedError(refusal.reason, hint=refusal.way_out)
