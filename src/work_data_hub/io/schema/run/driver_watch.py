"""Hears every statement that a driver's connection executes, whoever executes it.

SQLAlchemy's events hear what goes through SQLAlchemy. A COPY, an ``executescript`` or a cursor of
the driver goes past them; here the driver's own cursors tell.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from work_data_hub.io.schema.engine import HeardConnection, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.io.schema.engine import StatementListener


@contextmanager
def heard(raw: Any, listener: StatementListener) -> Iterator[bool]:
    """Tell of every statement of a driver's connection for the block.

    Args:
        raw: the driver's connection.
        listener: is told.

    Yields:
        Whether this driver can tell; nothing is told where it cannot.
    """
    if isinstance(raw, HeardConnection):
        raw.listener = listener
        try:
            yield True
        finally:
            raw.listener = None
    elif type(raw).__module__.partition(".")[0] == "psycopg":
        factory, commit = raw.cursor_factory, raw.commit

        def telling_commit() -> None:
            with told(listener, "COMMIT", may_ask=False):
                commit()

        raw.cursor_factory, raw.commit = _telling(factory, listener), telling_commit
        try:
            yield True
        finally:
            raw.cursor_factory = factory
            del raw.commit
    else:
        yield False


def _telling(factory: Any, listener: StatementListener) -> Any:
    """Return a class of psycopg's cursors that tells."""

    class TellingCursor(factory):  # type: ignore[misc]
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            with told(listener, _text(query, self)) as statement:
                return super().execute(_chosen(query, statement, self), params, **options)

        def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
            with told(listener, _text(query, self)):
                super().executemany(query, params_seq, **options)

        def stream(self, query: Any, params: Any = None, **options: Any) -> Iterator[Any]:
            with told(listener, _text(query, self), may_ask=False):
                yield from super().stream(query, params, **options)

        @contextmanager
        def copy(self, statement: Any, params: Any = None, **options: Any) -> Iterator[Any]:
            with (
                told(listener, _text(statement, self)),
                super().copy(statement, params, **options) as copy,
            ):
                yield copy

    return TellingCursor


def _text(query: Any, cursor: Any) -> str:
    if isinstance(query, str):
        return query
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    return str(query.as_string(cursor))


def _chosen(query: Any, statement: str, cursor: Any) -> Any:
    return query if statement == _text(query, cursor) else statement
