"""A SQL script: its statements, where each begins, and which a running transaction can take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from itertools import chain
from sqlite3 import complete_statement
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

Dialect = Literal["postgresql", "sqlite"]


@dataclass(frozen=True)
class Statement:
    """One statement, without the semicolon that ends it.

    Attributes:
        text: from its first word on; the comments before it are not part of it.
        line: the 1-based line of that word.
    """

    text: str
    line: int


class Kind(Enum):
    """What a statement means to somebody who runs the whole script in one transaction."""

    ORDINARY = auto()
    TRANSACTION_BRACKET = auto()  # BEGIN, COMMIT: says what is done anyway
    TRANSACTION_END = auto()  # ROLLBACK, COMMIT AND CHAIN: would end it early
    CLIENT_COMMAND = auto()  # \connect, .read: for psql or sqlite3, not for the engine
    COPY_STREAM = auto()  # COPY FROM STDIN: what follows is not SQL
    BACKSLASH_STRINGS = auto()  # standard_conforming_strings = off: changes where strings end
    FOREIGN_KEYS_OFF = auto()  # PRAGMA foreign_keys = OFF: ignored inside a transaction


def split(script: str, dialect: Dialect) -> Iterator[Statement]:
    """Yield the statements of a script in order; empty ones are left out.

    SQLite: the judgement is ``sqlite3.complete_statement``'s, so that trigger bodies stay whole.
    PostgreSQL: the rules of its own lexer (``scan.l``) for strings, quoted names, dollar quoting
    and nested comments; a semicolon inside parentheses (CREATE RULE) or inside a BEGIN ATOMIC body
    ends nothing, as in psql. A psql command is a statement of its own, up to the end of its line.
    What is never closed reaches to the end of the script: the engine says what is wrong with it.

    The time is linear in the length of the script.
    """
    cuts = _sqlite_cuts(script) if dialect == "sqlite" else _postgresql_cuts(script)
    line, counted, position = 1, 0, 0
    for end, resume in chain(cuts, [(len(script), len(script))]):
        start = _first_word(script, position, dialect)
        if start < end:
            line += script.count("\n", counted, start)
            counted = start
            yield Statement(script[start:end].rstrip(_SPACES), line)
        position = resume


def kind_of(statement: Statement, dialect: Dialect) -> Kind:
    """Return what the statement means to somebody who runs the script in one transaction."""
    if statement.text[0] in "\\.":
        return Kind.CLIENT_COMMAND
    word = _FIRST_WORD.match(statement.text)
    if word is None or word[0].lower() not in _TELLING_WORDS:
        return Kind.ORDINARY
    text = _without_comments(statement.text, dialect)
    return next((kind for kind, rule in _RULES if rule.match(text)), Kind.ORDINARY)


_SPACES = " \t\r\n\f"
_SPACE = re.compile(f"[{_SPACES}]*")
_FIRST_WORD = re.compile("[A-Za-z]+")

_TELLING_WORDS = frozenset(
    ("abort", "begin", "commit", "copy", "end", "pragma", "prepare", "rollback", "set", "start")
)
_RULES = tuple(
    (kind, re.compile(rule, re.IGNORECASE | re.DOTALL))
    for kind, rule in (
        (Kind.TRANSACTION_BRACKET, r"(begin|start\s+transaction)\b"),
        (
            Kind.TRANSACTION_BRACKET,
            r"(commit|end)(\s+(work|transaction))?(\s+and\s+no\s+chain)?\s*\Z",
        ),
        (Kind.ORDINARY, r"rollback(\s+(work|transaction))?\s+to\s"),
        (Kind.TRANSACTION_END, r"(abort|commit|end|rollback|prepare\s+transaction)\b"),
        (
            Kind.COPY_STREAM,
            r"copy\s*(\(.*\)|[^()']+(\([^)]*\))?)\s*(from\s+stdin|to\s+stdout)\b",
        ),
        (
            Kind.BACKSLASH_STRINGS,
            r"set\s+((session|local)\s+)?standard_conforming_strings\s*(=|to\b)"
            r"(?!\s*'?(on|true|yes|1|default)\b)",
        ),
        (
            Kind.FOREIGN_KEYS_OFF,
            r"pragma\s+(\w+\s*\.\s*)?foreign_keys\s*[=(]\s*['\"]?(off|no|false|0)\b",
        ),
    )
)

# An adjacent pair of strings is skipped exactly like a doubled quote, so '[^']*' needs no case
# for it. An E string is different: the second half would lose the meaning of its backslashes, and
# that meaning also goes on in a continuation on a later line ("quotecontinue" in scan.l).
_E_STRING = r"""
    [eE]'[^'\\]*
    (?: (?: \\. | '' | '[ \t\f\v]*(?:--[^\r\n]*)?[\r\n](?:[ \t\f\v\r\n]|--[^\r\n]*[\r\n])*' )
        [^'\\]* )*
    (?:'|\Z)
"""
_NAME_START = r"[A-Za-z_\x80-\U0010ffff]"
_NAME_REST = r"[A-Za-z0-9_$\x80-\U0010ffff]"
_TOKEN = {
    "sqlite": re.compile(
        r"""
        (?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) )
      | (?P<quoted> '[^']*(?:'|\Z) | "[^"]*(?:"|\Z) | `[^`]*(?:`|\Z) | \[[^\]]*(?:\]|\Z) )
      | (?P<mark> ; )
        """,
        re.VERBOSE | re.DOTALL,
    ),
    # Every word is a token, because the E of nameE'' and the dollars of a$b$c mean nothing.
    # pg_dump writes \restrict and \unrestrict around its SQL, to protect psql from what is
    # between; outside psql they mean nothing either.
    "postgresql": re.compile(
        rf"""
        (?P<comment> --[^\r\n]* | /\* | (?m:^)\\(?:un)?restrict\b[^\r\n]* )
      | (?P<quoted> {_E_STRING}
          | '[^']*(?:'|\Z)
          | "[^"]*(?:"|\Z)
          | \$(?P<tag>(?:{_NAME_START}[A-Za-z0-9_\x80-\U0010ffff]*)?)\$.*?(?:\$(?P=tag)\$|\Z) )
      | (?P<keyword> (?i:begin|atomic|end)(?!{_NAME_REST}) )
      | (?P<word> {_NAME_START}{_NAME_REST}* )
      | (?P<command> \\[^\r\n]* )
      | (?P<mark> [().;] )
        """,
        re.VERBOSE | re.DOTALL,
    ),
}
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_ROUTINE = re.compile(r"create\s+(or\s+replace\s+)?(function|procedure)\b", re.IGNORECASE)


def _tokens(script: str, dialect: Dialect) -> Iterator[tuple[str, int, int]]:
    """Yield kind, start and end of what may hide a semicolon, or may be one."""
    search = _TOKEN[dialect].search
    position = 0
    while (found := search(script, position)) is not None:
        kind, position = _kind_and_end(script, found)
        yield kind, found.start(), position


def _kind_and_end(script: str, found: re.Match[str]) -> tuple[str, int]:
    if found[0] != "/*":
        return found.lastgroup or "", found.end()
    end = _end_of_nested_comment(script, found.end())
    # What is never closed is no comment to PostgreSQL: it goes to the engine, which says so.
    return ("comment", end) if end is not None else ("quoted", len(script))


def _end_of_nested_comment(script: str, position: int) -> int | None:
    depth = 1
    for edge in _COMMENT_EDGE.finditer(script, position):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return None


def _sqlite_cuts(script: str) -> Iterator[tuple[int, int]]:
    """Yield where each statement ends and where the script goes on."""
    position, opening = 0, ""
    for kind, start, end in _tokens(script, "sqlite"):
        if kind != "mark":
            continue
        if complete_statement(opening + script[position:end]):
            yield start, end
            opening = ""
        else:
            # Only a trigger is incomplete at a semicolon. The automaton behind complete_statement
            # is then always in the same state (sqlite3 complete.c), which these words bring it
            # back to: the body is not read again from its beginning at each of its semicolons.
            opening = "CREATE TRIGGER;"
        position = end


def _postgresql_cuts(script: str) -> Iterator[tuple[int, int]]:
    """Yield where each statement ends and where the script goes on."""
    depth, in_body, position, previous = 0, False, 0, ""
    for kind, start, end in _tokens(script, "postgresql"):
        if kind == "comment":
            continue
        sign = script[start:end].lower() if kind in ("keyword", "mark") else ""
        if kind == "command":
            yield start, start
            yield end, end
            depth, in_body, position = 0, False, end
        elif sign == "(":
            depth += 1
        elif sign == ")":
            depth = max(0, depth - 1)
        elif sign == "atomic" and previous == "begin" and not (in_body or depth):
            head = _without_comments(script[position:start], "postgresql")
            in_body = _ROUTINE.match(head) is not None
        elif sign == "end" and previous in (";", "atomic"):
            # Every statement of the body has its semicolon, so that no CASE ends like this.
            in_body = False
        elif sign == ";" and depth == 0 and not in_body:
            yield start, end
            position = end
        previous = sign


def _first_word(script: str, position: int, dialect: Dialect) -> int:
    """Return where the first thing begins that is neither space nor comment."""
    while True:
        space = _SPACE.match(script, position)
        position = space.end() if space else position
        found = _TOKEN[dialect].match(script, position)
        kind, end = _kind_and_end(script, found) if found else ("", position)
        if kind != "comment":
            return position
        position = end


def _without_comments(text: str, dialect: Dialect) -> str:
    pieces, position = [], 0
    for kind, start, end in _tokens(text, dialect):
        if kind == "comment":
            pieces += [text[position:start], " "]
            position = end
    return "".join([*pieces, text[position:]]).strip()
