"""Names in PostgreSQL's SQL: taken apart, found in a text, and put in place of others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_NAME = r'(?:"(?:[^"]|"")*"|[^\W\d][\w$]*)'
_PATH = rf"{_NAME}(?:\.{_NAME})*"
_LONGEST = 63  # bytes


def literal(text: str) -> str:
    """Return a text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def path(name: str) -> list[str]:
    """Return the parts of a name, each as SQL wants it: schema, table, column."""
    return re.findall(_NAME, name)


def bare(name: str) -> str:
    """Return a name without its schema."""
    return path(name)[-1]


def schema_of(name: str) -> str:
    """Return the schema of a name that has one."""
    return path(name)[0]


def names_in(text: str) -> set[str]:
    """Return every name that may be meant in a text, with what it is in and without.

    Those in strings count: ``nextval('public.s'::regclass)`` is about a sequence.
    """
    found = set()
    for whole in set(re.findall(_PATH, text)):
        parts = path(whole)
        for start in range(len(parts)):
            for end in range(start + 1, len(parts) + 1):
                found.add(".".join(parts[start:end]))
    return found


def with_names(text: str, names: Mapping[str, str]) -> str:
    """Return a text with other names in place of some; strings stay as they are.

    Args:
        text: what the server wrote.
        names: what each is called now, ``public.orders`` or ``amount``.
    """

    def renamed(found: re.Match[str]) -> str:
        if found[0][0] == "'":
            return found[0]
        parts = path(found[0])
        for end in range(len(parts), 0, -1):
            whole = ".".join(parts[:end])
            if whole in names:
                return ".".join([names[whole], *parts[end:]])
        *first, last = parts
        is_column = first in (["old"], ["new"])  # of a row that a trigger or a rule is about
        return ".".join([*first, names.get(last, last) if is_column else last])

    return re.sub(rf"'(?:[^']|'')*'|{_PATH}", renamed, text)


def free_name(name: str, taken: Collection[str], ending: str = "") -> str:
    """Return a name that nothing has, as the server makes one: with a number behind it.

    Args:
        name: without its schema, as SQL wants it.
        taken: those that there are.
        ending: to be put behind it whether it is taken or not.
    """
    number = 0
    while True:
        behind = f"{ending}{number or ''}"
        candidate = _with_ending(name, behind) if behind else name
        if candidate not in taken:
            return candidate
        number += 1


def _with_ending(name: str, ending: str) -> str:
    is_quoted = name.startswith('"')
    inner = name[1:-1].replace('""', '"') if is_quoted else name
    room = _LONGEST - len(ending.encode())
    cut = inner.encode()[:room].decode(errors="ignore") + ending
    return '"' + cut.replace('"', '""') + '"' if is_quoted else cut
