"""Verifies a project's revisions, and whether a database still agrees with them.

Without a database neither Alembic nor SQLAlchemy is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.record.environment_class import OWN_CLASSES
from work_data_hub.domain.revisions.verification import verify_applied, verify_files
from work_data_hub.errors import UsageError
from work_data_hub.io.schema.authoring.main_branch import main_branch_name
from work_data_hub.io.schema.revisions import project_files
from work_data_hub.io.schema.revisions.files import other_checksum, read_project
from work_data_hub.io.schema.revisions.head_file import head_file_of, read_head_file
from work_data_hub.io.schema.revisions.script_locations import names_by_time

if TYPE_CHECKING:
    from pathlib import Path

    from work_data_hub.domain.finding import Finding
    from work_data_hub.domain.revisions.history import History


def verify(alembic_ini: Path | None = None) -> tuple[Finding, ...]:
    """Return what is wrong with the revision files and the head file.

    Args:
        alembic_ini: the project; WorkDataHub's own when left out.

    Raises:
        UsageError: the configuration or the head file cannot be read.
    """
    ini, folder, history = _project(alembic_ini)
    path = head_file_of(folder)
    try:
        said = read_head_file(path)
    except OSError as error:
        raise UsageError(f"{error.strerror}: {path}", hint="check your rights to it") from None
    head_file = None if said is None else (str(path), said)
    return tuple(
        verify_files(
            history,
            head_file,
            by_the_rule=names_by_time(str(ini)),
            has_main_branch=lambda: main_branch_name(folder) is not None,
        )
    )


def is_read_as_text(alembic_ini: Path | None = None) -> bool:
    """Whether a run takes what the files declare from their text, and executes what it runs.

    It executes every file where only that tells what one declares, or where something is wrong.
    """
    return not _project(alembic_ini)[2].findings


def verify_database(
    database_url: str | None = None, alembic_ini: Path | None = None
) -> tuple[Finding, ...]:
    """Return which applied revisions were edited or have vanished, and what no file knows.

    A setting ``WDH_EDITED_REVISIONS=warn`` makes them warnings.

    Args:
        database_url: the database; the settings decide when it is left out.
        alembic_ini: the project.

    Raises:
        SettingsError: the URL or a setting is not valid.
        DatabaseUnavailableError: the database does not answer.
    """
    # The database is asked by the way that words what is wrong with it.
    from work_data_hub.config.current_settings import current_settings
    from work_data_hub.io.schema.alembic_bridge.commands import seen
    from work_data_hub.io.schema.record import history_check
    from work_data_hub.io.schema.record.status import read_held

    ini, _, history = _project(alembic_ini)
    held = seen(read_held, database_url, ini)
    severity = history_check.severity_of(current_settings())
    is_own = held.identity is not None and held.identity.environment in OWN_CLASSES
    return tuple(
        verify_applied(
            history,
            held.versions,
            held.journal,
            other_checksum,
            severity=severity,
            is_own=is_own,
        )
    )


def _project(alembic_ini: Path | None) -> tuple[Path, str, History]:
    ini = project_files.meant(alembic_ini)
    folder, history, _ = read_project(str(ini))
    return ini, folder, history
