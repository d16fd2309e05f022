"""What a database records about itself: Alembic's version rows and the framework's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION_TABLE = "alembic_version"
IDENTITY = "work_data_hub_identity"
JOURNAL = "work_data_hub_journal"
IN_PROGRESS = "work_data_hub_in_progress"
SCHEMA = "schema"
"""What the journal calls the row that keeps what the schema was at the end of a run."""
NAMES = frozenset({IDENTITY, JOURNAL, IN_PROGRESS})
NOT_THE_SCHEMA = NAMES | {VERSION_TABLE}
"""The tables that say where a database stands, and are no part of what it is."""
_VERSION_COLUMNS = ["version_num"]


def is_version_table(columns: Iterable[str]) -> bool:
    """Say whether a table of these columns is Alembic's own, whatever a project calls it."""
    return [*columns] == _VERSION_COLUMNS


class JournalRow(NamedTuple):
    """What the journal says of one step, as far as it is compared with the files."""

    revision: str
    direction: str
    outcome: str
    checksum: str | None
    digest: str | None


JOURNAL_COLUMNS = ", ".join(JournalRow._fields)


def deciding_rows(journal: str, history: str) -> str:
    """Return a condition of SQL: the rows of the journal that say what is applied.

    The newest row that was done of each revision and direction says all that the rows before it
    do; so what is read grows with the number of revisions, and not with that of the runs.

    Args:
        journal: the table, as SQL names it.
        history: the name of the version table, as SQL writes it.
    """
    return (
        f"id IN (SELECT max(id) FROM {journal}"  # noqa: S608  # names of ours; quoted
        f" WHERE history = {history} AND outcome = 'done' AND direction <> '{SCHEMA}'"
        " GROUP BY revision, direction)"
    )


class DatabaseRecord(NamedTuple):
    """What was found in one database, at one moment.

    Attributes:
        versions: the rows of the version table.
        identities: environment class and pin, for each row of the identity.
        pin: what the identity's pin must be if the database is no copy.
        interrupted: how many marks of interrupted revisions there are.
        journal: the rows that decide, the oldest first.
    """

    versions: tuple[str, ...]
    identities: tuple[tuple[str, str], ...]
    pin: str
    interrupted: int
    journal: tuple[JournalRow, ...]


def as_record(
    versions: Iterable[tuple[Any]],
    identities: Iterable[Any],
    pin: str,
    interrupted: int,
    journal: Iterable[Any],
) -> DatabaseRecord | None:
    """Return rows as a record; None when SQLite holds another type in a column of text."""
    record = DatabaseRecord(
        tuple(version for (version,) in versions),
        tuple((environment, found) for environment, found in identities),
        pin,
        interrupted,
        tuple(map(JournalRow._make, journal)),
    )
    texts = (*record.versions, *(text for pair in record.identities for text in pair))
    return record if all(isinstance(text, str) for text in texts) else None
