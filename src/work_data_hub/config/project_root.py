"""The project's folder, where ``.env`` and the default database lie."""

from __future__ import annotations

from pathlib import Path


def project_root() -> Path:
    """Return the folder of ``alembic.ini`` in a checkout, else the working directory.

    An installed wheel has no project around it; its own folder is no place for a database.
    """
    checkout = Path(__file__).resolve().parents[3]
    return checkout if (checkout / "alembic.ini").is_file() else Path.cwd()
