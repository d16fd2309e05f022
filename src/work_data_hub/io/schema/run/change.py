"""Changes a database: chosen, connected to, locked, admitted, and only then run."""

from __future__ import annotations

import logging
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from work_data_hub.domain.run import protection
from work_data_hub.errors import UsageError
from work_data_hub.io.schema import engine
from work_data_hub.io.schema.alembic_bridge.call import (
    is_migration,
    is_purge,
    permissions_of,
    plan_of_alembic,
)
from work_data_hub.io.schema.alembic_bridge.database_choice import choose, told
from work_data_hub.io.schema.alembic_bridge.request import request_of
from work_data_hub.io.schema.locks.retries import Retries
from work_data_hub.io.schema.locks.run_lock import run_lock
from work_data_hub.io.schema.record.facts import read_facts
from work_data_hub.io.schema.run.admission import Admission
from work_data_hub.io.schema.run.as_applied import as_applied
from work_data_hub.io.schema.run.executor import Execution
from work_data_hub.io.schema.run.guard import RunGuard
from work_data_hub.io.schema.run.session_settings import kept_while_idle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alembic.runtime.environment import EnvironmentContext
    from sqlalchemy.engine import Connection, Engine

    from work_data_hub.domain.run.plan import Step
    from work_data_hub.io.schema.alembic_bridge.configuration import Configuration
    from work_data_hub.io.schema.alembic_bridge.database_choice import DatabaseChoice
    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.alembic_bridge.ending import Ending
    from work_data_hub.io.schema.alembic_bridge.request import Permissions, Request
    from work_data_hub.io.schema.locks.run_lock import Lock
    from work_data_hub.io.schema.record.facts import DatabaseFacts

log = logging.getLogger(__name__)


def change(configuration: Configuration, ending: Ending) -> None:
    """Run a command of Alembic that changes the database, and what the front door asks.

    Args:
        configuration: of the call of env.py.
        ending: is told which database it is, and how far the run got.
    """
    environment = configuration.environment
    request, permissions = request_of(environment.config), permissions_of(environment)
    choice = choose(configuration)
    ending.target, url = choice.target, choice.target.url
    if request.place is not None:
        request.place(url)
        return request.report(ending.progress, url)
    with _opened(choice, environment) as connection, ExitStack() as stack:
        # The caller's own engine may have another driver: the lock's is always ours.
        side_engine, tell = engine.create_engine(url), request.observer.waiting
        view = configuration.view(connection, choice)
        lock, facts = stack.enter_context(_locked(view, side_engine, tell))
        admission = Admission.of(view, facts, permissions)
        if _work_beside(admission, request):
            return request.report(ending.progress, url)
        stack.enter_context(engine.foreign_keys_off(connection))
        if request.empty is not None:
            admission = _emptied(admission, request.empty, permissions)
        versions: tuple[str, ...] = ()
        if permissions.record_environment is not None:
            _refuse_migration(environment)
            admission.record_environment(permissions.record_environment)
        else:
            kind = _guard_of_trial() if permissions.dry_run else RunGuard
            guard = stack.enter_context(kind(admission, lock, side_engine, tell).standing())
            run = partial(_run_steps, configuration, ending, admission, guard)
            if permissions.dry_run:
                request.untried = _tried(run, connection, ending)
            else:
                run()
            versions = environment.get_context().get_current_heads()
        return request.report(ending.progress, url, versions)


def _emptied(
    admission: Admission, empty: Callable[[DatabaseView], None], permissions: Permissions
) -> Admission:
    """Drop what is there; its record is gone, what it is has not changed."""
    admission.refuse_reset()
    view = admission.view
    empty(view)
    facts = read_facts(view.connection, view.history, view.schema)
    view.connection.rollback()
    return Admission(view, facts, admission.target, permissions)


def _guard_of_trial() -> type[RunGuard]:
    # Imported for those who try: no other run pays for it.
    from work_data_hub.io.schema.run.dry_run import TrialGuard

    return TrialGuard


def _tried(run: Callable[[], None], connection: Connection, ending: Ending) -> tuple[Step, ...]:
    from work_data_hub.io.schema.run.dry_run import try_out

    return try_out(run, connection, ending.progress)


