"""The SQL of a migration as a script, for those who run it by hand; needs no database."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from alembic import command

from work_data_hub.errors import UsageError
from work_data_hub.io.schema.alembic_bridge import commands
from work_data_hub.io.schema.alembic_bridge.request import Request

if TYPE_CHECKING:
    from pathlib import Path

    from alembic.config import Config
    from sqlalchemy.engine import URL


def sql(
    database_url: str | URL | None = None,
    revision: str = "head",
    *,
    downgrade: bool = False,
    alembic_ini: Path | None = None,
) -> str:
    """Return the script of an upgrade, or of a downgrade; nothing is connected to or changed.

    What a revision reads from the database cannot be known, and the framework's journal is not
    written by a script: the next run adopts what it finds applied.

    Args:
        database_url: names the kind of database; the settings decide when it is left out.
        revision: where to go from an empty database, or ``FROM:TO``; a downgrade needs both.
        downgrade: go down.
        alembic_ini: the project.

    Raises:
        UsageError: a downgrade without ``FROM:TO``, or more than one colon.
        HistoryError: a revision is unknown, or FROM does not lead to TO.
    """
    if revision.count(":") > 1:
        raise UsageError("there is more than one colon in the revision", hint="write FROM:TO")
    if downgrade and ":" not in revision:
        raise UsageError(
            "the script of a downgrade needs to know where it starts", hint="write FROM:TO"
        )
    written = io.StringIO()

    def write(config: Config) -> None:
        config.output_buffer = written
        (command.downgrade if downgrade else command.upgrade)(config, revision, sql=True)

    commands.run(Request(database_url=database_url), write, alembic_ini)
    return written.getvalue()
