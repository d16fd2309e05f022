"""PostgreSQL's own text of an expression, made one that a dump and a restore do not change.

What the server writes of an expression (`ruleutils.c`) is read back as another tree in two cases:
a cast of an ARRAY is pushed into its elements (`parse_expr.c`, `transformArrayExpr`), and an AND
that is the first operand of an AND becomes one with it (`gram.y`, `makeAndExpr`), as does an OR.
Both are done here beforehand (of an AND with whatever operand: it means the same), so that the text
of a database and that of its restored dump are equal. The rest is read back as it was written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class _Group(NamedTuple):
    """What is between two brackets."""

    opening: str
    items: list[_Item]


_Item = str | _Group
_CLOSING = {"(": ")", "[": "]"}


def canonical(text: str) -> str:
    """Return an expression, or a definition with expressions, as a restored dump has it.

    Args:
        text: as ``pg_get_constraintdef`` and its like write it without pretty-printing.
    """
    if not re.search(_MAY_CHANGE, text):
        return text
    pieces = iter(re.findall(_PIECE, text))
    return "".join(_written(_rewritten(_read(pieces))))


def in_no_order(statistics: str) -> str:
    """Return what makes a statistics object with its columns in the order of their names.

    The server writes them in the order in which the table has them, and expressions behind them.
    """

    def ordered(found: re.Match[str]) -> str:
        return f" ON {', '.join(sorted(re.findall(_COLUMN, found[1])))}{found[2]}"

    return re.sub(rf" ON ({_COLUMN}(?:, {_COLUMN})*)(,| FROM)", ordered, statistics, count=1)


def _read(pieces: Iterator[str]) -> list[_Item]:
    items: list[_Item] = []
    for piece in pieces:
        if piece in _CLOSING:
            items.append(_Group(piece, _read(pieces)))
        elif piece in _CLOSING.values():
            break
        else:
            items.append(piece)
    return items


def _written(items: Sequence[_Item]) -> Iterator[str]:
    for item in items:
        if isinstance(item, str):
            yield item
        else:
            yield item.opening
            yield from _written(item.items)
            yield _CLOSING[item.opening]


def _rewritten(items: Sequence[_Item]) -> list[_Item]:
    inner = [
        item if isinstance(item, str) else _Group(item.opening, _rewritten(item.items))
        for item in items
    ]
    return _flat(_with_cast_elements(inner))


def _with_cast_elements(items: list[_Item]) -> list[_Item]:
    """Turn ``(ARRAY[a, b])::t[]`` into ``ARRAY[(a)::t, (b)::t]``."""
    result: list[_Item] = []
    position = 0
    while position < len(items):
        array = _array(items[position])
        end = _end_of_cast(items, position + 1) if array is not None else None
        if array is None or end is None:
            result.append(items[position])
            position += 1
            continue
        cast = items[position + 1 : end - 1]
        elements: list[_Item] = []
        for element in _divided(array, ", "):
            elements += [", "] if elements else []
            elements += [_Group("(", element), *cast]
        result += ["ARRAY", _Group("[", elements)]
        position = end
    return result


def _array(item: _Item) -> list[_Item] | None:
    """Return the elements of an item that is an ARRAY in parentheses."""
    if isinstance(item, str) or item.opening != "(" or len(item.items) != 2:
        return None
    word, elements = item.items
    if word != "ARRAY" or isinstance(elements, str) or not elements.items:
        return None
    return elements.items


def _end_of_cast(items: Sequence[_Item], position: int) -> int | None:
    """Return where a cast to an array type ends: behind its ``[]``."""
    if position >= len(items) or not str(items[position]).startswith("::"):
        return None
    for end in range(position, min(position + 8, len(items))):
        item = items[end]
        if isinstance(item, _Group) and item.opening == "[":
            return end + 1 if not item.items else None
        if isinstance(item, str) and re.search(_BEHIND_A_TYPE, item):
            return None
    return None


def _flat(items: list[_Item]) -> list[_Item]:
    """Take an AND that is an operand of an AND into it; the same for OR."""
    for connector in (" AND ", " OR "):
        operands = _divided(items, connector)
        if len(operands) == 1:
            continue
        flat: list[_Item] = []
        for operand in operands:
            inner = operand[0].items if _is_chain(operand, connector) else operand  # type: ignore[union-attr]
            flat += [connector, *inner] if flat else inner
        items = flat
    return items


def _is_chain(operand: Sequence[_Item], connector: str) -> bool:
    if len(operand) != 1 or isinstance(operand[0], str) or operand[0].opening != "(":
        return False
    return len(_divided(operand[0].items, connector)) > 1


def _divided(items: Sequence[_Item], separator: str) -> list[list[_Item]]:
    """Divide at a separator that is in no bracket; strings and quoted names are items whole."""
    parts: list[list[_Item]] = [[]]
    for item in items:
        if isinstance(item, _Group) or item[0] in "'\"":
            parts[-1].append(item)
            continue
        first, *more = item.split(separator)
        if first:
            parts[-1].append(first)
        parts += [[text] if text else [] for text in more]
    return parts


_MAY_CHANGE = r"\(ARRAY\[|\) AND |\) OR | AND \(| OR \("
_PIECE = r"""(?x) '(?:[^']|'')*' | "(?:[^"]|"")*" | [()\[\]] | [^'"()\[\]]+"""
# A type is words, dots, quoted names and a length: what else comes is no type any more.
_BEHIND_A_TYPE = r"[^\w\s.:\"]|\b(?:AND|OR|THEN|ELSE|END|FROM|AS|COLLATE)\b"
_COLUMN = r'(?:"(?:[^"]|"")*"|[^\W\d][\w$]*)(?![\w$(])'
