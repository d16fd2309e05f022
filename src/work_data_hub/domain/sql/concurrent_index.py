"""CREATE INDEX CONCURRENTLY, read from its text."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'


_CREATE = re.compile(
    rf"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>{_NAME})"
    rf"\s+ON\s+(?:ONLY\s+)?(?P<table>{_NAME}(?:\.{_NAME})?)",
    re.IGNORECASE,
)


_COMMENTS = re.compile(r"\A(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)+", re.DOTALL)


@dataclass(frozen=True)
class ConcurrentIndex:
    """An index that a statement builds concurrently.

    Attributes:
        name: as PostgreSQL stores it.
        table: as the statement names it.
    """

    name: str
    table: str


def built_by(statement: str) -> ConcurrentIndex | None:
    """Return the index that the statement builds concurrently, if it does."""
    found = _CREATE.match(without_comments(statement))
    if found is None:
        return None
    name = found["name"]
    stored = name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
    return ConcurrentIndex(stored, found["table"])


def without_comments(statement: str) -> str:
    """Return a statement without the comments before it."""
    return _COMMENTS.sub("", statement, count=1)
