"""The verb that loads data: seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from work_data_hub.cli import project_config
from work_data_hub.cli.answer import Answer
from work_data_hub.cli.verb import CONFIRM, argument, verb

if TYPE_CHECKING:
    from argparse import Namespace


@verb(
    argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="SQL; default: the seeds that WorkDataHub ships",
    ),
    CONFIRM,
    examples=("wdh db seed", "wdh db seed my_rows.sql"),
    when_interrupted="all of the file was loaded, or nothing of it",
)
def seed(call: Namespace) -> Answer:
    """Load a seed file in one transaction."""
    from work_data_hub.io.schema import migration_runner

    ini = project_config.find(call.config)
    result = migration_runner.seed(
        call.database_url, call.file, confirm=call.confirm, alembic_ini=ini
    )
    said = f"{result.rows} rows loaded" if result.rows else "nothing had to be done"
    return Answer({"statements": result.statements, "rows": result.rows}, (said,))
