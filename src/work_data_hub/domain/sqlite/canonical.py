"""One way to write an expression or a query of SQLite, for all that mean the same to its parser.

Case and quotes of names, spaces, comments and parentheses that change nothing are no difference.
Which parentheses those are is decided by the precedences of SQLite's grammar (parse.y).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.sql.lexer import quoted, unquoted
from work_data_hub.domain.sqlite.items import Item
from work_data_hub.domain.sqlite.text import folded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


def canonical(items: Sequence[Item], columns: Collection[str] | None = None) -> str:
    """Return the text.

    Args:
        items: of an expression, a query, or the body of a trigger.
        columns: folded, of the table that an expression is about. What is in double quotes and
            none of them is a string (sqlite.org/quirks). Of a query they are not known: there it
            is a name.
    """
    return _written(_simplified(_with_strings(items, columns)))


def written_name(name: str) -> str:
    """Return a name in quotes where it needs them."""
    is_plain = re.fullmatch(_PLAIN_NAME, name) and name.upper() not in _RESERVED
    return name if is_plain else quoted(name)


def canonical_name(name: str) -> str:
    """Return a name as all have it that SQLite takes for the same."""
    return written_name(folded(name))


def string(text: str) -> str:
    """Return a string as SQL."""
    return "'" + text.replace("'", "''") + "'"


def _with_strings(items: Sequence[Item], columns: Collection[str] | None) -> list[Item]:
    """Turn into a string what is in double quotes and no name."""
    if columns is None:
        return list(items)
    result = []
    for position, item in enumerate(items):
        if item.kind == "group":
            inner = _with_strings(item.items, columns)
            result.append(item._replace(items=tuple(inner)))
        elif item.text[0] == '"' and not _is_name(items, position, columns):
            result.append(Item("string", string(item.name)))
        else:
            result.append(item)
    return result


def _is_name(items: Sequence[Item], position: int, columns: Collection[str]) -> bool:
    before = items[position - 1] if position else None
    after = items[position + 1] if position + 1 < len(items) else None
    if before is not None and (before.text == "." or before.word in ("COLLATE", "AS")):
        return True
    if after is not None and (after.text == "." or after.kind == "group"):
        return True
    return folded(items[position].name) in columns


class _Role(NamedTuple):
    """What an item is to the others: an operator has a precedence, and a group may be none."""

    precedence: int = 0
    is_grouping: bool = False
    breaks: bool = False
    is_keyword: bool = False


class _Walk:
    """Goes along items as a parser does: is an operand due, or an operator?"""

    def __init__(self) -> None:
        self._is_behind_operand = False
        self._negates = False
        self._lists_rows = False
        self._last = ""
        self._betweens = [0]  # that wait for their AND; one number for each CASE around

    def role(self, item: Item) -> _Role:
        """Return the role of the next item."""
        case = len(self._betweens) > 1
        role = self._role_of_word(item) if item.word else self._role_of_other(item)
        self._negates = item.word == "NOT" and role.precedence == _COMPARES
        self._last = item.word
        # What is in CASE ... END is an operand, whatever it is of.
        return role._replace(breaks=False) if case else role

    @property
    def is_in_case(self) -> bool:
        """Whether a CASE has no END yet."""
        return len(self._betweens) > 1

    def _role_of_other(self, item: Item) -> _Role:
        due = not self._is_behind_operand
        self._is_behind_operand = item.kind != "mark"
        if item.kind == "group":
            return _Role(is_grouping=due)
        if item.kind != "mark" or item.text == ".":
            return _Role()
        if due and item.text in _PREFIXES:
            return _Role(_SIGNS)
        if due and item.text == "*":  # all columns
            self._is_behind_operand = True
            return _Role()
        if item.text in _MARKS:
            return _Role(_MARKS[item.text])
        self._is_behind_operand = self._lists_rows
        return _Role(breaks=True)

    def _role_of_word(self, item: Item) -> _Role:
        word, due = item.word, not self._is_behind_operand
        self._is_behind_operand = word not in _BEFORE_OPERANDS
        if word in ("AND", "OR", "NOT"):
            return _Role(self._connects(word, due=due), is_keyword=True)
        if word in ("CASE", "END") and (word == "CASE" or self.is_in_case):
            self._betweens = [*self._betweens, 0] if word == "CASE" else self._betweens[:-1]
            return _Role(is_keyword=True)
        if word in _LIKES:
            is_operator = not due or self._negates
            self._is_behind_operand = not is_operator
            return _Role(_COMPARES, is_keyword=True) if is_operator else _Role()
        if word in _WORDS:
            self._betweens[-1] += word == "BETWEEN"
            return _Role(_WORDS[word], is_keyword=True)
        if (word, self._last) in _DISTINCT_FROM:
            self._is_behind_operand = False
            return _Role(_COMPARES, is_keyword=True)
        if word == "BY" and self._last in ("ORDER", "GROUP", "PARTITION"):
            self._is_behind_operand = False
            return _Role(breaks=True, is_keyword=True)
        if word in _RESERVED and word not in _OPERANDS:
            self._lists_rows = word == "VALUES"
            return _Role(breaks=True)
        return _Role()

    def _connects(self, word: str, *, due: bool) -> int:
        if word == "NOT":
            return _COMPARES if not due or self._last == "IS" else _NEGATES
        if word == "AND" and self._betweens[-1]:
            self._betweens[-1] -= 1
            return _COMPARES
        return _CONNECTS[word]


def _roles(items: Sequence[Item]) -> Iterator[_Role]:
    walk = _Walk()
    return (walk.role(item) for item in items)


def _simplified(items: Sequence[Item]) -> list[Item]:
    """Leave out the parentheses without which the same would be read."""
    inner = [
        item._replace(items=tuple(_simplified(item.items))) if item.kind == "group" else item
        for item in items
    ]
    roles = list(_roles(inner))
    result: list[Item] = []
    for position, (item, role) in enumerate(zip(inner, roles, strict=True)):
        left = roles[position - 1].precedence if position else 0
        right = roles[position + 1].precedence if position + 1 < len(inner) else 0
        if role.is_grouping and _is_redundant(item.items, left, right):
            result += item.items
        else:
            result.append(Item("keyword", item.word) if role.is_keyword else item)
    return result


def _is_redundant(items: Sequence[Item], left: int, right: int) -> bool:
    walk, lowest = _Walk(), _OPERAND
    for item in items:
        was_in_case = walk.is_in_case
        role = walk.role(item)
        if role.breaks:
            return False
        if role.precedence and not was_in_case:
            lowest = min(lowest, role.precedence)
    # Of two operators alike the left one is read first. AND and OR have no first, and what only
    # stands before an operand is no left one.
    has_no_first = left == lowest and left in _WITHOUT_FIRST
    return bool(items) and lowest >= right and (lowest > left or has_no_first)


def _written(items: Sequence[Item]) -> str:
    text, previous = "", None
    is_sign = False
    for item, role in zip(items, _roles(items), strict=True):
        piece = f"({_written(item.items)})" if item.kind == "group" else _piece(item)
        if previous is not None and not _touch(previous, item, piece, is_sign=is_sign):
            text += " "
        text, previous, is_sign = text + piece, item, role.precedence == _SIGNS
    return text


def _touch(before: Item, item: Item, piece: str, *, is_sign: bool) -> bool:
    """Whether no space stands between two items."""
    if is_sign:
        return piece[0] not in "+-"
    if item.kind == "group":
        return before.kind == "quoted" or (before.kind == "word" and not _is_reserved(before))
    return item.text in (",", ";", ".") or before.text == "."


def _piece(item: Item) -> str:
    if item.kind == "quoted":
        return canonical_name(unquoted(item.text))
    if item.kind == "word":
        return item.word if _is_reserved(item) else folded(item.text)
    if item.kind == "number":
        return item.text.upper()
    return _SAME.get(item.text, item.text)


def _is_reserved(item: Item) -> bool:
    return item.word in _RESERVED


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SAME = {"!=": "<>", "==": "="}
# The precedences of parse.y, from OR to the signs before an operand.
_CONNECTS = {"OR": 1, "AND": 2}
_NEGATES, _COMPARES, _SIGNS, _OPERAND = 3, 4, 12, 13
_WITHOUT_FIRST = (*_CONNECTS.values(), _NEGATES, _SIGNS)
_MARKS = {
    **dict.fromkeys(("=", "==", "<>", "!="), _COMPARES),
    **dict.fromkeys(("<", "<=", ">", ">="), 5),
    **dict.fromkeys(("&", "|", "<<", ">>"), 7),
    **dict.fromkeys(("+", "-"), 8),
    **dict.fromkeys(("*", "/", "%"), 9),
    **dict.fromkeys(("||", "->", "->>"), 10),
}
_WORDS = {
    **dict.fromkeys(("IS", "IN", "BETWEEN", "ISNULL", "NOTNULL"), _COMPARES),
    "ESCAPE": 6,
    "COLLATE": 11,
}
_LIKES = ("LIKE", "GLOB", "REGEXP", "MATCH")  # also names of functions
_PREFIXES = ("+", "-", "~")
_DISTINCT_FROM = {("DISTINCT", "IS"), ("DISTINCT", "NOT"), ("FROM", "DISTINCT")}
_BEFORE_OPERANDS = _words(
    "ALL AND BETWEEN CASE DISTINCT ELSE ESCAPE HAVING IS LIMIT NOT ON OR RETURNING SELECT SET THEN"
    " WHEN WHERE"
)
_OPERANDS = _words("CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP EXISTS NULL")
# What no name can be without quotes (parse.y; the others fall back to names), or reads as a join.
_RESERVED = _words(
    "ADD ALL ALTER AND AS AUTOINCREMENT BETWEEN CASE CHECK COLLATE COMMIT CONSTRAINT CREATE CROSS"
    " CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DEFAULT DEFERRABLE DELETE DISTINCT DROP ELSE"
    " ESCAPE EXCEPT EXISTS FOREIGN FROM FULL GROUP HAVING IN INDEX INNER INSERT INTERSECT INTO IS"
    " ISNULL JOIN LEFT LIMIT NATURAL NOT NOTHING NOTNULL NULL ON OR ORDER OUTER PRIMARY REFERENCES"
    " RETURNING RIGHT SELECT SET TABLE THEN TO TRANSACTION UNION UNIQUE UPDATE USING VALUES WHEN"
    " WHERE"
)
_PLAIN_NAME = r"[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*"
