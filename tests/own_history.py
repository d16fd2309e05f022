"""WorkDataHub's own revisions and seeds, as its files say: a new revision is no fault of a test."""

from __future__ import annotations

import shutil
from pathlib import Path

from work_data_hub.io.schema import migration_runner

REPOSITORY = Path(__file__).parents[1]
VERSIONS = "io/schema/migrations/versions"
_OLDEST_FIRST = migration_runner.history()
IDS = tuple(each.revision for each in _OLDEST_FIRST)
FIRST, HEAD = IDS[0], IDS[-1]
DESCRIPTIONS = tuple(each.description for each in _OLDEST_FIRST)
# Where a database stands when the newest was taken back.
BELOW_HEAD = IDS[-2:-1]


def copy_of_the_first_revision(folder: Path) -> Path:
    """Copy the project with its first revision alone, to build on it; return its alembic.ini."""
    shutil.copytree(REPOSITORY / "io", folder / "io")
    shutil.copy(REPOSITORY / "alembic.ini", folder)
    for each in _OLDEST_FIRST[1:]:
        (folder / VERSIONS / Path(each.path).name).unlink()
    heads = folder / "io/schema/migrations/heads.txt"
    heads.write_text(heads.read_text(encoding="utf-8").replace(HEAD, FIRST), encoding="utf-8")
    return folder / "alembic.ini"
