"""SQLite's lexer: names, spellings, and what a statement does."""

from __future__ import annotations

import re
from itertools import islice, pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Token(NamedTuple):
    """One token; spaces and comments are none."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """What may be a keyword, in capitals; what is quoted never is one."""
        return self.text.upper() if self.kind == "word" else ""


class Action(NamedTuple):
    """What a statement does to one named thing: ``("ALTER", "TABLE", "a", "b")`` renames a to b."""

    verb: str
    kind: str
    name: str
    new_name: str | None = None


def tokens(sql: str) -> Iterator[Token]:
    """Yield the tokens of SQLite's own lexer (tokenize.c), spaces and comments left out."""
    for found in _TOKEN.finditer(sql):
        if found.lastgroup != "space":
            yield Token(found.lastgroup or "", found[0], found.start(), found.end())


def quoted(name: str) -> str:
    """Return a name as SQL that cannot be taken for anything else."""
    return '"' + name.replace('"', '""') + '"'


def unquoted(text: str) -> str:
    """Return the name that a token means."""
    if text[0] == "[":
        return text[1:-1]
    if text[0] in "\"'`":
        return text[1:-1].replace(text[0] * 2, text[0])
    return text


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


def action_of(statement: str) -> Action:
    """Return what a statement does, read from its first words."""
    found = list(islice(tokens(statement), _HEAD))
    words = [token.word for token in found]
    verb = words[0] if words else ""
    position = 1
    while position < len(words) and words[position] in _BETWEEN:
        position += 1
    kind = words[position] if verb in ("CREATE", "DROP", "ALTER") and position < len(words) else ""
    position += bool(kind)
    while position < len(words) and words[position] in ("IF", "NOT", "EXISTS"):
        position += 1
    rest = found[position:]
    if len(rest) > 2 and rest[1].text == ".":
        rest = rest[2:]
    name = unquoted(rest[0].text) if rest else ""
    if verb == "ALTER" and [token.word for token in rest[1:3]] == ["RENAME", "TO"]:
        return Action(verb, kind, name, unquoted(rest[3].text) if len(rest) > 3 else "")
    return Action(verb, kind, name)


_HEAD = 16
# What may stand between the verb and the table or its kind.
_BETWEEN = frozenset(("INTO", "FROM", "OR", "TEMP", "TEMPORARY", "UNIQUE", "VIRTUAL")) | frozenset(
    ("REPLACE", "IGNORE", "ABORT", "FAIL", "ROLLBACK")
)
_TOKEN = re.compile(
    r"""
    (?P<space> [ \t\r\n\f]+ | --[^\n]* | /\*.*?(?:\*/|\Z) )
  | (?P<string> '(?:[^']|'')*' )
  | (?P<quoted> "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\] )
  | (?P<word> [A-Za-z0-9_$\x80-\U0010ffff]+ )
  | (?P<mark> . )
    """,
    re.VERBOSE | re.DOTALL,
)
