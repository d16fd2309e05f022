"""What a table that was rebuilt by hand does not promise any more, by its CREATE TABLE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.sql.lexer import without_comments
from work_data_hub.domain.sqlite.loss import Loss, described
from work_data_hub.domain.sqlite.text import columns_in, folded, spelling

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from work_data_hub.domain.sqlite.ddl import Clause, Column, Table


def lost(
    before: Table,
    after: Table,
    unique: Collection[frozenset[str]] = (),
    *,
    types_are_written: bool = True,
) -> Iterator[Loss]:
    """Yield what the new CREATE TABLE does not say any more.

    What it says otherwise, a column that it leaves out, and what is about such a column, is what
    a rebuild is written for. NULL and DEFAULT NULL say that a column shall have nothing there.

    Args:
        before: the table that was dropped.
        after: the one that has its name now.
        unique: the columns, folded, of unique indexes that exist besides.
        types_are_written: not by CREATE TABLE ... AS, which makes them up.
    """
    gone = left_out(before, after)
    losses = [
        *_of_columns(before, after, types_are_written=types_are_written),
        *_of_the_key(before, after, gone),
        *_of_options(before, after),
        *_of_rules(before, after, gone, unique),
    ]
    for what, text in losses:
        yield Loss(f"{what} of {before.name}", f"write it into the new CREATE TABLE: {text}")


def left_out(before: Table, after: Table) -> frozenset[str]:
    """Return the columns, folded, that a table has not any more."""
    return frozenset(folded(c.name) for c in before.columns if after.column(c.name) is None)


def _of_columns(
    before: Table, after: Table, *, types_are_written: bool
) -> Iterator[tuple[str, str]]:
    for old in before.columns:
        new = after.column(old.name)
        if new is None:
            continue
        if not types_are_written and _type(old) != _type(new):
            yield f"type {old.type} on column {old.name}", f"{old.written} {old.type}"
        for kind in ("COLLATE", "GENERATED", "DEFAULT"):
            clause = old.clause(kind)
            if (
                clause is not None
                and new.clause(kind) is None
                and not _says_nothing(clause, old, new)
            ):
                called = "DEFAULT" if kind == "DEFAULT" else _line(clause)
                yield f"{called} on column {old.name}", f"{old.written} {_line(clause)}"
        yield from _lost_not_null(before, old, after, new)


def _lost_not_null(
    before: Table, old: Column, after: Table, new: Column
) -> Iterator[tuple[str, str]]:
    called, there = f"NOT NULL on column {old.name}", new.clause("NOT NULL")
    clause = old.clause("NOT NULL")
    if there is not None:
        if clause is not None:
            yield from _lost_words(clause, [there], ["on conflict"], called)
        return
    is_said = new.clause("NULL") is not None or _becomes_generated(old, new)
    is_implied = _is_in_strict_key(after, new) or new is after.rowid_alias
    was = clause is not None or _is_in_strict_key(before, old)
    if was and not is_said and not is_implied:
        yield called, f"{old.written} NOT NULL"


def _of_the_key(before: Table, after: Table, gone: frozenset[str]) -> Iterator[tuple[str, str]]:
    key, new = before.primary_key, after.primary_key
    if key is None or not gone.isdisjoint(_columns(key)):
        return
    if new is None:
        yield "PRIMARY KEY", f"PRIMARY KEY ({', '.join(key.columns)})"
    if before.autoincrements and not after.autoincrements:
        yield "AUTOINCREMENT", "PRIMARY KEY AUTOINCREMENT"
    if new is None or _columns(new) != _columns(key):
        return
    yield from _lost_words(key, [new], ["on conflict"], "PRIMARY KEY")
    alias = before.rowid_alias
    if alias is not None and after.rowid_alias is None and after.has_rowid:
        # No other type makes it give numbers by itself (sqlite.org/lang_createtable, ROWIDs).
        yield "INTEGER PRIMARY KEY", f"{alias.written} INTEGER PRIMARY KEY"


def _of_options(before: Table, after: Table) -> Iterator[tuple[str, str]]:
    if after.has_rowid and not before.has_rowid:
        yield "WITHOUT ROWID", "WITHOUT ROWID, after the closing parenthesis"
    if before.is_strict and not after.is_strict:
        yield "STRICT", "STRICT, after the closing parenthesis"


def _of_rules(
    before: Table, after: Table, gone: frozenset[str], unique: Collection[frozenset[str]]
) -> Iterator[tuple[str, str]]:
    for clause in before.clauses:
        if clause.kind == "CHECK" and _check_is_lost(clause, before, after, gone):
            yield described(clause), _line(clause)
        if gone.isdisjoint(_columns(clause)):
            if clause.kind == "UNIQUE":
                yield from _lost_unique(clause, before, after, unique)
            if clause.kind == "FOREIGN KEY":
                yield from _lost_foreign_key(clause, before, after)


def _lost_unique(
    clause: Clause, before: Table, after: Table, unique: Collection[frozenset[str]]
) -> Iterator[tuple[str, str]]:
    called = f"UNIQUE ({', '.join(clause.columns)})"
    # Another one on the same columns, by another collation, does not stand for this one.
    others = {_collated(c) for c in _keys(before)} - {_collated(clause)}
    alike = [
        c for c in _keys(after) if _columns(c) == _columns(clause) and _collated(c) not in others
    ]
    if not alike and _columns(clause) not in unique:
        yield described(clause), _line(clause)
    else:
        yield from _lost_words(clause, alike, ["on conflict", "collate"], called)


def _lost_foreign_key(clause: Clause, before: Table, after: Table) -> Iterator[tuple[str, str]]:
    called = f"FOREIGN KEY ({', '.join(clause.columns)}) to {clause.target}"
    others = {_reference(c) for c in before.clauses} - {_reference(clause)}
    alike = [
        c
        for c in after.clauses
        if c.kind == clause.kind and _columns(c) == _columns(clause) and _reference(c) not in others
    ]
    if not alike:
        yield called, _line(clause)
    else:
        yield from _lost_words(clause, alike, ["on delete", "on update", "deferrable"], called)


def _lost_words(
    clause: Clause, alike: Collection[Clause], phrases: Collection[str], called: str
) -> Iterator[tuple[str, str]]:
    for phrase in phrases:
        if phrase in _words(clause) and not any(phrase in _words(other) for other in alike):
            yield f"{phrase.upper()} of {called}", _line(clause)


def _check_is_lost(clause: Clause, before: Table, after: Table, gone: frozenset[str]) -> bool:
    """Whether no CHECK is the same, or new and about one of its columns."""
    columns = {folded(column.name) for column in before.columns} & columns_in(clause.text)
    if columns and columns.issubset(gone):
        return False
    old = {_condition(c) for c in before.clauses if c.kind == "CHECK"}
    for other in after.clauses:
        if other.kind == "CHECK":
            replaces = _condition(other) not in old and columns & columns_in(other.text)
            if replaces or _condition(other) == _condition(clause):
                return False
    return True


def _says_nothing(clause: Clause, old: Column, new: Column) -> bool:
    """Whether it is a DEFAULT that means none, or that the new column cannot have."""
    is_null = spelling(clause.text)[-2:] == ("default", "null")
    return clause.kind == "DEFAULT" and (is_null or _becomes_generated(old, new))


def _becomes_generated(old: Column, new: Column) -> bool:
    return old.clause("GENERATED") is None and new.clause("GENERATED") is not None


def _is_in_strict_key(table: Table, column: Column) -> bool:
    """Whether it may not be NULL because of the key that it is in."""
    key = table.primary_key
    is_in_key = key is not None and folded(column.name) in _columns(key)
    return (
        is_in_key and (table.is_strict or not table.has_rowid) and column is not table.rowid_alias
    )


def _condition(clause: Clause) -> tuple[str, ...]:
    words = spelling(clause.text)
    return words[words.index("check") :]


def _keys(table: Table) -> Iterator[Clause]:
    return (clause for clause in table.clauses if clause.kind in ("UNIQUE", "PRIMARY KEY"))


def _reference(clause: Clause) -> tuple[frozenset[str], str]:
    return _columns(clause), folded(clause.target)


def _collated(clause: Clause) -> tuple[frozenset[str], tuple[str, ...]]:
    words = spelling(clause.text)
    named = (words[place + 1] for place, word in enumerate(words) if word == "collate")
    return _columns(clause), tuple(sorted(named))


def _columns(clause: Clause) -> frozenset[str]:
    return frozenset(folded(name) for name in clause.columns)


def _type(column: Column) -> tuple[str, ...]:
    written = spelling(column.type)
    return ("int",) if written == ("integer",) else written


def _words(clause: Clause) -> str:
    """Return what it says, without what is said by silence too."""
    words = " ".join(spelling(clause.text))
    return words.replace("not deferrable", "").replace("on conflict abort", "")


def _line(clause: Clause) -> str:
    return " ".join(without_comments(clause.text, "sqlite").split())
