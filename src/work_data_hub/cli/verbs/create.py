"""The verb that makes the place of a database: create."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.cli import project_config
from work_data_hub.cli.answer import Answer
from work_data_hub.cli.verb import verb

if TYPE_CHECKING:
    from argparse import Namespace


@verb(
    examples=("wdh db create", "wdh db create --database-url sqlite:///folder/of_mine.db"),
    when_interrupted="the database was created, empty, or not at all",
)
def create(call: Namespace) -> Answer:
    """Make the database that is meant, empty."""
    from work_data_hub.io.schema import migration_runner

    ini = project_config.find(call.config)
    made = migration_runner.create(call.database_url, alembic_ini=ini)
    way = project_config.named(call).in_commands("`wdh db upgrade` fills it")
    did = f"created, empty; {way}" if made.was_created else "is there already"
    return Answer(
        {"database": made.database, "created": made.was_created}, (f"{made.database}: {did}",)
    )
