"""Names that PostgreSQL gives to what nobody named: they say nothing, and two may be exchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 63  # bytes: NAMEDATALEN - 1


def is_given(name: str, table: str, columns: Sequence[str], label: str) -> bool:
    """Whether a name is one that the server makes (`indexcmds.c`, ChooseRelationName).

    Args:
        name: of a constraint, an index or a sequence.
        table: the name of its table, as it is now.
        columns: of the table, in their order; ``expr`` stands for an expression.
        label: what it ends with: ``pkey``, ``key``, ``fkey``, ``check``, ``excl``, ``idx``, or
            ``seq``.
    """
    between = [] if label == "pkey" else columns
    digits = name[len(name.rstrip("0123456789")) :]
    return any(
        name == _object_name(table, between, f"{label}{digits[position:]}")
        for position in range(len(digits) + 1)
    )


def _object_name(table: str, columns: Sequence[str], label: str) -> str:
    """Return what `makeObjectName` does: the longer of both is cut until all of it fits."""
    first, second = table.encode(), _joined(columns)
    room = _LONGEST - len(label) - 1 - (1 if second else 0)
    one, other = len(first), len(second)
    while one + other > room:
        if one > other:
            one -= 1
        else:
            other -= 1
    parts = [_whole(part) for part in (first[:one], second[:other]) if part]
    return "_".join([*parts, label])


def _joined(columns: Sequence[str]) -> bytes:
    """Return the names in one, as far as the server reads them."""
    joined = b""
    for name in columns:
        joined += (b"_" if joined else b"") + name.encode()
        if len(joined) > _LONGEST:
            break
    return joined


def _whole(cut: bytes) -> str:
    """Return a text without the rest of a character that was cut."""
    return cut.decode(errors="ignore")
