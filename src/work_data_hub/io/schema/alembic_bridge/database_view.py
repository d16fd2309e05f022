"""What a call of env.py decided on: which database, which history, which files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory
    from sqlalchemy.engine import Connection

    from work_data_hub.config import DatabaseTarget
    from work_data_hub.config.plain_settings import PlainSettings


@dataclass(frozen=True)
class DatabaseView:
    """What is handed to whoever looks at a database, or empties it.

    Attributes:
        connection: to the database; in memory where a SQLite file is not there yet.
        scripts: the revision files.
        target: which database, and what decided on it.
        settings: the session's.
        history: the name of the version table.
        schema: its schema, where env.py gave one.
        ini: the project's alembic.ini; None where a program configures Alembic without one.
        versions: its rows, where they were looked at.
        is_ours: whether the connection was opened for the run, and by the package.
    """

    connection: Connection
    scripts: ScriptDirectory
    target: DatabaseTarget
    settings: PlainSettings
    history: str
    schema: str | None
    ini: str | None
    versions: tuple[str, ...] = ()
    is_ours: bool = False
