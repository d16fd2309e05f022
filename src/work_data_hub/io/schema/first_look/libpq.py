"""PostgreSQL's own client library, called directly for a few questions.

Importing psycopg takes several times as long as connecting and asking. The library is the very
one that psycopg uses, so it honours the same environment, service and password files, and a
later import of psycopg finds it loaded. Where anything is unusual there is no answer.
"""

from __future__ import annotations

import ctypes
import os
import select
import sys
import time
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Self

from work_data_hub.config.connection_options import CONNECT_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OK, _BAD = 0, 1  # CONNECTION_*
_READING, _WRITING = 1, 2  # PGRES_POLLING_*
_COMMAND_OK, _TUPLES_OK = 1, 2  # PGRES_*

_POINTER, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_TEXTS = ctypes.POINTER(ctypes.c_char_p)
_RECEIVER = ctypes.CFUNCTYPE(None, _POINTER, _POINTER)
_FUNCTIONS = {
    "PQconnectStartParams": (_POINTER, (_TEXTS, _TEXTS, _INT)),
    "PQsetNoticeReceiver": (_POINTER, (_POINTER, _RECEIVER, _POINTER)),
    "PQconnectPoll": (_INT, (_POINTER,)),
    "PQsocket": (_INT, (_POINTER,)),
    "PQstatus": (_INT, (_POINTER,)),
    "PQsendQuery": (_INT, (_POINTER, _TEXT)),
    "PQconsumeInput": (_INT, (_POINTER,)),
    "PQisBusy": (_INT, (_POINTER,)),
    "PQgetResult": (_POINTER, (_POINTER,)),
    "PQresultStatus": (_INT, (_POINTER,)),
    "PQntuples": (_INT, (_POINTER,)),
    "PQgetvalue": (_TEXT, (_POINTER, _INT, _INT)),
    "PQclear": (None, (_POINTER,)),
    "PQfinish": (None, (_POINTER,)),
}


class NoAnswerError(Exception):
    """The database was not asked, or did not answer as expected; no words are needed."""


def _say_nothing(_context: object, _notice: object) -> None:
    """Take a notice: libpq would print it."""


_unheard = _RECEIVER(_say_nothing)  # kept, as long as libpq may call it


class LibpqConnection:
    """A connection for the length of a block.

    Args:
        options: as libpq names them; the password is among them.

    Raises:
        NoAnswerError: on entering the block and by every question.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        self._library = _loaded()
        try:
            names = [name.encode() for name in options]
            values = [value.encode() for value in options.values()]
        except UnicodeEncodeError:
            raise NoAnswerError from None
        if any(b"\0" in text for text in (*names, *values)):
            raise NoAnswerError
        array = ctypes.c_char_p * (len(names) + 1)
        self._deadline = time.monotonic() + CONNECT_TIMEOUT_SECONDS
        # A URL in `dbname` is not taken apart (0): psycopg does not either.
        self._handle = self._library.PQconnectStartParams(array(*names), array(*values), 0)

    def __enter__(self) -> Self:
        try:
            self._connect()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle:
            self._library.PQfinish(self._handle)
            self._handle = None

    def _connect(self) -> None:
        if not self._handle or self._library.PQstatus(self._handle) == _BAD:
            raise NoAnswerError
        self._library.PQsetNoticeReceiver(self._handle, _unheard, None)
        state = _WRITING
        while state in {_READING, _WRITING}:
            self._wait(reading=state == _READING)
            state = self._library.PQconnectPoll(self._handle)
        if self._library.PQstatus(self._handle) != _OK:
            raise NoAnswerError

    def ask(self, sql: str) -> str:
        """Return the one value that the only query among the statements gives."""
        values: list[str] = []
        self._library.PQsendQuery(self._handle, sql.encode())  # not sent: there are no results
        for result in self._results():
            status = self._library.PQresultStatus(result)
            if status == _TUPLES_OK and self._library.PQntuples(result) == 1:
                values.append(self._library.PQgetvalue(result, 0, 0).decode())
            elif status != _COMMAND_OK:
                raise NoAnswerError
        if len(values) != 1:
            raise NoAnswerError
        return values[0]

    def _results(self) -> Iterator[int]:
        while True:
            while self._library.PQisBusy(self._handle):
                self._wait(reading=True)
                if not self._library.PQconsumeInput(self._handle):
                    raise NoAnswerError
            result = self._library.PQgetResult(self._handle)
            if not result:
                return
            try:
                yield result
            finally:
                self._library.PQclear(result)

    def _wait(self, *, reading: bool) -> None:
        """Wait in Python, where Ctrl-C is heard, until libpq can go on."""
        socket = [self._library.PQsocket(self._handle)]
        left = self._deadline - time.monotonic()
        try:
            ready = select.select(socket if reading else (), () if reading else socket, (), left)
        except (OSError, ValueError):
            raise NoAnswerError from None
        if not any(ready):
            raise NoAnswerError


def _loaded() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_path())
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError):
        raise NoAnswerError from None
    return library


def _path() -> str:
    """Return the library that psycopg would use: the wheel's own, else the system's."""
    if not sys.platform.startswith("linux"):
        raise NoAnswerError
    implementation = os.environ.get("PSYCOPG_IMPL", "").lower()
    if implementation in {"", "binary"} and (implementation or not _find("psycopg_c")):
        binary = _find("psycopg_binary")
        if binary is not None:
            folder = Path(binary).parents[1] / "psycopg_binary.libs"
            return next(map(str, folder.glob("libpq-*.so*")), "libpq.so.5")
    return "libpq.so.5"


def _find(package: str) -> str | None:
    spec = PathFinder.find_spec(package)
    return None if spec is None else spec.origin
