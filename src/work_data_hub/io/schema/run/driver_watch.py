"""Hears every statement that a driver's connection executes, whoever executes it.

SQLAlchemy's events hear what goes through SQLAlchemy. A COPY, an ``executescript`` or a cursor of
the driver goes past them; here the driver's own cursors tell.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from work_data_hub.io.schema.drivers import HeardConnection, told
from work_data_hub.io.schema.engine import driver_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import Connection

    from work_data_hub.io.schema.drivers import StatementListener


@contextmanager
def heard(connection: Connection, listener: StatementListener) -> Iterator[bool]:
    """Tell of every statement of a connection for the block.

    Args:
        connection: SQLAlchemy's.
        listener: is told.

    Yields:
        Whether its driver tells, of everything; else SQLAlchemy does, of what goes through it.
    """
    raw = driver_connection(connection)
    if isinstance(raw, HeardConnection):
        raw.listener = listener
        try:
            yield True
        finally:
            raw.listener = None
    elif connection.dialect.driver in _TELLING:
        telling, factory = _TELLING[connection.dialect.driver], raw.cursor_factory
        usual = factory or connection.dialect.loaded_dbapi.extensions.cursor
        raw.cursor_factory = telling(usual, listener)
        try:
            with _heard_methods(raw, listener, telling):
                yield True
        finally:
            raw.cursor_factory = factory
    else:
        before = lambda *all: (listener.before(all[2]), all[3])  # noqa: E731
        after = lambda *all: listener.after(all[2], may_ask=True)  # noqa: E731
        with (
            told_of(connection, "before_cursor_execute", before, retval=True),
            told_of(connection, "after_cursor_execute", after),
        ):
            yield False


@contextmanager
def told_of(connection: Connection, name: str, function: Any, **options: Any) -> Iterator[None]:
    """Call a function at an event of SQLAlchemy for the block."""
    event.listen(connection, name, function, **options)
    try:
        yield
    finally:
        event.remove(connection, name, function)


def trace(connection: Connection, told: Callable[[str], None] | None) -> None:
    """Hear of SQLite itself, too late to refuse it, what goes past every other way."""
    if connection.dialect.name == "sqlite":
        driver_connection(connection).set_trace_callback(told)


@contextmanager
def traced(connection: Connection, told: Callable[[str], None]) -> Iterator[None]:
    """Trace for the block."""
    trace(connection, told)
    try:
        yield
    finally:
        trace(connection, None)


@contextmanager
def _heard_methods(
    raw: Any, listener: StatementListener, telling: Callable[[Any, StatementListener], Any]
) -> Iterator[None]:
    """Tell of a driver's commit, and of cursors of another class, for the block.

    A connection of a class in C cannot be given other methods: that it was told to commit is found
    out behind it.
    """
    if not hasattr(raw, "__dict__"):
        yield
        return
    commit, cursor = raw.commit, raw.cursor

    def telling_commit() -> None:
        with told(listener, "COMMIT", may_ask=False) as chosen:
            if chosen == "COMMIT":
                commit()

    def telling_cursor(*how: Any, cursor_factory: Any = None, **options: Any) -> Any:
        if cursor_factory is not None:
            options["cursor_factory"] = telling(cursor_factory, listener)
        return cursor(*how, **options)

    raw.commit, raw.cursor = telling_commit, telling_cursor
    try:
        with _own_transactions(raw):
            yield
    finally:
        del raw.commit, raw.cursor


@contextmanager
def _own_transactions(raw: Any) -> Iterator[None]:
    """Make a transaction of psycopg's own a savepoint for the block, also where it comes first.

    It begins and commits one where none has begun, and psycopg begins with the first statement.
    """
    usual = getattr(raw, "transaction", None)
    if usual is None:  # psycopg2
        yield
        return

    def transaction(*how: Any, **options: Any) -> Any:
        if not raw.autocommit:
            raw.execute("SELECT 1")
        return usual(*how, **options)

    raw.transaction = transaction
    try:
        yield
    finally:
        del raw.transaction


def _psycopg(factory: Any, listener: StatementListener) -> Any:
    """Return a class of psycopg's cursors that tells."""
    from psycopg import Pipeline

    class TellingCursor(factory):  # type: ignore[misc]
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            with told(listener, _text(query, self)) as statement:
                return super().execute(_chosen(query, statement, self), params, **options)

        def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
            # A pipeline is one transaction.
            with told(listener, _text(query, self), is_one=Pipeline.is_supported()):
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


def _psycopg2(factory: Any, listener: StatementListener) -> Any:
    """Return a class of psycopg2's cursors that tells."""

    class TellingCursor(factory):  # type: ignore[misc]
        def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002  # the driver's name
            with told(listener, _text(query, self)) as statement:
                super().execute(_chosen(query, statement, self), vars)

        def executemany(self, query: Any, vars_list: Any) -> None:
            with told(listener, _text(query, self), is_one=False):
                super().executemany(query, vars_list)

        def callproc(self, procname: str, parameters: Any = None) -> Any:
            with told(listener, f"CALL {procname}"):
                return super().callproc(procname, parameters)

        def copy_expert(self, sql: Any, file: Any, *how: Any, **options: Any) -> None:
            with told(listener, _text(sql, self)):
                super().copy_expert(sql, file, *how, **options)

        def copy_from(self, file: Any, table: str, *how: Any, **options: Any) -> None:
            with told(listener, f"COPY {table} FROM STDIN"):
                super().copy_from(file, table, *how, **options)

        def copy_to(self, file: Any, table: str, *how: Any, **options: Any) -> None:
            with told(listener, f"COPY {table} TO STDOUT"):
                super().copy_to(file, table, *how, **options)

    return TellingCursor


_TELLING = {"psycopg": _psycopg, "psycopg2": _psycopg2}


def _text(query: Any, cursor: Any) -> str:
    if isinstance(query, str):
        return query
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    return str(query.as_string(cursor))


def _chosen(query: Any, statement: str, cursor: Any) -> Any:
    return query if statement == _text(query, cursor) else statement
