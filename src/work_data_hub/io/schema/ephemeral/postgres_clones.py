"""Databases of a PostgreSQL server for one process: made ahead of time, and dropped, beside it.

They are called `wdh_test_<owner>_<number>`. The owner is a process; it holds an advisory lock of
its name in the database `postgres`, so that others see whether it is alive: what a dead one left
is swept. No other database is ever touched.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
import threading
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from work_data_hub.config.database_url import with_database
from work_data_hub.errors import MissingError, WorkDataHubError
from work_data_hub.io.schema.ephemeral.postgres_templates import (
    LOCK,
    UNLOCK,
    administration,
    no_database,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import URL

    from work_data_hub.io.schema.ephemeral.postgres_templates import Template

_STOCK = 3
_WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.01
_NAME = re.compile(r"wdh_test_([0-9a-f]{16})_\d+")
_KEPT = "work_data_hub: kept on "
_KEPT_DAYS = 1


class Clones:
    """Copies of one template.

    A thread of its own makes the next ones while a test runs, and drops those that were given
    back. It starts with the first copy that is wanted.

    Args:
        server: any database of the server, as a user who may create databases.
        template: what is copied.
        ends_with_us: whether the server is thrown away afterwards, so that dropping what is left
            at the end would be a waste.
    """

    def __init__(self, server: URL, template: Template, *, ends_with_us: bool) -> None:
        self._server = server
        self._template = template
        self._ends_with_us = ends_with_us
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._owner = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._ready: deque[str] = deque()
        self._used: deque[str] = deque()
        self._fault: WorkDataHubError | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def take(self) -> URL:
        """Return a fresh database; it is there already when tests are not too quick.

        Raises:
            DatabaseUnavailableError: the server does not answer, or refused.
            MissingError: there was none within 60 seconds.
        """
        if os.getpid() != self._process:
            self._begin()  # in a forked child: the stock and the thread are its parent's
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="wdh-clones", daemon=True)
                self._thread.start()
            there = self._changed.wait_for(lambda: self._ready or self._fault, _WAIT_SECONDS)
            if self._ready:
                name = self._ready.popleft()
                self._changed.notify_all()
                return with_database(self._server, name)
            if not there:
                raise MissingError(
                    f"the server made no database within {_WAIT_SECONDS:.0f} s",
                    hint="see what it is busy with: SELECT * FROM pg_stat_activity",
                )
            assert self._fault is not None
            raise self._fault

    def give_back(self, url: URL) -> None:
        """Have a database dropped, soon; connections that are left are ended."""
        with self._changed:
            self._used.append(str(url.database))
            self._changed.notify_all()

    def keep(self, url: URL) -> None:
        """Leave a database to a person; sweeping spares it for a day."""
        # A server that does not answer any more keeps nothing, and the test has failed already.
        with (
            contextlib.suppress(psycopg.Error, WorkDataHubError),
            administration(self._server) as admin,
        ):
            now = f"{_KEPT}{datetime.now(UTC):%Y-%m-%d %H:%M}"
            database = sql.Identifier(str(url.database))
            admin.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, now))

    def close(self) -> None:
        """End the thread; drop what was not kept, unless the server is thrown away anyway."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_WAIT_SECONDS)

    def _work(self) -> None:
        try:
            with administration(self._server) as admin:
                admin.execute(LOCK, [self._owner])
                if not self._ends_with_us:
                    sweep(admin)
                while (task := self._next()) is not None:
                    task(admin)
                if not self._ends_with_us:
                    self._drop_all(admin)
                    sweep(admin)
        except (psycopg.Error, WorkDataHubError, OSError) as error:
            fault = no_database(self._server, error)
            with self._changed:
                self._fault = fault
                self._changed.notify_all()

    def _next(self) -> Callable[[psycopg.Connection[Any]], None] | None:
        """Wait until there is something to do; making comes before dropping."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._used or len(self._ready) < _STOCK)
            if self._closing:
                return None
            return self._make if len(self._ready) < _STOCK else self._drop_one

    def _make(self, admin: psycopg.Connection[Any]) -> None:
        name = f"wdh_test_{self._owner}_{next(self._numbers)}"
        _retried(lambda: self._template.copy_to(admin, name))
        with self._changed:
            self._ready.append(name)
            self._changed.notify_all()

    def _drop_one(self, admin: psycopg.Connection[Any]) -> None:
        with self._changed:
            name = self._used.popleft()
        _drop(admin, name)

    def _drop_all(self, admin: psycopg.Connection[Any]) -> None:
        while self._used or self._ready:
            _drop(admin, self._used.popleft() if self._used else self._ready.popleft())


def sweep(admin: psycopg.Connection[Any]) -> None:
    """Drop what dead processes left; what a person shall look at stays for a day."""
    rows = admin.execute(
        "SELECT datname, coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database"
        " WHERE pg_has_role(datdba, 'USAGE')"  # what another role left, that role sweeps
    ).fetchall()
    oldest = datetime.now(UTC) - timedelta(days=_KEPT_DAYS)
    for name, comment in rows:
        found = _NAME.fullmatch(name)
        if found is None or comment > f"{_KEPT}{oldest:%Y-%m-%d %H:%M}":
            continue
        with _dead(admin, found[1]) as dead:
            if dead:
                _drop(admin, name)


@contextlib.contextmanager
def _dead(admin: psycopg.Connection[Any], owner: str) -> Iterator[bool]:
    (dead,) = admin.execute(LOCK, [owner]).fetchone() or (False,)
    try:
        yield dead
    finally:
        if dead:
            admin.execute(UNLOCK, [owner])


def _drop(admin: psycopg.Connection[Any], name: str) -> None:
    """Drop a database; one that the server does not let go is left to the next sweep."""
    try:
        _drop_now(admin, name)
    except psycopg.Error:
        if admin.closed:
            raise


def _drop_now(admin: psycopg.Connection[Any], name: str) -> None:
    statement = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = %s LIMIT 1"
    if admin.execute(query, [name]).fetchone():
        # Only then: it is dear. Without it the server waits 5 seconds for the others to end.
        statement += sql.SQL(" WITH (FORCE)")
    admin.execute(statement)


def _retried(copy: Callable[[], None]) -> None:
    """Try again while another process is connected to the template, as one that copies it is."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while not _done(copy):
        if time.monotonic() > deadline:
            raise MissingError(
                "somebody stays connected to the template database",
                hint="see who: SELECT * FROM pg_stat_activity",
            )
        time.sleep(_POLL_SECONDS)


def _done(copy: Callable[[], None]) -> bool:
    try:
        copy()
    except psycopg.errors.ObjectInUse:
        return False
    return True
