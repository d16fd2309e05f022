"""What names the content of a migrated database: equal keys, equal databases."""

from __future__ import annotations

import hashlib
import os
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import work_data_hub

if TYPE_CHECKING:
    from collections.abc import Iterable

_VERSIONS = ("alembic", "sqlalchemy", "psycopg", "work-data-hub")


def key_of(files: Iterable[Path], folders: Iterable[Path], circumstances: Iterable[str]) -> str:
    """Return 16 digits that differ where anything does that the content depends on.

    The code of this package and the versions of what it runs on count, too.

    Args:
        files: whose content counts, and not their names.
        folders: all files below them count, by their names there and their content.
        circumstances: what else counts, such as the server's version.
    """
    digest = hashlib.sha256(repr(tuple(circumstances)).encode())
    digest.update(repr([metadata.version(name) for name in _VERSIONS]).encode())
    for path in files:
        digest.update(path.read_bytes() + b"\0")
    own_code = Path(work_data_hub.__file__).parent
    for folder in (own_code, *folders):
        for path in _files(folder):
            digest.update(f"{path.relative_to(folder)}\0".encode())
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _files(folder: Path) -> list[Path]:
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        found += [Path(parent, name) for name in names if not name.endswith(".pyc")]
    # Editors leave symbolic links that point nowhere beside the file that is open.
    return sorted(path for path in found if path.is_file())
