"""Which project is meant: the alembic.ini that was named, or the nearest one."""

from __future__ import annotations

from pathlib import Path

from work_data_hub.io.schema.revisions import project_files


def find(named: Path | None) -> Path:
    """Return the project's alembic.ini.

    Args:
        named: what ``--config`` says; without it, the file is taken from the working directory
            or the nearest folder above it that has one, else it is WorkDataHub's own.

    Raises:
        UsageError: the named file is not there.
        MissingError: there is none, not even WorkDataHub's own.
    """
    here = Path.cwd()
    around = (folder / "alembic.ini" for folder in (here, *here.parents))
    nearest = next((ini for ini in around if ini.is_file()), None)
    return project_files.meant(named or nearest)
