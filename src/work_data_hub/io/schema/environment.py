"""What env.py calls: the joint through which every door reaches the same run.

What a run needs is imported inside, where Ctrl-C is worded too: it takes half of a short run.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from work_data_hub.errors import UsageError
from work_data_hub.io.schema.alembic_bridge.call import (
    Kind,
    environment_of,
    kind_of,
    log_to_standard_error,
)
from work_data_hub.io.schema.alembic_bridge.ending import Ending
from work_data_hub.io.schema.alembic_bridge.revision_map import read_when_needed
from work_data_hub.io.schema.run.nothing_to_do import is_settled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa
    from alembic.runtime.environment import EnvironmentContext
    from sqlalchemy.engine import URL

    from work_data_hub.io.schema.alembic_bridge.configuration import Configuration


def run(
    context: Any,
    *,
    target_metadata: sa.MetaData | Sequence[sa.MetaData] | None = None,
    default_url: str | URL | None = None,
    migration_arguments: Mapping[str, Any] | None = None,
    **options: Any,
) -> None:
    """Do what Alembic was asked to do, with the package's guarantees.

    An env.py needs nothing else::

        from alembic import context
        from work_data_hub.io.schema.environment import run

        run(context, target_metadata=metadata)

    Args:
        context: the module ``alembic.context``.
        target_metadata: the tables that autogenerate and check compare with; of several
            libraries, a list.
        default_url: the project's own database, where neither the caller nor DATABASE_URL says
            another; left out, it is ``sqlalchemy.url`` in alembic.ini.
        migration_arguments: what each revision's ``upgrade`` and ``downgrade`` is called with.
        options: further options of Alembic's ``EnvironmentContext.configure``.

    Raises:
        WorkDataHubError: for every foreseeable fault when a program called Alembic. Under the
            `alembic` command the fault is two lines on standard error and the exit code.
    """
    environment = environment_of(context)
    ending = Ending(environment)
    with ending.faults_for_people():
        _prepare(environment)
        if is_settled(environment):
            return
        kind, given = kind_of(environment), {"target_metadata": target_metadata, **options}
        configuration = _configured(environment, kind, given, default_url, migration_arguments)
        _answer(kind, configuration, ending)


def _prepare(environment: EnvironmentContext) -> None:
    log_to_standard_error(environment.config)
    read_when_needed(environment.script, environment.config)


def _configured(
    environment: EnvironmentContext,
    kind: Kind,
    given: dict[str, Any],
    default_url: str | URL | None,
    migration_arguments: Mapping[str, Any] | None,
) -> Configuration:
    from work_data_hub.io.schema.alembic_bridge.configuration import Configuration

    if given.keys() > {"target_metadata"}:
        _refuse_replacements(given)
    options = {**_defaults(kind), **given}
    return Configuration(environment, options, default_url, migration_arguments or {})


def _answer(kind: Kind, configuration: Configuration, ending: Ending) -> None:
    if kind is Kind.FILES:
        _work_on_files(configuration, ending)
    elif kind is Kind.SQL:
        from work_data_hub.io.schema.run.sql_script import print_script

        print_script(configuration, ending)
    elif kind is Kind.READ:
        from work_data_hub.io.schema.run.look import look

        look(configuration, ending)
    else:
        from work_data_hub.io.schema.run.change import change

        change(configuration, ending)


def _refuse_replacements(options: dict[str, Any]) -> None:
    """Refuse what would take the run out of the package's hands."""
    from work_data_hub.domain.project.env_options import DECIDED_OPTIONS

    for option in sorted(DECIDED_OPTIONS & options.keys()):
        raise UsageError(
            f"env.py passes {option} to run(), which is the package's to decide",
            hint=f"remove {option}; the database is chosen by settings or -x database_url",
        )


def _defaults(kind: Kind) -> dict[str, Any]:
    """Return what is passed to Alembic where env.py passes nothing else."""
    if kind in (Kind.SQL, Kind.CHANGE):
        return {"transaction_per_migration": True}
    from work_data_hub.io.schema.authoring import server_defaults, writer

    return {
        "transaction_per_migration": True,
        # One revision file serves both engines: SQLite alters by batch.
        "render_as_batch": True,
        "render_item": writer.render_without_application_code,
        **server_defaults.comparing(),
    }


def _work_on_files(configuration: Configuration, ending: Ending) -> None:
    """Write or list revision files; no database is needed, so none is looked at."""
    from work_data_hub.io.schema.authoring.writer import prepare_new_files

    prepare_new_files(configuration, ending.faults_for_people)
    # Alembic before 1.19 writes a DROP of its table when nothing is applied.
    unread = io.StringIO()
    configuration.apply(dialect_name="sqlite", as_sql=True, output_buffer=unread)
    configuration.run_migrations()
