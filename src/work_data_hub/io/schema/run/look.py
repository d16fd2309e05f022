"""Looks at a database for those who ask: what is current or pending, what differs; no change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy.engine import URL

from work_data_hub.errors import CheckFoundError
from work_data_hub.io.schema import engine
from work_data_hub.io.schema.alembic_bridge import model_differences
from work_data_hub.io.schema.alembic_bridge.call import compares_tables, plan_of_alembic
from work_data_hub.io.schema.alembic_bridge.database_choice import choose
from work_data_hub.io.schema.alembic_bridge.request import request_of
from work_data_hub.io.schema.authoring.writer import prepare_new_files
from work_data_hub.io.schema.record import history_check, identity
from work_data_hub.io.schema.record.facts import read_facts
from work_data_hub.io.schema.run.executor import plan_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext, MigrationStep
    from sqlalchemy.engine import Connection

    from work_data_hub.io.schema.alembic_bridge.configuration import Configuration
    from work_data_hub.io.schema.alembic_bridge.database_choice import DatabaseChoice
    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.alembic_bridge.ending import Ending


def look(configuration: Configuration, ending: Ending) -> None:
    """Run a command of Alembic that only reads the database, and what the front door asks.

    Args:
        configuration: of the call of env.py.
        ending: is told which database it is, and the plan.
    """
    environment = configuration.environment
    request, choice = request_of(environment.config), choose(configuration)
    ending.target = choice.target
    plan_steps = plan_of_alembic(environment)

    def only_plan(heads: tuple[str, ...], context: MigrationContext) -> Iterator[MigrationStep]:
        ending.progress.plan = plan_of(heads)
        try:
            _refuse_to_generate_from(heads, environment)
            ending.progress.plan = plan_of(heads, plan_steps(heads, context))
        except (CommandError, RevisionError):
            _refuse_unknown(heads, configuration.view(connection, choice))
            raise
        return iter(())

    with _opened(choice) as connection:
        configuration.apply(connection=connection, fn=only_plan, dont_mutate=True)
        prepare_new_files(configuration, ending.faults_for_people)
        configuration.run_migrations()
        versions = environment.get_context().get_current_heads()
        request.report(ending.progress, choice.target.url, versions)
        if request.look is not None:
            view = configuration.view(connection, choice)
            request.look(replace(view, versions=ending.progress.plan.current))
    model_differences.report(environment)


def _opened(choice: DatabaseChoice) -> AbstractContextManager[Connection]:
    if choice.connection is None and not engine.exists(choice.target.url):
        # To look at a database that is not there must not create it.
        return engine.connect(URL.create("sqlite"), read_only=True)
    return choice.open(read_only=True)


def _refuse_unknown(heads: tuple[str, ...], view: DatabaseView) -> None:
    """Name a revision that no file declares, and what can be done about it on this database."""
    facts = read_facts(view.connection, view.history, view.schema)
    target = identity.read_target(view.connection, facts, view.settings.environment)
    history_check.refuse_unknown(view.scripts, heads, is_own=target.is_own)


def _refuse_to_generate_from(heads: tuple[str, ...], environment: EnvironmentContext) -> None:
    """Refuse to compare with a database that lacks revisions (as ``run_autogenerate`` would)."""
    if not compares_tables(environment):
        return
    scripts = environment.script
    if set(scripts.get_revisions(heads)) != set(scripts.get_revisions("heads")):
        raise CheckFoundError(
            "the database is not at head", hint="run `alembic upgrade head` first"
        )
