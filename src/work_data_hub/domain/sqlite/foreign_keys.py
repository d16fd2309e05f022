"""Which statements may break a foreign key of SQLite, and what is said when one is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from work_data_hub.domain.sql.statement import Action

_HARMLESS = frozenset(("BEGIN", "CREATE", "SELECT", "PRAGMA", "EXPLAIN", "SAVEPOINT", "RELEASE"))

_CHANGES_OF_ROWS = frozenset(("INSERT", "UPDATE", "DELETE"))


class Violation(NamedTuple):
    """A row that references nothing; or a whole table, whose key cannot be checked.

    Attributes:
        table: that has the key.
        row: its rowid, where it has one.
        parent: the table that lacks the row.
        mismatch: why the key cannot be checked: what it references is not unique.
    """

    table: str
    row: int | None
    parent: str
    mismatch: str = ""


def refuse_broken(broken: Collection[Violation]) -> None:
    """Roll back what breaks foreign keys.

    Raises:
        RefusedError: names one of them.
    """
    if not broken:
        return
    first = min(broken, key=str)
    reason = first.mismatch or f"(rowid {first.row}) has no row in {first.parent}"
    raise RefusedError(
        f"{len(broken)} foreign key(s) would be broken: {first.table} {reason}",
        hint="move or delete the rows that reference what the revision removes; what is"
        " referenced must be a primary key or unique",
    )


def may_break(action: Action, statement: str, has_relations: Callable[[str], bool]) -> bool:
    """Whether a check is needed after a statement; it reads every table with a foreign key.

    Args:
        action: what the statement does.
        statement: its text.
        has_relations: whether the rows of a table may concern a foreign key.
    """
    if action.verb in _HARMLESS:
        return False
    if action.verb == "DROP":
        return action.kind not in ("TRIGGER", "VIEW")
    if action.verb == "ALTER":
        return action.new_name is not None or "references" in statement.lower()
    return action.verb not in _CHANGES_OF_ROWS or has_relations(action.name)


def may_change_schema(action: Action) -> bool:
    """Whether what is known of the schema may not be so after a statement."""
    return action.verb not in _CHANGES_OF_ROWS and action.verb != "SELECT"
