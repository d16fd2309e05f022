"""The pins of a database: what its copy cannot inherit, and what tells where a connection leads."""

from __future__ import annotations

# An expression of SQL. PostgreSQL is known by its cluster and by the database in it.
POSTGRESQL_PIN = (
    "(SELECT 'postgresql:' || system_identifier FROM pg_control_system())"
    " || (SELECT ':' || oid FROM pg_database WHERE datname = current_database())"
)


def file_pin(inode: int) -> str:
    """Return what tells a SQLite file from its copy: a copy is another inode."""
    return f"sqlite:{inode}"
