"""Mends what a check-up found, where that is certain to do no harm: locked, and journalled."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from work_data_hub.domain.snapshot.checkup import Mended
from work_data_hub.errors import RefusedError
from work_data_hub.io.schema.alembic_bridge import commands
from work_data_hub.io.schema.alembic_bridge.request import Permissions, Request
from work_data_hub.io.schema.drivers import is_of_driver
from work_data_hub.io.schema.engine import autocommit, said
from work_data_hub.io.schema.record import identity
from work_data_hub.io.schema.record.facts import read_facts
from work_data_hub.io.schema.record.journal import journal_of
from work_data_hub.io.schema.run.session_settings import SessionSettings, milliseconds
from work_data_hub.io.schema.snapshot.doctor import examine
from work_data_hub.io.schema.snapshot.doctor_look import plain_session
from work_data_hub.io.schema.snapshot.doctor_record import read_versions
from work_data_hub.io.schema.snapshot.schema_record import SchemaRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import URL

    from work_data_hub.domain.snapshot.checkup import Checkup, Repair
    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.alembic_bridge.observer import RunObserver
    from work_data_hub.io.schema.record.journal import Journal

_LEFT_OVER = "left-over-index"


def repair(
    checkup: Checkup,
    database_url: str | URL | None = None,
    *,
    confirm: str | None = None,
    alembic_ini: Path | None = None,
    observer: RunObserver | None = None,
) -> tuple[Mended, ...]:
    """Do what a check-up says is certain to do no harm, under the run lock, each in the journal.

    Each statement is a transaction of its own, or runs outside of any; one that fails leaves
    nothing and ends none of the others. What is not so any more is left alone.

    Args:
        checkup: what somebody was shown, and agreed to: its repairs and nothing else are done.
        database_url: the database; the settings decide when it is left out.
        confirm: the name of the database, which staging and prod require.
        alembic_ini: the project.
        observer: is told what is waited for; the log when it is left out.

    Returns:
        What became of each, in order.

    Raises:
        RefusedError: the database is of another environment, is staging or prod and was not named,
            or has no journal.
        LockTimeoutError: another run did not end in time.
        SettingsError, DatabaseUnavailableError, UsageError: as ``seed``.
    """
    done: list[Mended] = []
    request = Request.of(database_url, Permissions(confirm=confirm), observer)
    request.mend = lambda view: done.extend(_mend(view, checkup.repairs))
    commands.change_beside(request, alembic_ini).reported()
    return tuple(done)


def _mend(view: DatabaseView, agreed: tuple[Repair, ...]) -> Iterator[Mended]:
    facts = read_facts(view.connection, view.history, view.schema)
    journal = journal_of(view, facts)
    if journal is None:
        raise RefusedError("the journal cannot be read", hint="let a role do it that may")
    with _kept_schema(view, journal):
        found = examine(view).repairs
        for each in agreed:
            if each not in found:
                yield Mended(each, "it is not so any more, or somebody is at it")
                continue
            done = _done(view, journal, each)
            yield done
            if done.fault and each.is_outside:
                # What failed concurrently has left what it began with.
                for left in examine(view).repairs:
                    if left.code == _LEFT_OVER and left not in found:
                        _done(view, journal, left)


@contextmanager
def _kept_schema(view: DatabaseView, journal: Journal) -> Iterator[None]:
    """Keep what the schema is after the block, where it was as the last run left it."""
    facts = read_facts(view.connection, view.history, view.schema)
    target = identity.read_target(view.connection, facts, view.settings.environment)
    record = SchemaRecord(view, facts, journal, target.effective_environment)
    is_as_left = record.changed(read_versions(view, facts)) is None
    view.connection.rollback()
    yield
    if is_as_left:
        with view.connection.begin():
            record.keep(read_versions(view, facts))


def _done(view: DatabaseView, journal: Journal, each: Repair) -> Mended:
    """Do it, and write the journal of it."""
    started, connection = datetime.now(UTC), view.connection
    try:
        if each.is_outside:
            _execute_outside(view, each)
            with connection.begin():
                journal.add(each.code, "fix", started_at=started, detail=each.statement)
        elif not _execute(view, journal, each, started):
            return Mended(each, "it is not so any more")
    except Exception as error:
        if not (isinstance(error, SQLAlchemyError) or is_of_driver(error)):
            raise
        connection.rollback()
        fault = said(error)
        detail = f"{each.statement}: {fault}"
        with suppress(SQLAlchemyError), connection.begin():
            journal.add(each.code, "fix", outcome="failed", started_at=started, detail=detail)
        return Mended(each, fault)
    return Mended(each)


def _execute(view: DatabaseView, journal: Journal, each: Repair, started: datetime) -> bool:
    """Execute a statement and write the journal in one transaction; return whether it was due."""
    connection, settings = view.connection, view.settings
    options = {"no_parameters": True}
    with connection.begin():
        if connection.dialect.name == "postgresql":
            for name in ("lock_timeout", "statement_timeout"):
                value = milliseconds(getattr(settings, name))
                connection.exec_driver_sql(f"SET LOCAL {name} = '{value}'")
            plain_session(connection)
        if each.lock:
            connection.exec_driver_sql(each.lock, execution_options=options)
        if each.condition:
            is_due = connection.exec_driver_sql(each.condition, execution_options=options).scalar()
            if not is_due:
                return False
        connection.exec_driver_sql(each.statement, execution_options=options)
        journal.add(each.code, "fix", started_at=started, detail=each.statement)
    return True


def _execute_outside(view: DatabaseView, each: Repair) -> None:
    """Execute what works concurrently: it may wait long for others, and blocks nobody."""
    connection, settings = view.connection, view.settings
    facts = read_facts(connection, view.history, view.schema)
    time_outs = settings.lock_deadline, settings.statement_timeout
    session = SessionSettings(connection, facts.backend_pid, *time_outs, is_ours=view.is_ours)
    session.apply()
    try:
        with autocommit(connection) as raw, raw.cursor() as cursor:
            cursor.execute(each.statement)
    finally:
        session.give_back()
