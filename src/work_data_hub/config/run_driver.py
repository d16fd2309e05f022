"""Which driver runs migrations: the one that the URL names, where a run can watch it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

_OURS = {"postgresql": "psycopg", "postgres": "psycopg", "sqlite": "pysqlite"}
# The same driver, used by another thread or by an event loop.
_SAME = {"psycopg_async": "psycopg", "aiosqlite": "pysqlite"}
_ASYNCHRONOUS = {"asyncpg"}
GUARDED = {*_OURS.values(), "psycopg2"}
"""SQLAlchemy's names of the drivers that a run can stand its guards around."""


class RunDriver(NamedTuple):
    """The driver of a run's own connection, as SQLAlchemy calls it.

    Attributes:
        name: psycopg, psycopg2 or pysqlite.
        replaced: the one that the URL names, where it is another.
        why: in words, why that does not run migrations.
    """

    name: str
    replaced: str | None = None
    why: str = ""

    @property
    def is_usual(self) -> bool:
        """Whether it is the package's own, and the URL names no other."""
        return self.replaced is None and self.name in _OURS.values()

    def __str__(self) -> str:
        """Return which it is, and in whose place."""
        if self.replaced is None:
            return self.name
        return f"{self.name}, in the place of {self.replaced}, which {self.why}"


def run_driver(drivername: str) -> RunDriver:
    """Return the driver that runs the migrations of a URL.

    Args:
        drivername: what stands before ``://``.
    """
    backend, _, named = drivername.lower().partition("+")
    ours, named = _OURS[backend], _SAME.get(named, named)
    if named in {"", ours}:
        return RunDriver(ours)
    if named not in GUARDED:
        is_async = named in _ASYNCHRONOUS
        why = "is asynchronous" if is_async else "does not say how its transaction stands"
    elif find_spec(named) is None:
        why = "is not installed"
    else:
        return RunDriver(named)
    return RunDriver(ours, replaced=named, why=why)