@contextmanager
def _opened(choice: DatabaseChoice, environment: EnvironmentContext) -> Iterator[Connection]:
    config, target = environment.config, choice.target
    request = request_of(config)
    may_create = request.loading is None and request.mend is None
    if not may_create and choice.connection is None and not engine.exists(target.url):
        raise UsageError(f"there is no database {target}", hint="run `wdh db upgrade` first")
    if target.driver.replaced is not None:
        log.info("the driver is %s", target.driver)
    wait_seconds = choice.settings.connect_wait
    with told(config, target.run_url), choice.open(wait_seconds=wait_seconds) as connection:
        yield connection


@contextmanager
def _locked(
    view: DatabaseView, side_engine: Engine, tell: Callable[[str], None]
) -> Iterator[tuple[Lock, DatabaseFacts]]:
    """Hold the run lock of the history that the version table belongs to, and say what is known.

    Which table that is depends on the role's search path: the lock is named by where it was found.
    While it was waited for, another run may have made one elsewhere on that path.
    """
    # SQLite has no search path, and the question would wait for the revision of another run.
    if view.connection.dialect.name == "sqlite":
        yield from _taken(view, view.schema, side_engine, tell)
        return
    facts = read_facts(view.connection, view.history, view.schema)
    view.connection.rollback()
    with kept_while_idle(view.connection, facts.backend_pid):
        yield from _taken(view, facts.schema, side_engine, tell)


def _taken(
    view: DatabaseView, schema: str | None, side_engine: Engine, tell: Callable[[str], None]
) -> Iterator[tuple[Lock, DatabaseFacts]]:
    while True:
        view.connection.rollback()
        name, wait = f"{schema or ''}.{view.history}", view.settings.run_lock_wait
        with run_lock(side_engine, name, wait, tell) as lock:
            found = read_facts(view.connection, view.history, view.schema)
            view.connection.rollback()
            if found.schema == schema:
                yield lock, found
                return
            schema = found.schema


def _work_beside(admission: Admission, request: Request) -> bool:
    """Do what was asked for beside the revisions; return whether there was something."""
    if request.loading is not None:
        admission.refuse_strangers()
        admission.refuse_loading(request.loading.name)
        request.loading.load(admission.view)
    elif request.mend is not None:
        admission.refuse_strangers()
        confirmed = admission.permissions.confirm
        protection.refuse(protection.check_repair(admission.target, confirmed))
        request.mend(admission.view)
    else:
        return False
    return True


def _migrate(configuration: Configuration, admission: Admission) -> None:
    """Run Alembic's loop; it empties the version table first, where a purge was asked for.

    Alembic commits that at once, unless a transaction is open: this one ends as what is admitted.
    """
    connection, is_purged = admission.view.connection, is_purge(configuration.environment)
    if is_purged and not admission.is_done and not connection.in_transaction():
        connection.begin()
    configuration.run_migrations()


def _refuse_migration(environment: EnvironmentContext) -> None:
    if is_migration(environment):
        raise UsageError(
            "record_environment does not go together with a migration",
            hint="alembic -x record_environment=NAME ensure_version",
        )


def _run_steps(
    configuration: Configuration, ending: Ending, admission: Admission, guard: RunGuard
) -> None:
    environment = configuration.environment
    request, plan_steps = request_of(environment.config), plan_of_alembic(environment)
    if request.own_only is not None:
        protection.refuse(protection.check_own(admission.target, *request.own_only))
    if is_purge(environment):
        admission.refuse_destruction("stamp --purge")
        # Alembic empties the version table before it looks whether the revision exists.
        list(plan_steps((), None))
    execution = Execution(
        as_applied(plan_steps, admission, request.lost),
        admit=admission.admit,
        guard=guard,
        retries=Retries(admission.patience),
        observer=request.observer,
        progress=ending.progress,
    )
    configuration.apply(
        connection=admission.view.connection,
        fn=execution.steps,
        transactional_ddl=True,
        on_version_apply=guard.applied,
        version_table_schema=admission.schema,
    )
    execution.run(partial(_migrate, configuration, admission))
