"""The marks of revisions that are outside of their transaction, as the database holds them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from work_data_hub.domain.record.mark import (
    SHOWN_STATEMENTS,
    Executed,
    Interrupted,
    Noted,
    Session,
    shown,
)
from work_data_hub.domain.sql.statement import ConcurrentIndex
from work_data_hub.io.schema.record.framework_tables import framework_tables
from work_data_hub.io.schema.record.runner import this_runner

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from work_data_hub.domain.run.plan import Step


class Marks:
    """The marks of one history: a revision that leaves its transaction, while it runs.

    Writing happens in the transaction of the connection, and commits or ends with it.

    Args:
        connection: to the database.
        schema: where the framework's tables are, or will be.
        history: the name of the version table.
    """

    def __init__(self, connection: Connection, schema: str | None, history: str) -> None:
        self.connection = connection
        self._table = framework_tables(schema).in_progress
        self._history = history
        self._is_of_history = self._table.c.history == history

    def read(self) -> Interrupted | None:
        """Return the revision that did not end, if there is one; the table is there."""
        row = self.connection.execute(sa.select(self._table).where(self._is_of_history)).first()
        if row is None:
            return None
        executed, session = _executed(json.loads(row.committed))
        number, running = _running(row.running)
        executed.count = max(executed.count, number - 1)
        return Interrupted(
            revision=row.revision,
            direction=row.direction,
            started_at=row.started_at,
            who=f"{row.os_user}@{row.host}",
            executed=executed,
            running=running,
            session=session,
        )

    def write(
        self, step: Step, started_at: datetime, executed: Executed, session: Session | None
    ) -> None:
        """Mark a revision, before its transaction is left."""
        runner = this_runner()
        mark = {
            "history": self._history,
            "revision": step.revision,
            "direction": step.direction,
            "started_at": started_at,
            "os_user": runner.os_user,
            "host": runner.host,
            "committed": _executed_as_text(executed, session),
            "running": None,
        }
        self.connection.execute(self._table.insert().values(mark))

    def update(
        self, executed: Executed, running: Noted | None, session: Session | None, *, whole: bool
    ) -> None:
        """Note what is running, and what was committed since.

        Args:
            executed: what is committed.
            running: what is about to run.
            session: the server process.
            whole: whether more than the count of what is committed has changed.
        """
        values = {"running": _running_as_text(executed.count + 1, running)}
        if whole:
            values["committed"] = _executed_as_text(executed, session)
        self.connection.execute(self._table.update().where(self._is_of_history).values(values))

    def forget(self) -> None:
        """Remove the mark."""
        self.connection.execute(self._table.delete().where(self._is_of_history))


def _executed_as_text(executed: Executed, session: Session | None) -> str:
    return json.dumps(
        {
            "count": executed.count,
            "first": executed.first,
            "may_be_repeated": executed.may_be_repeated,
            "indexes": [[index.name, index.table] for index in executed.indexes],
            "session": session,
        }
    )


def _executed(data: Any) -> tuple[Executed, Session | None]:
    if isinstance(data, list):
        # An older version of the package kept statements that were cut: nothing proves more.
        texts = [shown(text) for text in data]
        return Executed(len(texts), texts[:SHOWN_STATEMENTS], may_be_repeated=False), None
    session = data["session"]
    indexes = [ConcurrentIndex(*index) for index in data["indexes"]]
    # An older version of the package kept secrets too.
    first = [shown(text) for text in data["first"]]
    executed = Executed(data["count"], first, data["may_be_repeated"], indexes)
    return executed, Session(*session) if session else None


def _running_as_text(number: int, running: Noted | None) -> str | None:
    if running is None:
        return None
    index = running.index
    return json.dumps(
        {
            "number": number,
            "shown": running.shown,
            "may_be_repeated": running.may_be_repeated,
            "index": [index.name, index.table] if index else None,
        }
    )


def _running(text: str | None) -> tuple[int, Noted | None]:
    if text is None:
        return 0, None
    try:
        data = json.loads(text)
        index = ConcurrentIndex(*data["index"]) if data["index"] else None
        return data["number"], Noted(shown(data["shown"]), data["may_be_repeated"], index)
    except (ValueError, TypeError, KeyError):  # of an older version: the statement itself
        return 0, Noted(shown(text), may_be_repeated=False)
