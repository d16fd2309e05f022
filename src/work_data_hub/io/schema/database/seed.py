"""Loads a seed file into the database that is meant, as a run of its own: locked and journalled."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from work_data_hub.config.current_settings import current_settings
from work_data_hub.config.database_url import database_of
from work_data_hub.domain.record.target import Target
from work_data_hub.domain.revisions.digest import digest
from work_data_hub.domain.run import protection
from work_data_hub.errors import (
    RunInterrupted,
    RunInterruptedError,
    SeedFailedError,
    UsageError,
)
from work_data_hub.io.schema import engine
from work_data_hub.io.schema.alembic_bridge import commands
from work_data_hub.io.schema.alembic_bridge.request import Loading, Permissions, Request
from work_data_hub.io.schema.database.seed_file import SeedResult, load_seeds, read_seed_file
from work_data_hub.io.schema.record.facts import read_facts
from work_data_hub.io.schema.record.identity import read_target
from work_data_hub.io.schema.record.journal import SourceMark, journal_of
from work_data_hub.io.schema.revisions import project_files

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.record.journal import Journal, Outcome


def seed(
    database_url: str | URL | None = None,
    file: Path | None = None,
    *,
    confirm: str | None = None,
    alembic_ini: Path | None = None,
) -> SeedResult:
    """Execute a seed file in one transaction, under the run lock; a row of the journal says so.

    Args:
        database_url: the database; the settings decide when it is left out.
        file: the SQL; WorkDataHub's own seeds when left out, for its own project alone.
        confirm: the name of the database, which staging and prod require.
        alembic_ini: the project.

    Raises:
        UsageError: a file is not there or cannot be read, or the project ships none.
        RefusedError: the database is recorded as of another environment, or is staging or prod
            and was not named.
        LockTimeoutError: another run did not end in time.
        DatabaseUnavailableError: it does not answer, or is not there.
        SeedFailedError: nothing was loaded.
    """
    ini = project_files.meant(alembic_ini)
    path = file or _shipped(ini)
    script = read_seed_file(path)  # refused before the database is touched
    loading = _Seeding(path, script)
    request = Request(database_url=database_url, permissions=Permissions(confirm=confirm))
    request.loading = Loading(path.name, loading.load)
    commands.change_beside(request, ini).reported()
    assert loading.result is not None
    return loading.result


def refuse_unconfirmed(url: URL, file: Path, confirm: str | None) -> None:
    """Refuse a seed of a database that shall be made or migrated first, before that is done.

    Args:
        url: of the database, which need not be there.
        file: that shall be loaded.
        confirm: the name of the database, which staging and prod require.

    Raises:
        RefusedError: the database is staging or prod and was not named.
        DatabaseUnavailableError: it does not answer.
    """

    def target(view: DatabaseView) -> Target:
        facts = read_facts(view.connection, view.history, view.schema)
        return read_target(view.connection, facts, view.settings.environment)

    file_of_it = engine.sqlite_file(url)
    is_there = engine.is_listed(url) if file_of_it is None else engine.exists(url)
    if is_there:
        found = commands.seen(target, url, None)
    else:
        name = database_of(url) or "" if file_of_it is None else file_of_it.name
        found = Target(name, is_local=True, identity=None, session=current_settings().environment)
    protection.refuse(protection.check_loading_later(found, file.name, confirm))


class _Seeding:
    """Loads one file, and writes the journal of it."""

    def __init__(self, path: Path, script: str) -> None:
        self._path = path
        self._script = script
        self._source = SourceMark(None, digest(script.encode()))
        self.result: SeedResult | None = None

    def load(self, view: DatabaseView) -> None:
        """Load it.

        Raises:
            SeedFailedError, RunInterrupted: nothing was loaded.
        """
        started = datetime.now(UTC)
        journal = journal_of(view, read_facts(view.connection, view.history, view.schema))
        view.connection.rollback()

        def record(result: SeedResult) -> None:
            if journal is not None:
                rows = f"{result.rows} rows, {result.statements} statements"
                self._add(journal, started, rows)

        try:
            self.result = load_seeds(view.connection, self._script, path=self._path, record=record)
        except SeedFailedError as error:
            # The first fault is the one to report.
            if journal is not None:
                with contextlib.suppress(SQLAlchemyError), view.connection.begin():
                    self._add(journal, started, error.message, outcome="failed")
            raise
        except KeyboardInterrupt as error:
            left = RunInterruptedError(
                f"interrupted: nothing of {self._path.name} was loaded", hint="load it again"
            )
            raise RunInterrupted(left) from error

    def _add(
        self, journal: Journal, started: datetime, detail: str, outcome: Outcome = "done"
    ) -> None:
        journal.add(
            self._path.name,
            "seed",
            outcome=outcome,
            started_at=started,
            source=self._source,
            detail=detail,
        )


def _shipped(ini: Path) -> Path:
    if ini != project_files.alembic_ini():
        raise UsageError("this project ships no seeds", hint="name the file: wdh db seed FILE")
    return project_files.seed_file()
