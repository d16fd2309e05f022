"""A SQL script: its statements, and where each begins."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from sqlite3 import complete_statement
from typing import TYPE_CHECKING

from work_data_hub.domain.sql.lexer import SPACES, first_word, scan, without_comments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.domain.sql.lexer import Dialect


@dataclass(frozen=True)
class Statement:
    """One statement, without the semicolon that ends it.

    Attributes:
        text: from its first word on; the comments before it are not part of it.
        line: the 1-based line of that word.
    """

    text: str
    line: int


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
        start = first_word(script, position, dialect)
        if start < end:
            line += script.count("\n", counted, start)
            counted = start
            yield Statement(script[start:end].rstrip(SPACES), line)
        position = resume


_ROUTINE = re.compile(r"create\s+(or\s+replace\s+)?(function|procedure)\b", re.IGNORECASE)


def _sqlite_cuts(script: str) -> Iterator[tuple[int, int]]:
    """Yield where each statement ends and where the script goes on."""
    position, opening = 0, ""
    for kind, start, end in scan(script, "sqlite"):
        if kind != "mark":
            continue
        # Without the mark before it, which complete_statement takes for the beginning of a name.
        position = first_word(script, position, "sqlite")
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
    for kind, start, end in scan(script, "postgresql"):
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
            head = without_comments(script[position:start], "postgresql")
            in_body = _ROUTINE.match(head) is not None
        elif sign == "end" and previous in (";", "atomic"):
            # Every statement of the body has its semicolon, so that no CASE ends like this.
            in_body = False
        elif sign == ";" and depth == 0 and not in_body:
            yield start, end
            position = end
        previous = sign
