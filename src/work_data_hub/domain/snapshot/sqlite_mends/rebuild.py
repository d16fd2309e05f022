"""The rebuild of a SQLite table: a new one, the rows copied, the old one dropped.

The steps are those of sqlite.org/lang_altertable, 7. RENAME leaves alone the views and triggers
that name the table, because `legacy_alter_table` is on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.snapshot.difference import EXTRA
from work_data_hub.domain.snapshot.sqlite_mends.alteration import changed_values
from work_data_hub.domain.snapshot.step import Step
from work_data_hub.domain.sql.lexer import quoted, tokens
from work_data_hub.domain.sqlite.rowids import name_of_rowid
from work_data_hub.domain.sqlite.text import folded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from work_data_hub.domain.snapshot.sqlite_mends.alteration import Alteration


class Surroundings(NamedTuple):
    """What is around a table.

    Attributes:
        names: folded, which the new table cannot have meanwhile.
        behind: the statements that make its indexes and triggers.
        can_be_checked: whether its foreign keys can be; None when it has none.
    """

    names: Collection[str]
    behind: Sequence[str]
    can_be_checked: bool | None


_MAY_FAIL = ("primary key", "unique", "check", "table")


def rebuilt(alteration: Alteration, sql: str, surroundings: Surroundings) -> list[Step]:
    """Return the statements, each to be committed by itself: some must be in no transaction.

    Args:
        alteration: the table.
        sql: the CREATE TABLE that is wanted.
        surroundings: what is around it.
    """
    name = alteration.found.name
    new = f"new_{name}"
    while folded(new) in surroundings.names:
        new = f"_{new}"
    lost = list(changed_values(alteration))
    note = "; ".join(_notes(alteration, lost, surroundings))
    check = f"PRAGMA foreign_key_check({quoted(alteration.wanted.name)})"
    checks = [check] if surroundings.can_be_checked else []
    statements = [
        "PRAGMA foreign_keys = OFF",
        "BEGIN IMMEDIATE",
        _called(sql, new),
        *_copied(alteration, new),
        f"DROP TABLE {quoted(name)}",
        "PRAGMA legacy_alter_table = ON",
        f"ALTER TABLE {quoted(new)} RENAME TO {quoted(alteration.wanted.name)}",
        "PRAGMA legacy_alter_table = OFF",
        *surroundings.behind,
        *checks,
        "COMMIT",
        "PRAGMA foreign_keys = ON",
    ]
    return [Step(text, bool(lost), is_alone=True, note=note) for text in statements]


def _notes(
    alteration: Alteration, lost: Sequence[str], surroundings: Surroundings
) -> Iterator[str]:
    if surroundings.can_be_checked:
        yield "a row that foreign_key_check shows has no parent: ROLLBACK in place of COMMIT"
    elif surroundings.can_be_checked is False:
        yield "a foreign key references what is no key, so it cannot be checked, nor written to"
    if lost:
        yield f"values of {', '.join(lost)} go, or may become others"
    if any(_may_fail(each.object.kind, each.change) for each in alteration.differences) or any(
        name == "not null" for each in alteration.differences for name in each.properties
    ):
        yield "a row that breaks what is new makes it fail: ROLLBACK then"
    if any(
        column.clause("NOT NULL")
        and not column.clause("DEFAULT")
        and not column.clause("GENERATED")
        for column in alteration.added
    ):
        yield "a row has no value for a new column that is NOT NULL"


def _may_fail(kind: str, change: str) -> bool:
    return kind in _MAY_FAIL and change != EXTRA


def _called(sql: str, name: str) -> str:
    """Return a CREATE TABLE with another name."""
    written = next(
        token
        for position, token in enumerate(tokens(sql))
        if position == 2  # CREATE TABLE name
    )
    return f"{sql[: written.start]}{quoted(name)}{sql[written.end :]}"


def _copied(alteration: Alteration, new: str) -> Iterator[str]:
    """Yield what copies the rows, with their numbers and the counter of AUTOINCREMENT.

    Without OR ABORT a constraint with ON CONFLICT IGNORE would leave out rows, and say nothing.
    """
    wanted, found, names = alteration.wanted, alteration.found, alteration.names
    pairs = []
    number = name_of_rowid(found, wanted)
    if number is not None and wanted.rowid_alias is None:
        pairs.append((number, number))
    for column in wanted.columns:
        source = found.column(names.get(folded(column.name), column.name))
        if source is not None and column.clause("GENERATED") is None:
            pairs.append((quoted(column.name), quoted(source.name)))
    old = quoted(found.name)
    if pairs:
        into, values = (", ".join(each) for each in zip(*pairs, strict=True))
        yield f"INSERT OR ABORT INTO {quoted(new)} ({into}) SELECT {values} FROM {old}"  # noqa: S608
    if wanted.autoincrements and found.autoincrements:
        one, other = _literal(new), _literal(found.name)
        yield f"DELETE FROM sqlite_sequence WHERE name = {one}"  # noqa: S608
        yield (
            f"INSERT INTO sqlite_sequence (name, seq) SELECT {one}, seq"  # noqa: S608
            f" FROM sqlite_sequence WHERE name = {other}"
        )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
