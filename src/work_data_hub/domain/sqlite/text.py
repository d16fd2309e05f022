"""Names and spellings in SQLite's DDL."""

from __future__ import annotations

from itertools import pairwise

from work_data_hub.domain.sql.lexer import Token, tokens, unquoted


def spelling(sql: str) -> tuple[str, ...]:
    """Return what stays when case, spaces, comments and the quotes of names mean nothing."""
    return tuple(
        token.text if token.kind == "string" else unquoted(token.text).lower()
        for token in tokens(sql)
    )


def names_in(sql: str) -> frozenset[str]:
    """Return, in lower case, what may be a name of a column or table; functions are left out."""
    found = [*tokens(sql), Token("mark", ";", 0, 0)]
    return frozenset(
        unquoted(token.text).lower()
        for token, following in pairwise(found)
        if token.kind in ("word", "quoted") and following.text != "("
    )


def names_that_may_turn_into_strings(sql: str) -> frozenset[str]:
    """Return, in lower case, the names in double quotes that nothing qualifies.

    When there is no such column SQLite takes them for strings and reports nothing
    (sqlite.org/quirks, "Double-quoted String Literals Are Accepted").
    """
    found = [Token("mark", ";", 0, 0), *tokens(sql)]
    return frozenset(
        unquoted(token.text).lower()
        for previous, token in pairwise(found)
        if token.text[0] == '"' and previous.text != "." and previous.word != "AS"
    )


def from_parenthesis_on(sql: str) -> str:
    """Return a CREATE INDEX without the names of the index and its table."""
    return next(sql[token.start :] for token in tokens(sql) if token.text == "(")
