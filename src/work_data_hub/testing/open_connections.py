"""Connections that a test leaves open on its database are closed when the test ends.

An example of SQLAlchemy's makes an engine and never disposes of it. Its pool is then found by the
garbage collector, in the middle of another test; where warnings are errors that one is blamed.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL
    from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection


@contextlib.contextmanager
def closed_at_the_end(url: URL) -> Iterator[None]:
    """Close, behind the block, what this thread has connected to a database within it.

    What another thread uses stays open: SQLite's library does not survive it.

    Args:
        url: of the database. Connections to another one stay as they are.
    """
    import sqlalchemy as sa

    here = threading.get_ident()
    entries: list[ConnectionPoolEntry] = []
    users: dict[int, tuple[int, weakref.ref[PoolProxiedConnection]]] = {}

    def note(raw: Any, entry: ConnectionPoolEntry) -> None:
        if threading.get_ident() == here and _leads_to(raw, url):
            entries.append(entry)

    def note_user(_raw: Any, entry: ConnectionPoolEntry, proxy: PoolProxiedConnection) -> None:
        users[id(entry)] = threading.get_ident(), weakref.ref(proxy)

    sa.event.listen(sa.pool.Pool, "connect", note)
    sa.event.listen(sa.pool.Pool, "checkout", note_user)
    try:
        yield
    finally:
        sa.event.remove(sa.pool.Pool, "connect", note)
        sa.event.remove(sa.pool.Pool, "checkout", note_user)
        for entry in entries:
            user, proxy = users.get(id(entry), (here, _nobody))
            if not entry.in_use:
                entry.invalidate()
            elif user == here and (used := proxy()) is not None:
                used.invalidate()  # which does not roll back when it is collected


def _nobody() -> None:
    return None


def _leads_to(raw: Any, url: URL) -> bool:
    """Whether a connection of the driver is to the database of a URL."""
    if isinstance(raw, sqlite3.Connection):
        files = [row[2] for row in raw.execute("PRAGMA database_list").fetchall()]
        return bool(url.database) and files[0] == url.database
    info = getattr(raw, "info", None)  # of psycopg and psycopg2; a clone's name is its own
    return getattr(info, "dbname", None) == url.database
