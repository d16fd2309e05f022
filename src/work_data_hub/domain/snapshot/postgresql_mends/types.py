"""What becomes of the values of a column that gets another type."""

from __future__ import annotations

import re
from typing import NamedTuple

_TEXTS = ("text", "character varying", "character")
_INTEGERS = ("smallint", "integer", "bigint")


class _Type(NamedTuple):
    """A type taken apart: ``numeric(10,2)``."""

    base: str
    numbers: tuple[int, ...]


def needs_using(old: str, new: str) -> bool:
    """Whether a cast has to be written.

    Not where the server has one that it makes itself: that one fails where a text is too long,
    and a written one cuts it off.
    """
    one, other = _parsed(old), _parsed(new)
    return one.base != other.base and other.base not in _TEXTS


def is_wider(old: str, new: str, *, is_in_place: bool = False) -> bool:
    """Whether every value of a type is one of another.

    Args:
        old: the type, as ``format_type`` writes it.
        new: the other.
        is_in_place: and the rows stay as they are: the table is not rewritten.
    """
    one, other = _parsed(old), _parsed(new)
    if other.base in _TEXTS[:2] and one.base in _TEXTS[:2]:
        return not other.numbers or (bool(one.numbers) and one.numbers <= other.numbers)
    if one.base == other.base == "numeric":
        return _is_wider_numeric(one.numbers, other.numbers, is_in_place=is_in_place)
    if is_in_place:
        return False
    if other.base == "text":
        return True
    if one.base in _INTEGERS:
        numbers = (*_INTEGERS[_INTEGERS.index(one.base) :], "numeric")
        return other.base in numbers and not other.numbers
    return False


def _is_wider_numeric(one: tuple[int, ...], other: tuple[int, ...], *, is_in_place: bool) -> bool:
    if not other:
        return True
    if len(one) != 2 or len(other) != 2:
        return False
    if is_in_place and one[1] != other[1]:
        return False
    return other[1] >= one[1] and other[0] - other[1] >= one[0] - one[1]


def _parsed(text: str) -> _Type:
    found = re.fullmatch(r"(.*?)\((\d+(?:,\d+)*)\)", text)
    if found is None:
        return _Type(text, ())
    return _Type(found[1], tuple(map(int, found[2].split(","))))
