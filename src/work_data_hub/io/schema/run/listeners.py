"""Who is told of the statements of a revision."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Listener(Protocol):
    """Is told of each; what it executes itself is not told."""

    def before(self, statement: str) -> str:
        """A statement is about to run; return what is run in its place."""

    def after(self, statement: str) -> None:
        """It has run."""

    def before_commit(self) -> None:
        """What it has done so far is about to be committed, for an autocommit block."""

    def failed(self, *, is_certain: bool) -> None:
        """The last one was ended by an error; certain: the database said so, it did not happen."""


class Listeners(tuple[Listener, ...]):
    """Several: each hears the statement that the one before it chose.

    When it has run they are told in the opposite order.
    """

    __slots__ = ()

    def before(self, statement: str) -> str:
        """See ``Listener``."""
        for listener in self:
            statement = listener.before(statement)
        return statement

    def after(self, statement: str) -> None:
        """See ``Listener``."""
        for listener in reversed(self):
            listener.after(statement)

    def before_commit(self) -> None:
        """See ``Listener``."""
        for listener in self:
            listener.before_commit()

    def failed(self, *, is_certain: bool) -> None:
        """See ``Listener``."""
        for listener in reversed(self):
            listener.failed(is_certain=is_certain)


class Unguarded(AbstractContextManager["Unguarded"]):
    """Stands around a revision that needs no guard of this kind, and does nothing."""

    def __exit__(self, *_: object) -> None:
        pass

    def begin_revision(self) -> None:
        """The revision begins."""

    def end_revision(self) -> None:
        """It ends."""

    def before(self, statement: str) -> str:
        """See ``Listener``."""
        return statement

    def after(self, statement: str) -> None:
        """See ``Listener``."""

    def before_commit(self) -> None:
        """See ``Listener``."""

    def failed(self, *, is_certain: bool) -> None:
        """See ``Listener``."""
