"""A commit that a revision makes itself: a block's own, allowed by its id, or refused."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from work_data_hub.errors import RefusedError
from work_data_hub.io.schema.engine import driver_connection
from work_data_hub.io.schema.run.driver_watch import told_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import Connection

    from work_data_hub.domain.run.plan import Step
    from work_data_hub.io.schema.run.transaction_state import TransactionState

_COMMIT = re.compile(r"\s*(?:COMMIT|END)(?:\s+(?:WORK|TRANSACTION))?\s*;?\s*", re.IGNORECASE)
_INSTEAD = "SELECT 1"


class RevisionCommits:
    """Lets `op.get_bind().commit()` wait until it is known what follows it.

    Directly before an autocommit block it is what the block does, and nothing more is needed. A
    revision that may commit does so by an empty block, so that it is marked like every other that
    leaves its transaction; so does a statement of its that is nothing but a commit.

    Args:
        connection: of the run.
        transaction: of the revision.

    Attributes:
        is_due: whether a commit waits.
    """

    def __init__(self, connection: Connection, transaction: TransactionState) -> None:
        self._connection = connection
        self._transaction = transaction
        self._allowed: Callable[[], AbstractContextManager[None]] | None = None
        self.is_due = False
        self._step: Step | None = None

    def begin(self, step: Step, allowed: Callable[[], AbstractContextManager[None]] | None) -> None:
        """Begin a revision.

        Args:
            step: which.
            allowed: its autocommit block, where it may commit.
        """
        self._step, self._allowed, self.is_due = step, allowed, False

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
            assert self._step is not None
            way_out += (
                ", or allow one that is released and known:"
                f" alembic -x allow-commit={self._step.revision},"
                f" wdh db {self._step.direction} --allow-commit {self._step.revision}"
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
    def caught(self, is_its: Callable[[], bool]) -> Iterator[None]:
        """Stand in for the connection's commit for the block, and refuse that of its transaction.

        Args:
            is_its: whether what is executed now is the revision's, in its transaction.
        """
        commit = self._connection.commit

        def wait() -> None:
            if not is_its():
                commit()
            elif not self._stands_in():
                self.is_due = True

        def refuse(_: Connection) -> None:
            if is_its():
                self.refuse()

        self._connection.commit = wait  # type: ignore[method-assign]
        try:
            with told_of(self._connection, "commit", refuse):
                yield
        finally:
            del self._connection.commit

    def instead_of(self, statement: str) -> str:
        """Return what is executed for a statement: the allowed block has committed already."""
        return _INSTEAD if _COMMIT.fullmatch(statement) and self._stands_in() else statement

    def stood_in_for(self, statement: str) -> bool:
        """Whether something else was executed for a statement: no other commit gets so far."""
        return _COMMIT.fullmatch(statement) is not None

    def _stands_in(self) -> bool:
        """Commit by an empty block, where the revision may."""
        if self._allowed is None:
            return False
        with self._allowed():
            return True


def refusal(reason: str, way_out: str) -> RefusedError:
    """Return the refusal of what ends a revision's transaction."""
    where = "what must run outside belongs into `with op.get_context().autocommit_block():`"
    return RefusedError(reason, hint=f"{way_out}; {where}")
