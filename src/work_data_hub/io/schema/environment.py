"""What env.py calls: the joint through which every door reaches the same run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from work_data_hub.config import get_settings
from work_data_hub.domain.project.env_rewrite import DECIDED_OPTIONS
from work_data_hub.errors import UsageError
from work_data_hub.io.schema.alembic_bridge import database_choice
from work_data_hub.io.schema.alembic_bridge.call import (
    Kind,
    environment_of,
    kind_of,
    log_to_standard_error,
)
from work_data_hub.io.schema.alembic_bridge.configuration import Configuration
from work_data_hub.io.schema.alembic_bridge.ending import Ending
from work_data_hub.io.schema.authoring.writer import (
    compare_server_default,
    prepare_new_files,
    render_without_application_code,
)
from work_data_hub.io.schema.run.change import change
from work_data_hub.io.schema.run.look import look

if TYPE_CHECKING:
    import sqlalchemy as sa

_DEFAULTS = {
    "transaction_per_migration": True,
    # One revision file serves both engines: SQLite alters by batch.
    "render_as_batch": True,
    "render_item": render_without_application_code,
    "compare_server_default": compare_server_default,
}


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
    environment = environment_of(context)
    log_to_standard_error(environment.config)
    given = {**_DEFAULTS, "target_metadata": target_metadata, **options}
    configuration, ending = Configuration(environment, given), Ending(environment)
    with ending.faults_for_people():
        _refuse_replacements(options)
        kind = kind_of(environment)
        if kind is Kind.FILES:
            _work_on_files(configuration, ending)
        elif kind is Kind.SQL:
            _print_sql(configuration, ending)
        elif kind is Kind.READ:
            look(configuration, ending)
        else:
            change(configuration, ending)


def _refuse_replacements(options: dict[str, Any]) -> None:
    """Refuse what would take the run out of the package's hands."""
    for option in sorted(DECIDED_OPTIONS & options.keys()):
        raise UsageError(
            f"env.py passes {option} to run(), which is the package's to decide",
            hint=f"remove {option}; the database is chosen by settings or -x database_url",
        )


def _work_on_files(configuration: Configuration, ending: Ending) -> None:
    """Write or list revision files; no database is needed, so none is looked at."""
    prepare_new_files(configuration, ending.faults_for_people)
    configuration.apply(dialect_name="sqlite", as_sql=True)
    configuration.environment.run_migrations()


def _print_sql(configuration: Configuration, ending: Ending) -> None:
    environment = configuration.environment
    ending.url = database_choice.choose(environment, get_settings()).target.url
    configuration.apply(
        url=ending.url,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        transactional_ddl=True,
    )
    with environment.begin_transaction():
        environment.run_migrations()
