"""SQL as tokens: names, strings and comments, as the engines' own lexers see them.

Patterns are compiled when they are first used: that takes longer than a short run of a revision.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

Dialect = Literal["postgresql", "sqlite"]
SPACES = " \t\r\n\f"


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


def tokens(sql: str) -> Iterator[Token]:
    """Yield the tokens of SQLite's own lexer (tokenize.c), spaces and comments left out.

    The first words of PostgreSQL's statements are the same.
    """
    for found in re.finditer(_LEXEME, sql):
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


def scan(script: str, dialect: Dialect) -> Iterator[tuple[str, int, int]]:
    """Yield kind, start and end of what may hide a semicolon, or may be one, and of comments."""
    search = re.compile(_HIDING[dialect]).search
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
    for edge in re.compile(_COMMENT_EDGE).finditer(script, position):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return None


def first_word(script: str, position: int, dialect: Dialect) -> int:
    """Return where the first thing begins that is neither space nor comment."""
    while True:
        space = re.compile(_SPACE[dialect]).match(script, position)
        position = space.end() if space else position
        found = re.compile(_HIDING[dialect]).match(script, position)
        kind, end = _kind_and_end(script, found) if found else ("", position)
        if kind != "comment":
            return position
        position = end


def without_comments(text: str, dialect: Dialect) -> str:
    """Return a text with a space in place of each comment."""
    pieces, position = [], 0
    for kind, start, end in scan(text, dialect):
        if kind == "comment":
            pieces += [text[position:start], " "]
            position = end
    return "".join([*pieces, text[position:]]).strip()


# Where a token may begin, SQLite takes a byte order mark for a space (files that were put together
# have some in their middle), and PostgreSQL since 16 the vertical tab.
_SPACE = {
    "sqlite": f"[{SPACES}\ufeff]*",
    "postgresql": f"[{SPACES}\v]*",
}
_LEXEME = r"""(?xs)
    (?P<space> [ \t\r\n\f\v\ufeff]+ | --[^\n]* | /\*.*?(?:\*/|\Z) )
  | (?P<string> '(?:[^']|'')*' )
  | (?P<quoted> "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\] )
  | (?P<word> [A-Za-z0-9_$\x80-\U0010ffff]+ )
  | (?P<mark> . )
"""
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
_HIDING = {
    "sqlite": r"""(?xs)
        (?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) )
      | (?P<quoted> '[^']*(?:'|\Z) | "[^"]*(?:"|\Z) | `[^`]*(?:`|\Z) | \[[^\]]*(?:\]|\Z) )
      | (?P<mark> ; )
    """,
    # Every word is a token, because the E of nameE'' and the dollars of a$b$c mean nothing.
    # pg_dump writes \restrict and \unrestrict around its SQL, to protect psql from what is
    # between; outside psql they mean nothing either.
    "postgresql": rf"""(?xs)
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
}
_COMMENT_EDGE = r"/\*|\*/"
