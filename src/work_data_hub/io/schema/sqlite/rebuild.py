"""SQLite keeps everything: what stands around a revision that rebuilds a table."""

from __future__ import annotations

import warnings
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from alembic import context as alembic_context

from work_data_hub.domain.sql.lexer import quoted
from work_data_hub.domain.sql.script import split
from work_data_hub.domain.sql.statement import Action, action_of
from work_data_hub.io.schema.engine import driver_connection
from work_data_hub.io.schema.sqlite.foreign_keys import ForeignKeyWatch
from work_data_hub.io.schema.sqlite.handwritten import HandwrittenRebuilds
from work_data_hub.io.schema.sqlite.legacy_alter import LegacyAlter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import Connection

    from work_data_hub.domain.sqlite.loss import Consent
    from work_data_hub.io.schema.sqlite.batch import BatchRebuild

# What SQLAlchemy and Alembic say before they leave out what is kept here.
_WARNINGS_OF_NO_CONCERN = (
    "Unnamed CHECK constraint on reflected table",
    "Skipped unsupported reflection of expression-based index",
    "WARNING: SQL-parsed foreign key constraint",
    "Failed to look up filter predicate of partial index",
)


class RebuildGuard:
    """Lets no revision lose what it did not ask to lose.

    Alembic's batch operations keep what reflection misses (``batch``), rebuilds written by hand
    are compared at the end of the revision (``handwritten``), and foreign keys are verified when
    the revision did anything that can break one. It is told of the statements, whoever executes
    them: a listener of ``run.transaction_watch``.

    Args:
        connection: with real transactions, and foreign keys not enforced
            (``engine.real_transactions``, ``engine.foreign_keys_off``).
        unheard: wraps what the guard executes without having been told of a statement.
    """

    def __init__(
        self,
        connection: Connection,
        unheard: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._connection = connection
        self._unheard = unheard
        self._foreign_keys = ForeignKeyWatch(connection)
        self._legacy_alter = LegacyAlter(connection)
        self._revision: _Revision | None = None
        self._hooks = ExitStack()
        self._quiet = ExitStack()
        self._is_hooked = False

    def __enter__(self) -> Self:
        self._hooks.callback(self._legacy_alter.end)
        self._hooks.callback(self._quiet.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._hooks.close()

    def begin_revision(self, **_: Any) -> None:
        """Start anew; called before the first statement of each revision."""
        self._revision = _Revision(HandwrittenRebuilds(self._raw))
        self._foreign_keys.begin()
        self._hook_into_alembic()
        self._quiet.close()
        self._quiet.enter_context(_no_needless_warnings())

    def end_revision(self, **_: Any) -> None:
        """Restore or refuse; called in the transaction of the revision, before its commit.

        Its signature is that of Alembic's ``on_version_apply``.

        Raises:
            RefusedError: something would be lost, or a foreign key be broken.
        """
        if self._revision is None:
            return
        self.before_commit()
        self._revision = None
        self._quiet.close()

    def before(self, statement: str) -> str:
        """A statement of the revision is about to run; return what is run in its place."""
        if self._revision is None:
            return statement
        self._revision.handwritten.hear(statement)
        chosen = [self._exchanged(self._revision, each) for each in _single(statement)]
        return chosen[0] if len(chosen) == 1 else statement

    def after(self, statement: str) -> None:
        """It has run."""
        if self._revision is not None:
            for each in _single(statement):
                self._note(self._revision, action_of(each), each)

    def before_commit(self) -> None:
        """Restore or refuse, as at the end: what is committed now is not rolled back any more."""
        if self._revision is None:
            return
        self._legacy_alter.end()
        self._revision.handwritten.settle_all()
        if self._revision.temporaries:
            _refuse_left_overs(self._raw, self._revision.temporaries)
        self._foreign_keys.verify()

    def failed(self, **_: Any) -> None:
        """It did not."""
        self._legacy_alter.end()

    @property
    def _raw(self) -> Any:
        return driver_connection(self._connection)

    def _hook_into_alembic(self) -> None:
        """See each rebuild as Alembic planned it: no statement tells a wish from an oversight."""
        if not self._is_hooked and (impl := _implementation()) is not None:
            original = impl.prep_table_for_batch

            def prepare(batch: Any, table: Any) -> None:
                original(batch, table)
                with self._unheard():
                    self._prepare(batch)

            impl.prep_table_for_batch = prepare
            self._hooks.callback(vars(impl).pop, "prep_table_for_batch", None)
            self._is_hooked = True

    def _prepare(self, batch: Any) -> None:
        if self._revision is None:
            return
        self._revision.handwritten.settle(batch.table.name)
        rebuild = _planned(self._raw, batch, self._revision.handwritten.consent)
        if rebuild is not None:
            self._revision.planned[rebuild.temporary] = rebuild
            self._revision.temporaries.add(rebuild.temporary)

    def _exchanged(self, revision: _Revision, statement: str) -> str:
        action = action_of(statement)
        self._foreign_keys.before(action, statement)
        if (action.verb, action.kind) == ("CREATE", "TABLE") and action.name in revision.planned:
            revision.running = revision.planned.pop(action.name)
        if revision.running is None:
            self._before_author(revision, action)
        elif action.name == revision.running.temporary:
            if action.new_name is not None:
                self._legacy_alter.begin()
            statement = revision.running.rewritten(statement)
        return statement

    def _before_author(self, revision: _Revision, action: Action) -> None:
        revision.handwritten.before(action)
        if action.new_name is not None and revision.handwritten.is_missing(action.new_name):
            self._legacy_alter.begin()
        if action.verb == "CREATE" and (action.kind, action.name) in revision.restored:
            # A revision that was written for plain Alembic makes again what that lost.
            self._raw.execute(f"DROP {action.kind} main.{quoted(action.name)}")
        revision.restored.discard((action.kind, action.name))

    def _note(self, revision: _Revision, action: Action, statement: str) -> None:
        if action.new_name is not None:
            self._legacy_alter.end()
        rebuild = revision.running
        if rebuild is None:
            revision.handwritten.after(action, statement)
        elif action.name == rebuild.temporary and action.verb in ("ALTER", "DROP"):
            # Alembic drops the new table when it could not be filled.
            revision.running = None
            if action.verb == "ALTER":
                revision.restored |= rebuild.finish()


# The room of batches is imported for those who alter by one: no other revision pays for it.
def _planned(raw: Any, batch: Any, consent: Consent) -> BatchRebuild | None:
    from work_data_hub.io.schema.sqlite.batch import planned

    return planned(raw, batch, consent)


def _refuse_left_overs(raw: Any, temporaries: set[str]) -> None:
    from work_data_hub.io.schema.sqlite.batch import refuse_left_overs

    refuse_left_overs(raw, temporaries)


@contextmanager
def _no_needless_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        for message in _WARNINGS_OF_NO_CONCERN:
            warnings.filterwarnings("ignore", message)
        yield


def _implementation() -> Any:
    """Return what Alembic executes by; None outside of an env.py.

    There rebuilds are known by their statements alone.
    """
    try:
        return alembic_context.get_context().impl
    except (NameError, AttributeError):
        return None


def _single(statement: str) -> list[str]:
    """Return the statements of a script; one that stands alone word for word."""
    if ";" not in statement.rstrip("; \n"):
        return [statement]
    found = [each.text for each in split(statement, "sqlite")]
    return found if len(found) > 1 else [statement]


@dataclass
class _Revision:
    """What the running revision has done so far."""

    handwritten: HandwrittenRebuilds
    planned: dict[str, BatchRebuild] = field(default_factory=dict)
    running: BatchRebuild | None = None
    temporaries: set[str] = field(default_factory=set)
    restored: set[tuple[str, str]] = field(default_factory=set)
