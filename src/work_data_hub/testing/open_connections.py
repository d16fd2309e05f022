"""Connections that a test leaves open on its database are closed when the test ends.

An example of SQLAlchemy's makes an engine and never disposes of it. Its pool is then found by the
garbage collector, in the middle of another test; where warnings are errors that one is blamed.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL


@contextlib.contextmanager
def closed_at_the_end(url: URL) -> Iterator[None]:
    """Close, behind the block, what engines of SQLAlchemy have connected to a database within it.

    Args:
        url: of the database. Connections to another one stay as they are.
    """
    import sqlalchemy as sa

    ours: list[Any] = []

    def note(raw: Any, _record: object) -> None:
        if _leads_to(raw, url):
            ours.append(raw)

    sa.event.listen(sa.pool.Pool, "connect", note)
    try:
        yield
    finally:
        sa.event.remove(sa.pool.Pool, "connect", note)
        for raw in ours:
            with contextlib.suppress(Exception):  # in use by a thread that goes on, or gone
                raw.close()


def _leads_to(raw: Any, url: URL) -> bool:
    """Whether a connection of the driver is to the database of a URL."""
    if isinstance(raw, sqlite3.Connection):
        files = [row[2] for row in raw.execute("PRAGMA database_list").fetchall()]
        return bool(url.database) and files[0] == url.database
    info = getattr(raw, "info", None)  # of psycopg and psycopg2; a clone's name is its own
    return getattr(info, "dbname", None) == url.database
