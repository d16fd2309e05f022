"""Reads the record of a SQLite database through Python's driver, and changes nothing."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING
from urllib.parse import quote

from work_data_hub.domain.record.pin import file_pin
from work_data_hub.domain.record.record import (
    IDENTITY,
    IN_PROGRESS,
    JOURNAL,
    JOURNAL_COLUMNS,
    NAMES,
    VERSION_TABLE,
    DatabaseRecord,
    as_record,
    deciding_rows,
)

if TYPE_CHECKING:
    from pathlib import Path

    from work_data_hub.config.database_address import DatabaseAddress


def read_sqlite(address: DatabaseAddress) -> DatabaseRecord | None:
    """Return the record, or None when it cannot be told or a run could not take its locks."""
    file = _plain_file(address)
    if file is None or not _may_be_changed(file):
        return None
    uri = f"file:{quote(os.fsencode(file.absolute()))}?mode=ro"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)
    except sqlite3.Error:
        return None
    try:
        connection.execute("BEGIN")
        return _record(connection, file)
    except (sqlite3.Error, OSError, ValueError):
        return None
    finally:
        connection.close()


def _plain_file(address: DatabaseAddress) -> Path | None:
    """Return the file, where SQLAlchemy would open the very same one to write to it."""
    query = dict(address.query)
    if (address.database or "").startswith("file:"):
        is_plain = query.pop("uri", "") == "true" and "?" not in (address.database or "")
        if not is_plain or query.pop("mode", "rwc") not in {"rw", "rwc"}:
            return None
    return None if query else address.file


def _may_be_changed(file: Path) -> bool:
    """Whether a run could take its locks: on the file, and on the one beside it."""
    lock = file.resolve().with_name(f"{file.resolve().name}.lock")
    return (
        file.is_file()
        and os.access(file, os.W_OK)
        and os.access(lock if lock.exists() else lock.parent, os.W_OK)
    )


def _record(connection: sqlite3.Connection, file: Path) -> DatabaseRecord | None:
    of_history = f"FROM {{}} WHERE history = '{VERSION_TABLE}'"
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    if not {name for (name,) in tables} >= NAMES:
        return None
    ((interrupted,),) = connection.execute(f"SELECT count(*) {of_history.format(IN_PROGRESS)}")
    return as_record(
        connection.execute(f"SELECT version_num FROM {VERSION_TABLE}"),  # noqa: S608
        connection.execute(f"SELECT environment, pin FROM {IDENTITY}"),  # noqa: S608
        file_pin(file.stat().st_ino),
        interrupted,
        connection.execute(
            f"SELECT {JOURNAL_COLUMNS} FROM {JOURNAL}"  # noqa: S608
            f" WHERE {deciding_rows(JOURNAL, repr(VERSION_TABLE))} ORDER BY id"
        ),
    )
