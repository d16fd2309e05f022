"""What env.py calls: the joint through which every door reaches the same run."""

from __future__ import annotations

import logging
import logging.config
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import URL, Connection

from work_data_hub.config import DatabaseTarget, choose_database, get_settings
from work_data_hub.config.database_url import mask
from work_data_hub.domain.plan import RunResult
from work_data_hub.io.schema import alembic_call, drift, engine
from work_data_hub.io.schema.alembic_call import ExplicitDatabase, Kind
from work_data_hub.io.schema.executor import Execution
from work_data_hub.io.schema.faults import as_fault
from work_data_hub.io.schema.new_revisions import (
    name_by_the_rule,
    render_without_application_code,
)
from work_data_hub.io.schema.sqlite_foreign_keys import ForeignKeyGuard

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext


def run(context: Any, *, target_metadata: sa.MetaData | None = None, **options: Any) -> None:
    """Do what Alembic was asked to do, with the package's guarantees.

    An env.py needs nothing else::

        from alembic import context
        from work_data_hub.io.schema.environment import run

        run(context, target_metadata=metadata)

    Args:
        context: the module ``alembic.context``.
        target_metadata: the tables that autogenerate and check compare with.
        options: further options of Alembic's ``EnvironmentContext.configure``.

    Raises:
        WorkDataHubError: for every foreseeable fault when a program called Alembic. Under the
            `alembic` command the fault is two lines on standard error and the exit code.
    """
    environment: EnvironmentContext = context._proxy  # noqa: SLF001  # the only way to its `fn`
    _log_to_standard_error(environment.config)
    _Session(environment, {"target_metadata": target_metadata, **options}).run()


class _Session:
    """One call of env.py."""

    def __init__(self, environment: EnvironmentContext, options: dict[str, Any]) -> None:
        self._environment = environment
        self._options = options
        self._request = alembic_call.request_of(environment.config)
        self._execution: Execution | None = None

    def run(self) -> None:
        with self._faults_for_people():
            kind = alembic_call.kind_of(self._environment)
            if kind is Kind.FILES:
                self._work_on_files()
            elif kind is Kind.SQL:
                self._print_sql()
            else:
                self._work_on_database(kind)

    def _work_on_files(self) -> None:
        """Write or list revision files; no database is needed, so none is looked at."""
        name_by_the_rule(self._environment.script, self._faults_for_people)
        self._configure(dialect_name="sqlite", as_sql=True)
        self._environment.run_migrations()

    def _print_sql(self) -> None:
        self._configure(
            url=self._target(self._explicit()).url,
            literal_binds=True,
            dialect_opts={"paramstyle": "named"},
            transactional_ddl=True,
        )
        with self._environment.begin_transaction():
            self._environment.run_migrations()

    def _work_on_database(self, kind: Kind) -> None:
        with self._connection(kind) as connection:
            self._execution = Execution(
                self._environment.context_opts["fn"], preview=self._request.preview
            )
            self._configure(
                connection=connection,
                fn=self._execution.steps,
                dont_mutate=kind is Kind.READ,
                transactional_ddl=True,
                on_version_apply=ForeignKeyGuard(connection).verify,
            )
            if kind is Kind.READ:
                name_by_the_rule(self._environment.script, self._faults_for_people)
            self._environment.run_migrations()
            self._report(connection)
        drift.report(self._environment)

    def _report(self, connection: Connection) -> None:
        assert self._execution is not None
        plan = self._execution.plan
        self._request.plan = plan
        self._request.result = RunResult(
            database=mask(connection.engine.url),
            before=plan.current,
            after=self._environment.get_context().get_current_heads(),
            steps=tuple(self._execution.finished),
        )

    def _configure(self, **options: Any) -> None:
        defaults = {
            "transaction_per_migration": True,
            # One revision file serves both engines: SQLite alters by batch.
            "render_as_batch": True,
            "render_item": render_without_application_code,
            "compare_server_default": True,
        }
        self._environment.configure(**{**defaults, **self._options, **options})

    def _explicit(self) -> ExplicitDatabase:
        return alembic_call.explicit_database(self._environment)

    def _target(self, explicit: ExplicitDatabase) -> DatabaseTarget:
        return choose_database(
            get_settings(),
            explicit.url,
            explicit_source=explicit.source,
            folder=alembic_call.folder_of(self._environment.config),
        )

    @contextmanager
    def _connection(self, kind: Kind) -> Iterator[Connection]:
        explicit = self._explicit()
        target = self._target(explicit)
        with ExitStack() as stack:
            if explicit.connection is not None:
                connection = stack.enter_context(engine.real_transactions(explicit.connection))
            elif kind is Kind.READ and not engine.exists(target.url):
                # To look at a database that is not there must not create it.
                connection = stack.enter_context(engine.connect(URL.create("sqlite")))
            else:
                read_only = kind is Kind.READ
                connection = stack.enter_context(engine.connect(target.url, read_only=read_only))
            stack.enter_context(engine.foreign_keys_off(connection))
            yield connection

    @contextmanager
    def _faults_for_people(self) -> Iterator[None]:
        """Word every foreseeable fault; under the `alembic` command, end with its exit code."""
        try:
            yield
        except Exception as error:
            fault = as_fault(error, scripts=self._environment.script, execution=self._execution)
            if fault is None:
                raise
            config = self._environment.config
            if alembic_call.from_command_line(config) and not getattr(
                config.cmd_opts, "raiseerr", False
            ):
                print(fault.for_people(), file=sys.stderr)  # noqa: T201
                raise SystemExit(fault.exit_code) from error
            if fault is error:
                raise
            raise fault from error


def _log_to_standard_error(config: Config) -> None:
    """Log as alembic.ini says, under the `alembic` command only.

    A program that calls Alembic keeps its own logging: fileConfig would replace it.
    """
    if alembic_call.from_command_line(config) and config.file_config.has_section("loggers"):
        assert config.config_file_name is not None
        logging.config.fileConfig(config.config_file_name, disable_existing_loggers=False)
