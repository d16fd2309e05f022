"""Changes a database: chosen, connected to, locked, admitted, and only then run."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from work_data_hub.config import get_settings
from work_data_hub.errors import UsageError
from work_data_hub.io.schema import engine
from work_data_hub.io.schema.alembic_bridge.call import permissions_of
from work_data_hub.io.schema.alembic_bridge.database_choice import choose
from work_data_hub.io.schema.alembic_bridge.request import request_of
from work_data_hub.io.schema.locks.retries import Retries
from work_data_hub.io.schema.locks.run_lock import run_lock
from work_data_hub.io.schema.run.admission import Admission
from work_data_hub.io.schema.run.executor import Execution
from work_data_hub.io.schema.run.guard import RunGuard

if TYPE_CHECKING:
    from alembic.runtime.environment import EnvironmentContext
    from sqlalchemy.engine import Connection

    from work_data_hub.io.schema.alembic_bridge.configuration import Configuration
    from work_data_hub.io.schema.alembic_bridge.ending import Ending


def change(configuration: Configuration, ending: Ending) -> None:
    """Run a command of Alembic that changes the database, and what the front door asks.

    Args:
        configuration: of the call of env.py.
        ending: is told which database it is, and how far the run got.
    """
    environment, settings = configuration.environment, get_settings()
    request, permissions = request_of(environment.config), permissions_of(environment)
    choice = choose(environment, settings)
    ending.url = choice.target.url
    with choice.open(wait_seconds=settings.connect_wait) as connection, ExitStack() as stack:
        # The caller's own engine may have another driver: the lock's is always ours.
        side_engine, tell = engine.create_engine(ending.url), request.observer.waiting
        history = _history(configuration, connection)
        lock = stack.enter_context(run_lock(side_engine, history, settings.run_lock_wait, tell))
        stack.enter_context(engine.foreign_keys_off(connection))
        view = configuration.view(connection, choice.target, settings)
        admission = Admission.of(view, permissions)
        versions: tuple[str, ...] = ()
        if permissions.record_environment is not None:
            _refuse_migration(environment)
            admission.record_environment(permissions.record_environment)
        elif request.empty is not None:
            admission.refuse_reset()
            request.empty(view)
        else:
            guard = stack.enter_context(RunGuard(admission, lock, side_engine, tell).standing())
            _run_steps(configuration, ending, admission, guard)
            versions = environment.get_context().get_current_heads()
        request.report(ending.progress, ending.url, versions)


def _history(configuration: Configuration, connection: Connection) -> str:
    """Return what tells one history in a database from another; the key of the run lock."""
    schema = configuration.schema or connection.dialect.default_schema_name or ""
    return f"{schema}.{configuration.version_table}"


def _refuse_migration(environment: EnvironmentContext) -> None:
    if "destination_rev" in environment.context_opts:
        raise UsageError(
            "record_environment does not go together with a migration",
            hint="alembic -x record_environment=NAME ensure_version",
        )


def _run_steps(
    configuration: Configuration, ending: Ending, admission: Admission, guard: RunGuard
) -> None:
    environment = configuration.environment
    options = environment.context_opts
    if options.get("purge"):
        admission.refuse_destruction("stamp --purge")
        # Alembic empties the version table before it looks whether the revision exists.
        list(options["fn"]((), None))
    execution = Execution(
        options["fn"],
        admit=admission.admit,
        guard=guard,
        retries=Retries(admission.view.settings.lock_deadline),
        observer=request_of(environment.config).observer,
        progress=ending.progress,
    )
    configuration.apply(
        connection=admission.view.connection,
        fn=execution.steps,
        transactional_ddl=True,
        on_version_apply=guard.applied,
        version_table_schema=admission.schema,
    )
    execution.run(environment.run_migrations)
