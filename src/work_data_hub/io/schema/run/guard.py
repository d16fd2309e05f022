"""Everything that stands around the steps of a run: who may, what was, what is left behind."""

from __future__ import annotations

import contextlib
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from work_data_hub.config.database_url import scrub
from work_data_hub.domain.run import protection
from work_data_hub.errors import HistoryError, RefusedError, UsageError
from work_data_hub.io.schema.engine import first_line
from work_data_hub.io.schema.locks.advisory_lock import lock_key
from work_data_hub.io.schema.locks.blocker_watch import BlockerWatch
from work_data_hub.io.schema.record import history_check, identity
from work_data_hub.io.schema.record.facts import read_facts
from work_data_hub.io.schema.record.framework_tables import JOURNAL, NAMES, framework_tables
from work_data_hub.io.schema.record.journal import Journal, SourceMark
from work_data_hub.io.schema.run.partial_revisions import PartialRevisions
from work_data_hub.io.schema.run.session_settings import SessionSettings
from work_data_hub.io.schema.sqlite.rebuild import RebuildGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script, ScriptDirectory
    from sqlalchemy.engine import Connection, Engine, Transaction

    from work_data_hub.config import Settings
    from work_data_hub.domain.run.plan import Plan, Step
    from work_data_hub.domain.run.protection import Refusal
    from work_data_hub.io.schema.alembic_bridge.request import Permissions
    from work_data_hub.io.schema.locks.run_lock import Lock

log = logging.getLogger(__name__)


