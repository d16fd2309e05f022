"""What env.py calls: the joint through which every door reaches the same run."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from alembic.util import asbool
from sqlalchemy.engine import URL, Connection

from work_data_hub.config import get_settings
from work_data_hub.config.database_url import mask, scrub
from work_data_hub.domain.project.env_rewrite import DECIDED_OPTIONS
from work_data_hub.domain.run.plan import RunResult
from work_data_hub.errors import UsageError
from work_data_hub.io.schema import engine
from work_data_hub.io.schema.alembic_bridge import (
    call as alembic_call,
)
from work_data_hub.io.schema.alembic_bridge import (
    database_choice,
)
from work_data_hub.io.schema.alembic_bridge import (
    model_differences as drift,
)
from work_data_hub.io.schema.alembic_bridge.call import Kind
from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
from work_data_hub.io.schema.alembic_bridge.faults import INTERRUPTED, as_fault, interrupted
from work_data_hub.io.schema.alembic_bridge.request import request_of
from work_data_hub.io.schema.authoring.writer import (
    compare_server_default,
    keep_head_file,
    name_by_the_rule,
    render_without_application_code,
)
from work_data_hub.io.schema.locks.retries import Retries
from work_data_hub.io.schema.locks.run_lock import run_lock
from work_data_hub.io.schema.record import framework_tables
from work_data_hub.io.schema.run.executor import Execution
from work_data_hub.io.schema.run.guard import RunGuard

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa
    from alembic.runtime.environment import EnvironmentContext

    from work_data_hub.config import Settings
    from work_data_hub.io.schema.alembic_bridge.database_choice import DatabaseChoice


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
    alembic_call.log_to_standard_error(environment.config)
    _Session(environment, {"target_metadata": target_metadata, **options}).run()


class _Session:
    """One call of env.py."""

    def __init__(self, environment: EnvironmentContext, options: dict[str, Any]) -> None:
        self._environment = environment
        self._options = options
        self._request = request_of(environment.config)
        self._execution: Execution | None = None
        self._url: URL | None = None

    def run(self) -> None:
        with self._faults_for_people():
            self._refuse_replacements()
            kind = alembic_call.kind_of(self._environment)
            if kind is Kind.FILES:
                self._work_on_files()
            elif kind is Kind.SQL:
                self._print_sql()
            elif kind is Kind.READ:
                self._look_at_database()
            else:
                self._change_database()

    def _refuse_replacements(self) -> None:
        """Refuse what would take the run out of the package's hands."""
        for option in sorted(DECIDED_OPTIONS & self._options.keys()):
            raise UsageError(
                f"env.py passes {option} to run(), which is the package's to decide",
                hint=f"remove {option}; the database is chosen by settings or -x database_url",
            )

    def _work_on_files(self) -> None:
        """Write or list revision files; no database is needed, so none is looked at."""
        self._prepare_new_files()
        self._configure(dialect_name="sqlite", as_sql=True)
        self._environment.run_migrations()

    def _prepare_new_files(self) -> None:
        scripts = self._environment.script
        if self._follows_the_rule:
            name_by_the_rule(scripts, self._faults_for_people)
        keep_head_file(scripts, self._faults_for_people, create=self._follows_the_rule)

    def _print_sql(self) -> None:
        self._configure(
            url=self._choose(get_settings()).target.url,
            literal_binds=True,
            dialect_opts={"paramstyle": "named"},
            transactional_ddl=True,
        )
        with self._environment.begin_transaction():
            self._environment.run_migrations()

    def _look_at_database(self) -> None:
        settings = get_settings()
        choice = self._choose(settings)
        target = choice.target
        with ExitStack() as stack:
            if choice.connection is not None:
                connection = stack.enter_context(engine.real_transactions(choice.connection))
            elif engine.exists(target.url):
                connection = stack.enter_context(engine.connect(target.url, read_only=True))
            else:
                # To look at a database that is not there must not create it.
                connection = stack.enter_context(engine.connect(URL.create("sqlite")))
            self._execution = Execution(
                self._environment.context_opts["fn"], preview=self._request.preview
            )
            self._configure(connection=connection, fn=self._execution.steps, dont_mutate=True)
            self._prepare_new_files()
            self._environment.run_migrations()
            self._report(connection)
            if self._request.look is not None:
                self._request.look(self._view(connection, choice, settings))
        drift.report(self._environment)

    def _change_database(self) -> None:
        settings = get_settings()
        permissions = alembic_call.permissions_of(self._environment)
        choice = self._choose(settings)
        target = choice.target
        with ExitStack() as stack:
            if choice.connection is not None:
                connection = stack.enter_context(engine.real_transactions(choice.connection))
            else:
                wait = settings.connect_wait
                connection = stack.enter_context(engine.connect(target.url, wait_seconds=wait))
            # The caller's own engine may have another driver: the lock's is always ours.
            side_engine = engine.create_engine(target.url)
            lock = stack.enter_context(
                run_lock(
                    side_engine,
                    self._history(connection),
                    settings.run_lock_wait,
                    self._request.observer.waiting,
                )
            )
            stack.enter_context(engine.foreign_keys_off(connection))
            guard = RunGuard(
                connection,
                side_engine,
                lock,
                self._environment.script,
                settings,
                permissions,
                self._version_table,
                self._options.get("version_table_schema"),
                self._request.observer.waiting,
            )
            if permissions.record_environment is not None:
                self._record_environment(guard)
                return
            if self._request.empty is not None:
                guard.refuse_reset()
                self._request.empty(self._view(connection, choice, settings))
                return
            stack.enter_context(guard.standing())
            self._run_steps(connection, guard, settings)

    def _record_environment(self, guard: RunGuard) -> None:
        if "destination_rev" in self._environment.context_opts:
            raise UsageError(
                "record_environment does not go together with a migration",
                hint="alembic -x record_environment=NAME ensure_version",
            )
        guard.record_environment()

    def _run_steps(self, connection: Connection, guard: RunGuard, settings: Settings) -> None:
        options = self._environment.context_opts
        if options.get("purge"):
            guard.refuse_destruction("stamp --purge")
            # Alembic empties the version table before it looks whether the revision exists.
            list(options["fn"]((), None))
        self._execution = Execution(
            options["fn"],
            guard=guard,
            retries=Retries(settings.lock_deadline),
            observer=self._request.observer,
        )
        self._configure(
            connection=connection,
            fn=self._execution.steps,
            transactional_ddl=True,
            on_version_apply=guard.applied,
            version_table_schema=guard.schema,
        )
        self._execution.run(self._environment.run_migrations)
        self._report(connection)

    def _view(
        self, connection: Connection, choice: DatabaseChoice, settings: Settings
    ) -> DatabaseView:
        versions = self._execution.plan.current if self._execution else ()
        schema = self._options.get("version_table_schema")
        history = self._version_table, schema, versions
        scripts = self._environment.script
        return DatabaseView(connection, scripts, choice.target, settings, *history)

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
            "compare_server_default": compare_server_default,
        }
        self._environment.configure(
            **{
                **defaults,
                **self._options,
                "include_name": self._without_our_tables,
                **options,
            }
        )

    def _without_our_tables(self, name: str | None, kind: str, parents: Any) -> bool:
        """Hide the framework's tables from autogenerate and check."""
        if kind == "table" and name in {*framework_tables.NAMES, self._version_table}:
            return False
        include = self._options.get("include_name")
        return include is None or bool(include(name, kind, parents))

    @property
    def _follows_the_rule(self) -> bool:
        """Whether new revisions of this project are named by their time."""
        return asbool(self._environment.config.get_alembic_option("revision_environment"))

    @property
    def _version_table(self) -> str:
        return str(self._options.get("version_table", "alembic_version"))

    def _history(self, connection: Connection) -> str:
        """What tells one history in a database from another; the key of the run lock."""
        schema = self._options.get("version_table_schema")
        return f"{schema or connection.dialect.default_schema_name or ''}.{self._version_table}"

    def _choose(self, settings: Settings) -> DatabaseChoice:
        choice = database_choice.choose(self._environment, settings)
        self._url = choice.target.url
        return choice

    @contextmanager
    def _faults_for_people(self) -> Iterator[None]:
        """Word every foreseeable fault; under the `alembic` command, end with its exit code."""
        try:
            yield
        except Exception as error:
            fault = as_fault(error, scripts=self._environment.script, execution=self._execution)
            if fault is None:
                raise
            fault.hide(self._scrubbed)
            self._end_command(fault.for_people(), fault.exit_code, error)
            if fault is error:
                raise
            raise fault from error
        except KeyboardInterrupt as error:
            error.add_note(interrupted(self._execution))
            self._end_command(interrupted(self._execution), INTERRUPTED, error)
            raise

    def _scrubbed(self, text: str) -> str:
        return scrub(text, self._url) if self._url is not None else text

    def _end_command(self, text: str, exit_code: int, error: BaseException) -> None:
        """Under the `alembic` command say it and end; a program gets the error itself."""
        config = self._environment.config
        raises = getattr(config.cmd_opts, "raiseerr", False)
        if alembic_call.from_command_line(config) and not raises:
            print(text, file=sys.stderr)  # noqa: T201
            raise SystemExit(exit_code) from error
