"""Does a connection lead to the database that was decided on? Both are asked: no URL tells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from work_data_hub.domain.record.pin import POSTGRESQL_PIN
from work_data_hub.io.schema import engine

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection

# A copy of a whole cluster keeps the pin; it is another server, which began at another time.
_STARTED_AT = "extract(epoch FROM pg_postmaster_start_time())::text"
_PLACE = f"SELECT {POSTGRESQL_PIN}, {_STARTED_AT}"  # expressions of ours


def leads_to(connection: Connection, decided: URL) -> bool:
    """Whether a connection, however it was made, leads to the database of a URL.

    Raises:
        DatabaseUnavailableError: the database of the URL does not answer.
    """
    if connection.dialect.name != decided.get_backend_name():
        return False
    if connection.dialect.name == "postgresql":
        with engine.connect(decided) as own:
            return _asked(connection, _PLACE) == _asked(own, _PLACE)
    (file,) = (row[2] for row in _asked(connection, "PRAGMA database_list") if row[1] == "main")
    return _is_same_file(Path(file) if file else None, engine.sqlite_file(decided))


def _asked(connection: Connection, question: str) -> list[tuple[str, ...]]:
    """Ask the driver, and leave the connection in the transaction that it is in, or in none."""
    raw = connection.connection
    cursor = raw.cursor()
    cursor.execute(question)
    rows = [tuple(row) for row in cursor.fetchall()]
    cursor.close()
    if not connection.in_transaction():
        raw.rollback()
    return rows


def _is_same_file(one: Path | None, other: Path | None) -> bool:
    if one is None or other is None:
        return one is other
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()