class RunGuard:
    """Stands around one run; implements ``executor.Guard``.

    Args:
        connection: the connection of the run, not in a transaction, under the run lock.
        engine: makes further connections to the same database.
        lock: the run lock.
        scripts: the revision files.
        settings: the session's settings.
        permissions: what the caller confirmed or asked for beside the run itself.
        history: the name of the version table.
        schema: the schema that env.py gave for it, if any.
        tell: is told who blocks the run.
    """

    def __init__(
        self,
        connection: Connection,
        engine: Engine,
        lock: Lock,
        scripts: ScriptDirectory,
        settings: Settings,
        permissions: Permissions,
        history: str,
        schema: str | None,
        tell: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._lock = lock
        self._scripts = scripts
        self._settings = settings
        self._permissions = permissions
        self._facts = read_facts(connection, history, schema)
        self._target = identity.read_target(connection, self._facts, settings.environment)
        self.session = SessionSettings(
            connection,
            self._facts.backend_pid,
            settings.lock_timeout,
            settings.statement_timeout,
        )
        connection.rollback()
        self._journal = Journal(connection, self._facts.schema, history, self._facts.user)
        self._partial = PartialRevisions(
            connection, self._facts.schema, history, settings.lock_deadline, self.session
        )
        self._rebuild = RebuildGuard(connection)
        self._watch = BlockerWatch(
            engine, self._facts.backend_pid, min(0.25, settings.lock_timeout / 4), tell
        )
        self._started_at = datetime.now(UTC)
        self._running: tuple[Step, SourceMark | None] | None = None
        self._transaction: Transaction | None = None

    @property
    def schema(self) -> str | None:
        """The schema of the version table: a revision may empty the search path."""
        return self._facts.schema

    @contextlib.contextmanager
    def standing(self) -> Iterator[RunGuard]:
        """Stand around the run for the block: refuse first, then watch and listen."""
        self._refuse_missing_tables()
        self._refuse(protection.check_environment(self._target, self._settings.environment))
        self.session.apply()
        try:
            with self._watch.running(), self._partial.watching(), self._rebuild:
                yield self
        finally:
            with contextlib.suppress(sa.exc.DBAPIError):
                self._connection.rollback()
                self.session.give_back()

    def refuse_destruction(self, operation: str) -> None:
        """Refuse to destroy on staging and prod, unless the database was named.

        Raises:
            RefusedError: with the way out.
        """
        self._refuse(
            protection.check_destructive(self._target, operation, self._permissions.confirm)
        )

    def refuse_reset(self) -> None:
        """Refuse to drop everything, unless the database is dev or a throw-away one.

        Raises:
            RefusedError: with the reason.
        """
        self._refuse(protection.check_reset(self._target))
        self._refuse(protection.check_environment(self._target, self._settings.environment))

    def record_environment(self) -> None:
        """Record another environment class, as the caller asked; it is journalled.

        Raises:
            RefusedError: the database was not confirmed.
        """
        wanted = self._permissions.record_environment
        assert wanted is not None
        self._refuse(protection.check_recording(self._target, wanted, self._permissions.confirm))
        before = self._target.identity.environment if self._target.identity else "nothing"
        with self._connection.begin():
            self._create_tables()
            found = self._target.identity or identity.new_identity(wanted, self._facts.pin)
            recorded = identity.with_environment(found, wanted)
            # The strictest record counts: every history of the database must say the same.
            for schema in {self._facts.schema, *self._facts.identity_schemas}:
                identity.record(self._connection, schema, recorded)
            self._journal.add(recorded.id, "record", detail=f"{before} -> {wanted}")

    def admit(self, plan: Plan, context: MigrationContext) -> None:
        """Decide under the lock; then record identity, and what was applied before."""
        destructive = [step for step in plan.steps if step.is_destructive]
        if destructive:
            self.refuse_destruction(f"{destructive[0].direction} {destructive[0].revision}")
        if self._facts.has_framework_tables:
            self._clear_up()
        self._create_tables()
        self._record_identity()
        if context.purge:
            self._journal.add("base", "stamp", detail="purged")
        self._check_history(context.get_current_heads())
        self._connection.commit()

    def begin(self, step: Step, script: Script | None, context: MigrationContext) -> None:
        """Note what is about to run."""
        self._lock.verify()
        source = history_check.source_mark(script) if script is not None else None
        self._running = step, source
        self._started_at = datetime.now(UTC)
        self._partial.begin(step, context)
        # Alembic takes a transaction that is there; so it is known, at the end, to be the same.
        self._transaction = self._connection.get_transaction() or self._connection.begin()
        self.session.begin_revision()
        self._rebuild.begin_revision()
        self._watch.begin(str(step))

    def applied(self, **_: Any) -> None:
        """Write the journal in the step's own transaction (Alembic's ``on_version_apply``)."""
        assert self._running is not None
        step, source = self._running
        self._verify_transaction()
        self._rebuild.end_revision()
        self._journal.add(step.revision, step.direction, started_at=self._started_at, source=source)
        if self._partial.changed_session:
            self.session.end_revision()
        self._partial.end()

    def _verify_transaction(self) -> None:
        assert self._transaction is not None
        if not self._partial.was_outside and not self._transaction.is_active:
            raise RefusedError(
                "the revision ended its own transaction by a rollback",
                hint="remove the rollback; raise an exception to undo a revision",
            )

    def finish(self) -> None:
        """Stop watching."""
        self._watch.end()

    def fail(self, step: Step, error: BaseException) -> None:
        """Record the failed attempt, if the database still listens."""
        self._watch.end()
        self._partial.abandon()
        text = first_line(getattr(error, "orig", None) or error)
        source = self._running[1] if self._running else None
        with contextlib.suppress(sa.exc.SQLAlchemyError):
            self._connection.rollback()
            with self._connection.begin():
                self._journal.add(
                    step.revision,
                    step.direction,
                    outcome="failed",
                    started_at=self._started_at,
                    source=source,
                    detail=scrub(f"{type(error).__name__}: {text}", self._connection.engine.url),
                )

    @property
    def can_be_repeated(self) -> bool:
        """A revision that left its transaction is never blindly repeated."""
        left = self._partial.was_outside or self._partial.was_ended
        return not left and not self._connection.invalidated

    def give_way(self) -> None:
        """Roll back what was read before the first step."""
        self._connection.rollback()

    def blocked_by(self) -> str:
        """Say who was seen to hold the locks."""
        return self._watch.seen or "nobody was seen holding them"

    def _refuse(self, refusal: Refusal | None) -> None:
        if refusal is not None:
            raise RefusedError(refusal.reason, hint=refusal.way_out)

    def _create_tables(self) -> None:
        if self._facts.has_framework_tables:
            return
        if self._connection.dialect.name == "postgresql":
            # Two histories have two run locks, and create one set of tables between them.
            self._connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock_key(JOURNAL)})")
        if not sa.inspect(self._connection).has_table(JOURNAL, schema=self._facts.schema):
            framework_tables(self._facts.schema).create(self._connection)

    def _refuse_missing_tables(self) -> None:
        """Refuse a database whose record was removed: what it was is not known any more."""
        if self._facts.has_framework_tables:
            missing = NAMES - self._facts.framework_tables
            self._refuse(protection.check_record(self._target, missing))

    def _record_identity(self) -> None:
        environment = "ephemeral" if self._permissions.ephemeral else self._settings.environment
        wanted = self._target.identity or identity.new_identity(environment, self._facts.pin)
        if not identity.is_recorded(self._connection, self._facts.schema, wanted):
            identity.record(self._connection, self._facts.schema, wanted)

    def _clear_up(self) -> None:
        """Deal with a revision that was interrupted."""
        interrupted = self._partial.interrupted()
        self._connection.rollback()
        resolved = self._permissions.resolved
        if interrupted is None:
            if resolved is not None:
                raise UsageError(
                    f"{resolved} was not interrupted", hint="run again without resolved"
                )
        elif resolved == interrupted.revision:
            self._partial.forget()  # commits with what is admitted: a refused run keeps the mark
        else:
            self._partial.recover(interrupted)

    def _check_history(self, heads: tuple[str, ...]) -> None:
        applied = history_check.applied_scripts(self._scripts, heads)
        entries = self._journal.entries()
        self._journal.adopt(
            (script.revision, history_check.source_mark(script))
            for script in history_check.unknown_to(entries, applied)
        )
        for finding in history_check.findings(entries, applied, self._scripts):
            self._judge(finding)

    def _judge(self, finding: history_check.HistoryFinding) -> None:
        if finding.revision in self._permissions.accept:
            script = self._scripts.get_revision(finding.revision) if finding.path else None
            source = history_check.source_mark(script) if script is not None else None
            self._journal.add(finding.revision, "accept", source=source, detail=str(finding))
        elif self._settings.edited_revisions == "warn":
            log.warning("%s", finding)
        else:
            raise HistoryError(
                str(finding),
                hint=history_check.WAY_OUT.format(finding.revision),
            )
