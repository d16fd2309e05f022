"""Does a database stand at head, with nothing that a run would do, ask or refuse?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.record.applied import applied_rows, edited_checksums
from work_data_hub.domain.record.environment_class import ENVIRONMENT_CLASSES, go_together

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from work_data_hub.domain.record.record import DatabaseRecord


class KnownHistory(NamedTuple):
    """What the revision files say, all of them readable and in one order.

    Attributes:
        heads: what the version table holds at head: the effective heads.
        digests: of each revision's text, by revision; at head, all of them are applied.
        other_checksum: of a revision's meaning, where it is not a recorded one.
    """

    heads: Sequence[str]
    digests: Mapping[str, str]
    other_checksum: Callable[[str, str], str | None]


def is_settled(record: DatabaseRecord, history: KnownHistory, session: str) -> bool:
    """Whether `upgrade head` would find nothing to do and nothing wrong.

    False says no more than that the whole run must look.

    Args:
        record: what the database says.
        history: what the files say.
        session: the environment class of the session.
    """
    return (
        sorted(record.versions) == sorted(history.heads)
        and record.interrupted == 0
        and _is_itself(record, session)
        and _is_unchanged(record, history)
    )


def _is_itself(record: DatabaseRecord, session: str) -> bool:
    """Whether it is recorded once, is no copy, and belongs to the session."""
    if len(record.identities) != 1:
        return False
    ((environment, pin),) = record.identities
    is_known = environment in ENVIRONMENT_CLASSES
    return is_known and pin == record.pin and go_together(environment, session)


def _is_unchanged(record: DatabaseRecord, history: KnownHistory) -> bool:
    """Whether every applied revision is journalled, and its file there and not edited."""
    rows = applied_rows(record.journal)
    if not history.digests.keys() <= rows.keys():
        return False
    if applied_rows(record.journal, since_last_stamp=True).keys() - history.digests.keys():
        return False
    return not edited_checksums(rows, history.digests, history.other_checksum)
