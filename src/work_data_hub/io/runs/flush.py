"""Loads spool files into the database that they belong to.

A file is removed after all of it was loaded. Who dies in between leaves it to the next, who loads
it again: entries change nothing the second time. Two who flush at once never have the same file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from work_data_hub.errors import DatabaseUnavailableError, UsageError
from work_data_hub.io.runs.spool import SpoolFile, spool_files, spool_folder
from work_data_hub.io.runs.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from work_data_hub.io.runs.run_database import RunDatabase
    from work_data_hub.io.runs.spool import Content


class Flushed(NamedTuple):
    """What was done with spool files.

    Attributes:
        loaded: files that were loaded and removed.
        runs: ids of the runs that they are of.
        metrics: how many metrics they have.
        in_use: files of runs that go on, or that somebody else loads at the moment.
        elsewhere: files of other databases, with the label of each (empty: not known).
        damaged: what lines that cannot be read are kept in; the others were loaded.
    """

    loaded: Sequence[Path]
    runs: Sequence[str]
    metrics: int
    in_use: Sequence[Path]
    elsewhere: Sequence[tuple[Path, str]]
    damaged: Sequence[Path]


def flush(database: RunDatabase, files: Sequence[Path] = ()) -> Flushed:
    """Load what is spooled for a database.

    Args:
        database: where to.
        files: these, whatever database they are of; all of the spool folder's that belong to the
            database when left out.

    Raises:
        UsageError: a file is not there, or cannot be read.
        DatabaseUnavailableError: the database does not take it; what is not loaded stays.
    """
    work = _Flush(database, is_named=bool(files))
    try:
        work.load(files or spool_files(spool_folder()))
    except OSError as error:
        raise UsageError(
            f"a spool file cannot be read: {error}", hint="check the name, and whose file it is"
        ) from error
    except SQLAlchemyError as error:
        raise DatabaseUnavailableError(
            f"the runs were not loaded: {database.reason(error)}",
            hint="what is left to load stays in its files; `wdh db status` says whether the tables"
            " are there",
        ) from error
    return Flushed(
        work.loaded, [*work.runs], work.metrics, work.in_use, work.elsewhere, work.damaged
    )


class _Flush:
    """Loads files, and keeps count."""

    def __init__(self, database: RunDatabase, *, is_named: bool) -> None:
        self._writer = Writer(database)
        self._label = database.label
        self._is_named = is_named
        self.loaded: list[Path] = []
        self.runs: dict[str, None] = {}
        self.metrics = 0
        self.in_use: list[Path] = []
        self.elsewhere: list[tuple[Path, str]] = []
        self.damaged: list[Path] = []

    def load(self, files: Iterable[Path]) -> None:
        """Load these."""
        try:
            for path in files:
                if self._is_named:
                    path.stat()  # a name that means nothing is a fault; a file that went is none
                if (file := SpoolFile.locked(path)) is not None:
                    self._load(file)
                elif path.exists():
                    self.in_use.append(path)
        finally:
            self._writer.close()

    def _load(self, file: SpoolFile) -> None:
        try:
            content = file.content()
            if not self._is_ours(content):
                self.elsewhere.append((file.path, content.database or ""))
                return
            for entry in content.entries:
                self._writer.write(entry)
                self.runs[entry.run["execution_id"]] = None
                self.metrics += len(entry.metrics)
            if content.unreadable:
                self.damaged.append(file.set_aside())
            else:
                file.remove()
                self.loaded.append(file.path)
        finally:
            file.close()

    def _is_ours(self, content: Content) -> bool:
        has_lines = bool(content.entries or content.unreadable)
        return not has_lines or content.database == self._label or self._is_named
