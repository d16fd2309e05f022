"""The verb that loads data: seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.cli import project_config
from work_data_hub.cli.answer import Answer

if TYPE_CHECKING:
    from argparse import Namespace


def seed(call: Namespace) -> Answer:
    """Load a seed file in one transaction."""
    from work_data_hub.io.schema import migration_runner

    ini = project_config.find(call.config)
    result = migration_runner.seed(
        call.database_url, call.file, confirm=call.confirm, alembic_ini=ini
    )
    said = f"{result.rows} rows loaded" if result.rows else "nothing had to be done"
    return Answer({"statements": result.statements, "rows": result.rows}, (said,))
