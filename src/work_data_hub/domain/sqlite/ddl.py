"""SQLite's DDL as text: a CREATE TABLE taken apart, and put together without loss."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from work_data_hub.domain.sql.lexer import Token, quoted, tokens, unquoted
from work_data_hub.domain.sqlite.text import folded, spelling

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence


@dataclass(frozen=True)
class Clause:
    """One constraint, of a column or of the table.

    Attributes:
        kind: PRIMARY KEY, UNIQUE, FOREIGN KEY, CHECK, NOT NULL, NULL, DEFAULT, COLLATE, GENERATED.
        text: as it was written, its name included.
        name: what follows CONSTRAINT.
        columns: of the table that it holds for; of a CHECK they are not known.
        target: the table that a foreign key references.
        target_columns: empty when they are the primary key of the target.
    """

    kind: str
    text: str
    name: str | None = None
    columns: tuple[str, ...] = ()
    target: str = ""
    target_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """One column; ``written`` is its name as it was written."""

    name: str
    written: str
    type: str
    clauses: tuple[Clause, ...]

    def clause(self, kind: str) -> Clause | None:
        """Return its clause of a kind; of several SQLite takes the last."""
        return next((clause for clause in reversed(self.clauses) if clause.kind == kind), None)


@dataclass(frozen=True)
class Table:
    """A CREATE TABLE statement; ``options`` are WITHOUT ROWID and STRICT."""

    name: str
    columns: tuple[Column, ...]
    constraints: tuple[Clause, ...]
    options: str

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """Every constraint: those of the columns, then those of the table."""
        of_columns = [clause for column in self.columns for clause in column.clauses]
        return (*of_columns, *self.constraints)

    @property
    def primary_key(self) -> Clause | None:
        """Its primary key, wherever it is written."""
        return next((clause for clause in self.clauses if clause.kind == "PRIMARY KEY"), None)

    @property
    def autoincrements(self) -> bool:
        """Whether its key never gives an id again."""
        key = self.primary_key
        return key is not None and any(token.word == "AUTOINCREMENT" for token in tokens(key.text))

    @property
    def has_rowid(self) -> bool:
        """Whether its rows have numbers of their own."""
        return "without" not in spelling(self.options)

    @property
    def is_strict(self) -> bool:
        """Whether it is STRICT."""
        return "strict" in spelling(self.options)

    @property
    def rowid_alias(self) -> Column | None:
        """The column that is the number of the row (sqlite.org/lang_createtable, ROWIDs)."""
        key = self.primary_key
        if key is None or len(key.columns) != 1 or not self.has_rowid:
            return None
        column = self.column(key.columns[0])
        if column is None or spelling(column.type) != ("integer",):
            return None
        # A quirk that was never mended: of a column's own key DESC makes an index.
        return None if key in column.clauses and "desc" in spelling(key.text) else column

    def column(self, name: str) -> Column | None:
        """Return a column; SQLite's names have no case."""
        return next((c for c in self.columns if folded(c.name) == folded(name)), None)


def parse(sql: str) -> Table:
    """Take a CREATE TABLE apart, as sqlite_master holds it.

    Raises:
        ValueError: it cannot be read, or not without losing a part of it.
    """
    found = list(tokens(sql))
    opening = next((i for i, token in enumerate(found) if token.text == "("), 0)
    closing = _closing(found, opening)
    if opening < 1:
        raise ValueError("there are no columns")
    columns: list[Column] = []
    constraints: list[Clause] = []
    for item in _items(found[opening + 1 : closing]):
        if item[0].word in _TABLE_CONSTRAINTS:
            constraints += _clauses(sql, item, _starts(item, column=False), None)
        else:
            columns.append(_column(sql, item))
    table = Table(
        unquoted(found[opening - 1].text),
        tuple(columns),
        tuple(constraints),
        _slice(sql, found[closing + 1 :]),
    )
    if _without_commas(found[opening:]) != _without_commas(_from_columns_on(table)):
        raise ValueError("a part of it is not understood")
    return table


def render(table: Table) -> str:
    """Write the CREATE TABLE statement."""
    lines = [
        " ".join(filter(None, (c.written, c.type, *(clause.text for clause in c.clauses))))
        for c in table.columns
    ]
    lines += [clause.text for clause in table.constraints]
    body = ",\n\t".join(lines)
    return f"CREATE TABLE {quoted(table.name)} (\n\t{body}\n) {table.options}".rstrip()


def insert_into(
    statement: str,
    names: Mapping[str, str],
    left_out: Collection[str],
    besides: Collection[str] = (),
) -> str:
    """Return an ``INSERT INTO t (...) SELECT ... FROM ...`` that fills other columns.

    Args:
        statement: what Alembic's rebuild copies the rows with.
        names: what some of the columns are called now.
        left_out: columns (by their names in the statement) that cannot be written to.
        besides: what is copied too, as it is called in both tables.
    """
    found = list(tokens(statement))
    opening = next(i for i, token in enumerate(found) if token.text == "(")
    closing = _closing(found, opening)
    end = next(i for i in _at_the_top(found) if found[i].word == "FROM")
    written = [unquoted(item[0].text) for item in _items(found[opening + 1 : closing])]
    sources = [_slice(statement, item) for item in _items(found[closing + 2 : end])]
    without = set(map(folded, left_out))
    pairs = [(name, name) for name in besides]
    pairs += [
        (quoted(names.get(name, name)), source)
        for name, source in zip(written, sources, strict=True)
        if folded(name) not in without
    ]
    return (
        f"{statement[: found[opening].start]}({', '.join(name for name, _ in pairs)})"
        f" SELECT {', '.join(source for _, source in pairs)} {statement[found[end].start :]}"
    )


