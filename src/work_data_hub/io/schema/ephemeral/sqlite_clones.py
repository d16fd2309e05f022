"""Copies of a SQLite template, as files or in memory."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import URL

from work_data_hub.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Callable

TEMPLATE = "template.db"
# Of all copies of a process: those of a template and empty ones lie in one folder.
_NUMBERS = itertools.count(1)
_KEPT_BESIDE = ("", "-wal", "-shm", "-journal", ".lock")


def fill_template(folder: Path, fill: Callable[[URL], None]) -> None:
    """Make the template in a folder.

    Args:
        folder: where `TEMPLATE` shall be.
        fill: migrates and seeds the database that it is given.
    """
    file = folder / TEMPLATE
    fill(URL.create("sqlite", database=str(file)))
    # In WAL mode, too, a copy of the file alone must be the whole database.
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (folder / f"{TEMPLATE}.lock").unlink(missing_ok=True)


class FileClones:
    """Copies of a template file.

    Args:
        template: the file; None for databases that are empty.
        folder: where the copies lie.
    """

    def __init__(self, template: Path | None, folder: Path) -> None:
        self._template = template
        self._folder = folder

    def take(self) -> URL:
        """Return a fresh database.

        Raises:
            MissingError: it could not be written, such as for want of room.
        """
        file = self._folder / f"wdh_test_{os.getpid()}_{next(_NUMBERS)}.db"
        if self._template is not None:
            try:
                shutil.copyfile(self._template, file)
            except OSError as error:
                raise MissingError(
                    f"the template could not be copied to {file}: {error.strerror}",
                    hint="make room there, or set TMPDIR to another folder",
                ) from error
        return URL.create("sqlite", database=str(file))

    def give_back(self, url: URL) -> None:
        """Remove a database."""
        for suffix in _KEPT_BESIDE:
            Path(f"{url.database}{suffix}").unlink(missing_ok=True)

    def keep(self, url: URL) -> None:
        """Leave a database to a person: its file stays where it is."""

    def close(self) -> None:
        """Do nothing: what was given back is gone."""


class MemoryClones:
    """Copies in the memory of this process, by SQLite's VFS `memdb` (sqlite.org/forum, 3.36).

    Every connection to the URL sees the same database while one of them is open; the one that is
    held here is.

    Args:
        template: the file; None for databases that are empty.
    """

    def __init__(self, template: Path | None) -> None:
        self._image = (
            None if template is None else sqlite3.connect(template, check_same_thread=False)
        )
        self._open: dict[str, sqlite3.Connection] = {}

    def take(self) -> URL:
        """Return a fresh database."""
        name = f"file:/wdh_test_{secrets.token_hex(8)}"
        connection = sqlite3.connect(f"{name}?vfs=memdb", uri=True, check_same_thread=False)
        if self._image is not None:
            self._image.backup(connection)
        url = URL.create("sqlite", database=name, query={"vfs": "memdb", "uri": "true"})
        self._open[name] = connection
        return url

    def give_back(self, url: URL) -> None:
        """Let a database go, with the last connection to it."""
        self._open.pop(str(url.database)).close()

    def keep(self, url: URL) -> None:
        """Let it go too: nobody could look into the memory of a process that has ended."""
        self.give_back(url)

    def close(self) -> None:
        """Let all of them go."""
        for connection in self._open.values():
            connection.close()
        if self._image is not None:
            self._image.close()
