"""SQLite's SQL as items: what parentheses hold is one, and so are a number and an operator."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.sql.lexer import tokens, unquoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from work_data_hub.domain.sql.lexer import Token


class Item(NamedTuple):
    """One item.

    Attributes:
        kind: ``word``, ``quoted`` (a name), ``string``, ``number``, ``mark`` or ``group``; of a
            word that is no name ``keyword``, where somebody has found out.
        text: as it is written; of a group nothing.
        items: of a group what is in its parentheses.
    """

    kind: str
    text: str
    items: tuple[Item, ...] = ()

    @property
    def word(self) -> str:
        """What may be a keyword, in capitals; what is quoted never is one."""
        return self.text.upper() if self.kind in ("word", "keyword") else ""

    @property
    def name(self) -> str:
        """The name that it means, if it is one."""
        return unquoted(self.text) if self.text else ""


def items_of(sql: str) -> tuple[Item, ...]:
    """Read SQL, without its spaces and comments.

    Args:
        sql: a statement that SQLite has taken, or a part of one.
    """
    levels: list[list[Item]] = [[]]
    for item in _flat(sql):
        if item.text == "(" and item.kind == "mark":
            levels.append([])
        elif item.text == ")" and item.kind == "mark" and len(levels) > 1:
            inner = levels.pop()
            levels[-1].append(Item("group", "", tuple(inner)))
        else:
            levels[-1].append(item)
    while len(levels) > 1:  # a parenthesis that is never closed
        inner = levels.pop()
        levels[-1].append(Item("group", "", tuple(inner)))
    return tuple(levels[0])


def divided(items: Sequence[Item]) -> list[Sequence[Item]]:
    """Return what commas separate; of nothing nothing."""
    if not items:
        return []
    commas = [i for i, item in enumerate(items) if item.kind == "mark" and item.text == ","]
    return [items[start + 1 : end] for start, end in pairwise([-1, *commas, len(items)])]


def behind(items: Sequence[Item], *words: str) -> Sequence[Item]:
    """Return what follows some words that stand one behind the other; nothing without them."""
    for position in range(len(items) - len(words) + 1):
        if all(items[position + i].word == word for i, word in enumerate(words)):
            return items[position + len(words) :]
    return ()


def _flat(sql: str) -> Iterator[Item]:
    end = 0
    for token in tokens(sql):
        if token.start < end:
            continue
        kind, end = _joined(sql, token)
        yield Item(kind, sql[token.start : end])


def _joined(sql: str, token: Token) -> tuple[str, int]:
    """Return kind and end of what begins with a token of the lexer, which knows no numbers."""
    if token.kind == "mark":
        found = re.compile(_OPERATOR).match(sql, token.start)
        if found is not None:
            return "mark", found.end()
    if token.kind in ("mark", "word"):
        found = re.compile(_NUMBER).match(sql, token.start)
        if found is not None:
            return "number", max(found.end(), token.end)
        if token.text in ("x", "X") and sql.startswith("'", token.end):
            return "number", sql.find("'", token.end + 1) + 1
    return token.kind, token.end


_OPERATOR = r"->>|->|<>|!=|==|<=|>=|<<|>>|\|\|"
_NUMBER = r"0[xX][0-9a-fA-F]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