_TABLE_CONSTRAINTS = frozenset(("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"))
_KINDS = {
    "PRIMARY": "PRIMARY KEY",
    "UNIQUE": "UNIQUE",
    "CHECK": "CHECK",
    "FOREIGN": "FOREIGN KEY",
    "REFERENCES": "FOREIGN KEY",
    "NOT": "NOT NULL",
    "NULL": "NULL",
    "DEFAULT": "DEFAULT",
    "COLLATE": "COLLATE",
    "GENERATED": "GENERATED",
    "AS": "GENERATED",
}


def _closing(found: Sequence[Token], opening: int) -> int:
    depth = 0
    for position in range(opening, len(found)):
        depth += {"(": 1, ")": -1}.get(found[position].text, 0)
        if depth == 0:
            return position
    raise ValueError("a parenthesis is never closed")


def _at_the_top(found: Sequence[Token]) -> Iterator[int]:
    """Yield the positions outside every parenthesis."""
    depth = 0
    for position, token in enumerate(found):
        depth -= token.text == ")"
        if depth == 0:
            yield position
        depth += token.text == "("


def _items(found: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Yield what commas separate."""
    cuts = [i for i in _at_the_top(found) if found[i].text == ","]
    for start, end in pairwise([-1, *cuts, len(found)]):
        if end <= start + 1:
            raise ValueError("something is missing beside a comma")
        yield found[start + 1 : end]


def _slice(sql: str, found: Sequence[Token]) -> str:
    return sql[found[0].start : found[-1].end] if found else ""


def _column(sql: str, item: Sequence[Token]) -> Column:
    name = unquoted(item[0].text)
    starts = _starts(item, column=True)
    return Column(
        name,
        item[0].text,
        _slice(sql, item[1 : starts[0] if starts else len(item)]),
        tuple(_clauses(sql, item, starts, name)),
    )


def _starts(item: Sequence[Token], *, column: bool) -> list[int]:
    """Return where constraints begin; no comma need be between those of a table (parse.y)."""
    first = 1 if column else 0
    return [i for i in _at_the_top(item) if i >= first and _begins(item, i, column=column)]


def _begins(item: Sequence[Token], position: int, *, column: bool) -> bool:
    word = item[position].word
    before = item[position - 1].word if position else ""
    after = item[position + 1].word if position + 1 < len(item) else ""
    if word == "CONSTRAINT":
        return True
    if word not in _KINDS or before == "CONSTRAINT":
        return False
    if position > 1 and item[position - 2].word == "CONSTRAINT":
        return False
    return {
        "NULL": before not in ("NOT", "SET", "DEFAULT"),
        "DEFAULT": before != "SET",
        "NOT": after == "NULL",
        "GENERATED": after == "ALWAYS",
        "AS": before != "ALWAYS",
        "REFERENCES": column,
    }.get(word, True)


def _clauses(
    sql: str, item: Sequence[Token], starts: Sequence[int], column: str | None
) -> Iterator[Clause]:
    for start, end in pairwise([*starts, len(item)]):
        chunk = item[start:end]
        is_named = chunk[0].word == "CONSTRAINT"
        body = chunk[2:] if is_named else chunk
        kind = _KINDS.get(body[0].word, "") if body else ""
        reference = next((i for i in _at_the_top(body) if body[i].word == "REFERENCES"), None)
        yield Clause(
            kind,
            _slice(sql, chunk),
            unquoted(chunk[1].text) if is_named and len(chunk) > 1 else None,
            _columns(body, 0) if column is None and kind != "CHECK" else _only(column),
            "" if reference is None else unquoted(body[reference + 1].text),
            () if reference is None else _columns(body, reference + 1),
        )


def _only(column: str | None) -> tuple[str, ...]:
    return () if column is None else (column,)


def _columns(body: Sequence[Token], position: int) -> tuple[str, ...]:
    """Return the names in the parentheses that follow a word, if any do before the next keyword."""
    opening = next((i for i in range(position + 1, len(body)) if body[i].text == "("), None)
    if opening is None or (position and opening != position + 1):
        return ()
    group = body[opening + 1 : _closing(body, opening)]
    return tuple(unquoted(item[0].text) for item in _items(group))


def _from_columns_on(table: Table) -> list[Token]:
    found = list(tokens(render(table)))
    return found[next(i for i, token in enumerate(found) if token.text == "(") :]


def _without_commas(found: Sequence[Token]) -> list[str]:
    return [token.text for token in found if token.text != ","]
