"""Names and spellings in SQLite's DDL."""

from __future__ import annotations

from itertools import pairwise
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING

from work_data_hub.domain.sql.lexer import tokens, unquoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.domain.sql.lexer import Token


def folded(name: str) -> str:
    """Return a name as SQLite compares it: without case in ASCII, and as it is beyond."""
    return name.translate(_TO_LOWER_CASE)


def spelling(sql: str) -> tuple[str, ...]:
    """Return what stays when case, spaces, comments and the quotes of names mean nothing."""
    return tuple(
        token.text if token.kind == "string" else folded(unquoted(token.text))
        for token in tokens(sql)
    )


def names_in(sql: str) -> frozenset[str]:
    """Return, folded, what may be a name of a column or table; functions are left out."""
    return frozenset(
        folded(unquoted(token.text))
        for token, following in _with_the_next(sql)
        if token.kind in ("word", "quoted") and following != "("
    )


def columns_in(sql: str) -> frozenset[str]:
    """Return, folded, the names of columns in an expression, from its parenthesis on.

    A name stands where an operand is due. Behind one a word is an operator, or an order. No columns
    are functions, what a dot follows, a collation, and the type in a CAST.

    Args:
        sql: a CHECK, a generated column or a CREATE INDEX.
    """
    names: set[str] = set()
    is_behind_operand, previous, type_from, depth = False, "", None, 0
    for token, following in _with_the_next(from_parenthesis_on(sql)):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if type_from is not None and depth >= type_from:
            continue
        type_from = None
        if token.kind == "mark":
            is_behind_operand = token.text == ")"
        elif previous == "COLLATE":
            is_behind_operand = True
        elif is_behind_operand:
            type_from = depth if token.word == "AS" else None
            is_behind_operand = token.word in _STILL_BEHIND
        elif token.word in _NO_OPERANDS or following[:1] in ("(", "'"):
            # The last is a blob, X'00', whose text is the operand.
            is_behind_operand = token.word == "NULL"
        else:
            is_behind_operand = True
            is_name = token.kind == "quoted" or not token.word[:1].isdigit()
            if is_name and token.kind != "string" and following != ".":
                names.add(folded(unquoted(token.text)))
        previous = token.word
    return frozenset(names)


def all_names_in(sql: str) -> frozenset[str]:
    """Return, folded, also what is a name in a string only: an argument of a virtual table."""
    return names_in(sql) | {folded(unquoted(t.text)) for t in tokens(sql) if t.kind == "string"}


def arguments_in(sql: str) -> frozenset[str]:
    """Return, folded, the arguments of a virtual table, and the values of its options."""
    return frozenset(
        folded(unquoted(token.text))
        for token, following in _with_the_next(from_parenthesis_on(sql))
        if token.kind != "mark" and following != "="
    )


def names_that_may_turn_into_strings(sql: str) -> frozenset[str]:
    """Return, folded, the names in double quotes of a statement that nothing qualifies.

    When there is no such column SQLite takes them for strings and reports nothing
    (sqlite.org/quirks, "Double-quoted String Literals Are Accepted").
    """
    return frozenset(
        folded(unquoted(token.text))
        for previous, token in pairwise(tokens(sql))
        if token.text[0] == '"' and previous.text != "." and previous.word != "AS"
    )


def _with_the_next(sql: str) -> Iterator[tuple[Token, str]]:
    """Yield each token, and the text of the one behind it."""
    found = list(tokens(sql))
    return zip(found, [*(token.text for token in found[1:]), ""], strict=True)


def from_parenthesis_on(sql: str) -> str:
    """Return a statement without the names that it begins with."""
    return next((sql[token.start :] for token in tokens(sql) if token.text == "("), "")


# Reserved words (sqlite.org/lang_keywords) that stand where an operand is due, and are none.
_NO_OPERANDS = frozenset(
    ("AND", "BETWEEN", "CASE", "ELSE", "IN", "IS", "NOT", "NULL", "OR", "THEN", "WHEN")
)
# END closes an operand, NULL is one, and behind NOT follows the operator: `a NOT LIKE b`.
_STILL_BEHIND = frozenset(("END", "NOT", "NULL", "ISNULL", "NOTNULL"))
_TO_LOWER_CASE = str.maketrans(ascii_uppercase, ascii_lowercase)
