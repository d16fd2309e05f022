"""The first look at a database: is there nothing to do and nothing wrong?

It imports neither Alembic nor SQLAlchemy, and decides by the rules that the whole run goes by:
``config.choice``, ``domain.applied``, ``domain.environment_class``. Whatever it cannot tell for
certain it does not judge: the whole run then does, and words what is wrong.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.config.choice import DEFAULT_DATABASE, Choice, choose, may_be_used
from work_data_hub.config.database_address import DatabaseAddress, parse_address
from work_data_hub.config.plain_settings import read_plain_settings
from work_data_hub.config.project_root import project_root
from work_data_hub.domain.project.env_file import read_env_file
from work_data_hub.domain.record.standing import KnownHistory, is_settled
from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.schema.revisions import project_files
from work_data_hub.io.schema.revisions.files import other_checksum, read_project

if TYPE_CHECKING:
    from work_data_hub.config.plain_settings import PlainSettings
    from work_data_hub.domain.record.record import DatabaseRecord
    from work_data_hub.domain.revisions.history import History


class Standing(NamedTuple):
    """A database at head, with nothing to do and nothing wrong.

    Attributes:
        address: which database; printed by ``masked()`` alone.
        source: what decided on it, in words.
        environment: what it is recorded as.
        versions: where it stands.
    """

    address: DatabaseAddress
    source: str
    environment: str
    versions: tuple[str, ...]


class Project(NamedTuple):
    """What is looked at beside the database.

    Attributes:
        ini: alembic.ini.
        folder: of env.py.
        history: the revision files.
        names_database: whether the configuration has a ``sqlalchemy.url``.
    """

    ini: Path
    folder: str
    history: History
    names_database: bool


def look(ini: Path, database_url: str | None = None, target: str = "head") -> Standing | None:
    """Return where a database stands, if ``upgrade`` would find nothing to do or to refuse.

    Args:
        ini: the project's alembic.ini.
        database_url: the caller's explicit choice; the settings decide when it is left out.
        target: ``head``, or ``heads`` where several are meant.

    Returns:
        None when that is not certain; only the whole run can tell then. Never raises for a
        foreseeable fault, never changes anything.
    """
    try:
        project = Project(ini, *read_project(str(ini)))
    except (WorkDataHubError, OSError):
        return None
    return look_at(project, database_url, target)


def look_at(project: Project, database_url: str | None, target: str) -> Standing | None:
    """Return where a database stands, as ``look``, of a project that was read already."""
    settings = read_plain_settings(os.environ, project_root())
    is_named = database_url is not None or not project.names_database
    if settings is None or target not in {"head", "heads"} or not is_named:
        return None
    try:
        chosen = _choose(project.ini, settings, database_url)
        if chosen is None or not may_be_used(settings.environment, chosen[0].backend):
            return None
        address, source = chosen
        is_sound = _hands_over(project.folder, source) and _is_sound(project.history, target)
        record = _record(address) if is_sound else None
    except (WorkDataHubError, OSError):
        return None
    if record is None or not is_settled(record, _known(project.history), settings.environment):
        return None
    return Standing(address, source, record.identities[0][0], record.versions)


def _choose(
    ini: Path, settings: PlainSettings, explicit: str | None
) -> tuple[DatabaseAddress, str] | None:
    url, uri = settings.database_url, settings.database_uri
    if explicit is None and url is not None and uri is not None and url != uri:
        return None  # the whole run warns when they mean two databases
    chosen: Choice[str] = choose(explicit, "the database_url argument", url, uri)
    if chosen.value is not None:
        return parse_address(chosen.value, source=chosen.source), chosen.source
    if not project_files.is_own(ini):
        return None  # what its env.py says, or a fault
    file = (project_files.database_folder(ini) or settings.root) / DEFAULT_DATABASE
    return DatabaseAddress("sqlite", database=str(file)), chosen.source


def _record(address: DatabaseAddress) -> DatabaseRecord | None:
    """Return what a database records about itself, in Alembic's usual table; None: cannot be told.

    None also stands for what only the whole run can judge and word: no database, no rights, a
    missing table, a file that may not be written to, a locked row. Changes nothing.
    """
    # Each driver costs time to import, and one is never needed.
    if address.backend == "sqlite":
        from work_data_hub.io.schema.first_look.record_sqlite import read_sqlite

        return read_sqlite(address)
    if address.backend == "postgresql":
        from work_data_hub.io.schema.first_look.record_postgresql import read_postgresql

        return read_postgresql(address)
    return None


def _hands_over(folder: str, source: str) -> bool:
    """Whether env.py leaves the run to the package, and the database to what decided on it."""
    env_file = read_env_file((Path(folder) / "env.py").read_bytes())
    # What it imports may set DATABASE_URL where nothing has; it cannot overrule what has.
    leaves_it = source != "the default" or not env_file.imports_foreign_code
    return env_file.does_nothing_else and leaves_it


def _is_sound(history: History, target: str) -> bool:
    return not history.findings and (len(history.heads) == 1 or target == "heads")


def _known(history: History) -> KnownHistory:
    return KnownHistory(
        history.effective_heads,
        history.digests,
        lambda revision, recorded: other_checksum(history.paths[revision], recorded),
    )
