"""The pins of a database: what its copy cannot inherit, and what tells where a connection leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# An expression of SQL. PostgreSQL is known by its cluster and by the database in it.
POSTGRESQL_PIN = (
    "(SELECT 'postgresql:' || system_identifier FROM pg_control_system())"
    " || (SELECT ':' || oid FROM pg_database WHERE datname = current_database())"
)


def file_pin(file: Path) -> str:
    """Return what tells a SQLite file from its copy: a copy is another inode."""
    return f"sqlite:{file.stat().st_ino}"
