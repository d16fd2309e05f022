"""A commit that a revision makes itself: a block's own, allowed by its id, or refused."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import sqlalchemy as sa
from sqlalchemy import TextClause

from work_data_hub.errors import RefusedError
from work_data_hub.io.schema.engine import driver_connection
from work_data_hub.io.schema.run.driver_watch import told_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import Connection

    from work_data_hub.io.schema.run.transaction_state import TransactionState

_COMMIT = re.compile(r"\s*COMMIT\s*;?\s*", re.IGNORECASE)


class RevisionCommits:
    """Lets `op.get_bind().commit()` wait until it is known what follows it.

    Directly before an autocommit block it is what the block does, and nothing more is needed. A
    revision that may commit does so by an empty block, so that it is marked like every other that
    leaves its transaction.

    Args:
        connection: of the run.
        transaction: of the revision.

    Attributes:
        is_due: whether a commit waits.
    """

    def __init__(self, connection: Connection, transaction: TransactionState) -> None:
        self._connection = connection
        self._transaction = transaction
        self._is_its: Callable[[], bool] = bool
        self._allowed: Callable[[], AbstractContextManager[None]] | None = None
        self.is_due = False
        self._revision = ""

    def begin(
        self, revision: str, allowed: Callable[[], AbstractContextManager[None]] | None
    ) -> None:
        """Begin a revision.

        Args:
            revision: its id.
            allowed: its autocommit block, where it may commit.
        """
        self._revision, self._allowed, self.is_due = revision, allowed, False

    def refuse(self, statement: str | None = None) -> NoReturn:
        """Refuse a commit before it happens.

        Args:
            statement: that would do it, if it is one.

        Raises:
            RefusedError: with the way out.
        """
        # SQLAlchemy takes the transaction for ended when its commit raises.
        driver_connection(self._connection).rollback()
        self._transaction.was_rolled_back(self._connection)
        way_out = "remove the commit"
        if self._allowed is None and statement is not None and _COMMIT.fullmatch(statement):
            way_out += (
                ", or allow one that is released and known:"
                f" alembic -x allow-commit={self._revision},"
                f" wdh db upgrade --allow-commit {self._revision}"
            )
        raise refusal(
            "the revision ends its own transaction, so it could not be undone as a whole", way_out
        )

    def refuse_due(self) -> None:
        """Refuse what follows a commit that waited for a block in vain: nothing is committed."""
        if self.is_due:
            self.is_due = False
            self.refuse("COMMIT")

    @contextmanager
    def waiting(self, is_its: Callable[[], bool]) -> Iterator[None]:
        """Stand in for the connection's commit for the block.

        Args:
            is_its: whether what is executed now is the revision's, in its transaction.
        """
        self._is_its = is_its
        commit = self._connection.commit

        def wait() -> None:
            if not self._is_its():
                commit()
            elif self._allowed is not None:
                self._commit(self._allowed)
            else:
                self.is_due = True

        self._connection.commit = wait  # type: ignore[method-assign]
        try:
            with told_of(self._connection, "before_execute", self._instead, retval=True):
                yield
        finally:
            del self._connection.commit

    def _instead(self, _: Connection, statement: Any, many: Any, one: Any, _options: Any) -> Any:
        """Return what is executed for a statement (SQLAlchemy's ``before_execute``)."""
        is_commit = isinstance(statement, TextClause) and _COMMIT.fullmatch(statement.text)
        if is_commit and self._allowed is not None and self._is_its():
            self._commit(self._allowed)
            statement = sa.text("SELECT 1")
        return statement, many, one

    def _commit(self, block: Callable[[], AbstractContextManager[None]]) -> None:
        with block():
            pass


def refusal(reason: str, way_out: str) -> RefusedError:
    """Return the refusal of what ends a revision's transaction."""
    where = "what must run outside belongs into `with op.get_context().autocommit_block():`"
    return RefusedError(reason, hint=f"{way_out}; {where}")
