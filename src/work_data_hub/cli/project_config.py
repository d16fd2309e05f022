"""Which project is meant: the alembic.ini that was named, or the nearest one."""

from __future__ import annotations

from pathlib import Path

from work_data_hub.errors import UsageError
from work_data_hub.io.schema.revisions import project_files

# In the place of a file: outside of the repository it must be asked for.
OWN = "work_data_hub"


def find(named: Path | None) -> Path:
    """Return the project's alembic.ini.

    Args:
        named: what ``--config`` says, ``work_data_hub`` for WorkDataHub's own; without it, the
            file is taken from the working directory or the nearest folder above it that has one.

    Raises:
        UsageError: the named file is not there, or nothing is named and there is none.
        MissingError: WorkDataHub's own is not there.
    """
    if named is not None:
        is_own = str(named) == OWN and not named.is_file()
        return project_files.alembic_ini() if is_own else project_files.meant(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "alembic.ini").is_file():
            return project_files.meant(folder / "alembic.ini")
    raise UsageError(
        f"there is no alembic.ini in {here}, nor above it",
        hint="name it: --config FILE; `wdh db init` makes a project; --config work_data_hub means"
        " WorkDataHub's own",
    )
