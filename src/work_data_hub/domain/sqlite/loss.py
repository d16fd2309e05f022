"""What a revision would lose, and may: by dropping it itself, or by a comment of its SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from work_data_hub.domain.sqlite.text import names_in, spelling
from work_data_hub.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from work_data_hub.domain.sql.statement import Action
    from work_data_hub.domain.sqlite.ddl import Clause, Table

_SAID = re.compile(r"/\*\s*loses:(.*?)\*/", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Loss:
    """Something that a revision would lose without having asked for it.

    Attributes:
        what: kind, name and table.
        keep: how to write the revision so that it is kept, or so that its loss is asked for.
    """

    what: str
    keep: str


def refuse(losses: Sequence[Loss]) -> None:
    """Roll the revision back when it would lose anything.

    Raises:
        RefusedError: names all of it, and how to keep the first.
    """
    if losses:
        what = "; ".join(dict.fromkeys(loss.what for loss in losses))
        raise RefusedError(f"this would be lost: {what}", hint=losses[0].keep)


class Consent:
    """What may go, as far as the statements of a revision have said by now."""

    def __init__(self) -> None:
        self._may_go: list[str] = []

    def note(self, action: Action, statement: str) -> None:
        """Note what a statement says."""
        self._may_go += [text.strip().lower() for text in _SAID.findall(statement)]
        if action.verb == "DROP" and action.kind in ("INDEX", "TRIGGER"):
            self._may_go.append(f"{action.kind} {action.name}".lower())

    def names(self, kind: str, name: str) -> bool:
        """Whether an index or a trigger may go."""
        return f"{kind} {name}".lower() in self._may_go

    def covers(self, loss: Loss) -> bool:
        """Whether something may be lost."""
        return any(loss.what.lower() in text for text in self._may_go)


def with_way_out(loss: Loss) -> Loss:
    """Return the loss with what a revision must say to agree to it."""
    return Loss(loss.what, f"{loss.keep}; if it is to go, say so: /* loses: {loss.what} */")


def described(clause: Clause) -> str:
    """Return what people call a constraint."""
    if clause.name is not None:
        return f"{clause.kind} {clause.name}"
    return " ".join(clause.text.split())


def drop_first(clause: Clause) -> str:
    """Return how a batch operation says that a constraint is to go."""
    if clause.name is not None:
        return f"say so in the same batch: batch_op.drop_constraint({clause.name!r})"
    if clause.kind == "CHECK":
        return (
            "restate those that stay: table_args=(sa.CheckConstraint(...),); when none does,"
            " sa.CheckConstraint('1')"
        )
    if clause.kind == "GENERATED":
        return "drop the generated column, or give it another expression, in a batch before"
    return "drop it first: batch_alter_table(..., naming_convention=...) gives it a name for that"


def lost(before: Table, after: Table, unique: Collection[frozenset[str]] = ()) -> Iterator[Loss]:
    """Yield what the new CREATE TABLE does not say any more.

    A type, a default, NOT NULL and a column that is left out are what such a rebuild is written
    for. A constraint that another one on the same columns replaces is not lost.

    Args:
        before: the table that was dropped.
        after: the one that has its name now.
        unique: the columns, in lower case, of unique indexes that exist besides.
    """
    for what, clause in (*_of_columns(before, after), *_of_table(before, after, set(unique))):
        yield Loss(f"{what} of {before.name}", f"write it into the new CREATE TABLE: {clause}")


def _of_columns(before: Table, after: Table) -> Iterator[tuple[str, str]]:
    for old in before.columns:
        new = after.column(old.name)
        for kind in ("COLLATE", "GENERATED"):
            clause = old.clause(kind)
            if clause is not None and new is not None and new.clause(kind) is None:
                yield f"{_line(clause)} on column {old.name}", f"{old.written} {_line(clause)}"


def _of_table(
    before: Table, after: Table, unique: Collection[frozenset[str]]
) -> Iterator[tuple[str, str]]:
    if before.autoincrements and not after.autoincrements:
        yield "AUTOINCREMENT", "PRIMARY KEY AUTOINCREMENT"
    if "strict" in spelling(before.options) and "strict" not in spelling(after.options):
        yield "STRICT", "STRICT, after the closing parenthesis"
    gone = {column.name.lower() for column in before.columns if after.column(column.name) is None}
    for clause in before.clauses:
        if clause.kind == "CHECK" and _check_is_lost(clause, before, after, gone):
            yield described(clause), _line(clause)
        if clause.kind == "UNIQUE" and not gone & _columns(clause):
            kept = _columns(clause) in {*unique, *map(_columns, _keys(after))}
            yield from () if kept else [(described(clause), _line(clause))]
        if clause.kind == "FOREIGN KEY" and not gone & _columns(clause):
            yield from _lost_foreign_key(clause, after)


def _lost_foreign_key(clause: Clause, after: Table) -> Iterator[tuple[str, str]]:
    called = f"FOREIGN KEY ({', '.join(clause.columns)}) to {clause.target}"
    alike = [c for c in after.clauses if c.kind == clause.kind and _columns(c) == _columns(clause)]
    if not alike:
        yield called, _line(clause)
    for action in ("on delete", "on update", "deferrable"):
        if alike and action in _words(clause) and not any(action in _words(c) for c in alike):
            yield f"{action.upper()} of {called}", _line(clause)


def _check_is_lost(clause: Clause, before: Table, after: Table, gone: Collection[str]) -> bool:
    """Whether no CHECK is the same, or new and about one of its columns."""
    columns = {column.name.lower() for column in before.columns} & names_in(clause.text)
    if columns and columns.issubset(gone):
        return False
    old = {_condition(c) for c in before.clauses if c.kind == "CHECK"}
    for other in after.clauses:
        if other.kind == "CHECK":
            replaces = _condition(other) not in old and columns & names_in(other.text)
            if replaces or _condition(other) == _condition(clause):
                return False
    return True


def _condition(clause: Clause) -> tuple[str, ...]:
    words = spelling(clause.text)
    return words[words.index("check") :]


def _keys(table: Table) -> Iterator[Clause]:
    return (clause for clause in table.clauses if clause.kind in ("UNIQUE", "PRIMARY KEY"))


def _columns(clause: Clause) -> frozenset[str]:
    return frozenset(name.lower() for name in clause.columns)


def _words(clause: Clause) -> str:
    return " ".join(spelling(clause.text)).replace("not deferrable", "")


def _line(clause: Clause) -> str:
    return " ".join(clause.text.split())
