"""May this run touch this database? Decided under the run lock, before anything is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from work_data_hub.domain.record.journal_state import PURGED
from work_data_hub.domain.run import protection
from work_data_hub.domain.run.plan import expected_seconds
from work_data_hub.io.schema.locks.advisory_lock import lock_key
from work_data_hub.io.schema.record import identity
from work_data_hub.io.schema.record.framework_tables import JOURNAL, NAMES, framework_tables
from work_data_hub.io.schema.record.journal import Journal
from work_data_hub.io.schema.record.marks import Marks
from work_data_hub.io.schema.run import recovery
from work_data_hub.io.schema.run.past import Past
from work_data_hub.io.schema.run.schema_keeper import SchemaKeeper
from work_data_hub.io.schema.snapshot.schema_record import SchemaRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alembic.runtime.migration import MigrationContext
    from sqlalchemy.engine import Connection

    from work_data_hub.domain.record.target import EnvironmentClass, Identity, Target
    from work_data_hub.domain.run.plan import Plan
    from work_data_hub.domain.sql.statement import ConcurrentIndex
    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.alembic_bridge.request import Permissions
    from work_data_hub.io.schema.record.facts import DatabaseFacts
    from work_data_hub.io.schema.record.journal import JournalEntry


class Admission:
    """Admits a run, or refuses it.

    Args:
        view: the database, its connection not in a transaction, under the run lock.
        facts: the surroundings of the run.
        target: what the database is.
        permissions: what the caller confirmed or asked for beside the run itself.

    Attributes:
        target, permissions: as they were given.
        repeated: where the first step repeats an interrupted one, the indexes that it has built.
        keeper: of what the schema is; None in a dry run, which leaves nothing.
        is_done: whether the run was admitted, and that is committed.
    """

    def __init__(
        self, view: DatabaseView, facts: DatabaseFacts, target: Target, permissions: Permissions
    ) -> None:
        self.view = view
        self.facts = facts
        self.marks = Marks(view.connection, facts.schema, view.history)
        self.journal = Journal(view.connection, facts.schema, view.history, facts.user)
        self.target = target
        self.permissions = permissions
        self.repeated: tuple[ConcurrentIndex, ...] | None = None
        self.keeper: SchemaKeeper | None = None
        self.is_done = False

    @classmethod
    def of(cls, view: DatabaseView, facts: DatabaseFacts, permissions: Permissions) -> Admission:
        """Ask the database what it is, and leave it without a transaction."""
        target = identity.read_target(view.connection, facts, view.settings.environment)
        view.connection.rollback()
        return cls(view, facts, target, permissions)

    @property
    def schema(self) -> str | None:
        """The schema of the version table: a revision may empty the search path."""
        return self.facts.schema

    @property
    def patience(self) -> float:
        """For how many seconds a step that did not get its locks is tried again."""
        return 0.0 if self.permissions.dry_run else self.view.settings.lock_deadline

    def refuse_strangers(self) -> None:
        """Refuse a session of another class, and a database of which that cannot be known.

        Raises:
            RefusedError: with the way out.
        """
        if self.facts.has_framework_tables:
            missing = NAMES - self.facts.framework_tables
            protection.refuse(protection.check_record(self.target, missing))
        protection.refuse(protection.check_environment(self.target, self.view.settings.environment))
        protection.refuse(protection.check_first_run(self.target, self._class_at_first))

    def refuse_destruction(self, operation: str) -> None:
        """Refuse to destroy on staging and prod, unless the database was named.

        Raises:
            RefusedError: with the way out.
        """
        protection.refuse(
            protection.check_destructive(self.target, operation, self.permissions.confirm)
        )

    def refuse_loading(self, file: str) -> None:
        """Refuse to load rows into staging and prod, unless the database was named.

        Raises:
            RefusedError: with the way out.
        """
        protection.refuse(protection.check_loading(self.target, file, self.permissions.confirm))

    def refuse_reset(self) -> None:
        """Refuse to drop everything, unless the database is dev or a throw-away one.

        Raises:
            RefusedError: with the reason.
        """
        protection.refuse(protection.check_reset(self.target))
        protection.refuse(protection.check_environment(self.target, self.view.settings.environment))

    def record_environment(self, wanted: EnvironmentClass) -> None:
        """Record another environment class, as the caller asked; it is journalled.

        Raises:
            RefusedError: the database was not confirmed.
        """
        protection.refuse(protection.check_recording(self.target, wanted, self.permissions.confirm))
        before = self.target.identity.environment if self.target.identity else "nothing"
        connection = self.view.connection
        with connection.begin():
            _create_tables(connection, self.facts)
            found = self.target.identity or identity.new_identity(wanted, self.facts.pin)
            recorded = identity.with_environment(found, wanted)
            # The strictest record counts: every history of the database must say the same.
            for schema in {self.schema, *self.facts.identity_schemas}:
                identity.record(connection, schema, recorded)
            self.journal.add(recorded.id, "record", detail=f"{before} -> {wanted}")

    def admit(self, plan: Plan, context: MigrationContext) -> Plan:
        """Decide; then record identity, and what was applied before.

        Returns:
            The plan, with the time that the journal lets expect, and what was written there.

        Raises:
            WorkDataHubError: the plan may not run; nothing was changed.
        """
        destructive = [step for step in plan.steps if step.is_destructive]
        if destructive:
            self.refuse_destruction(f"{destructive[0].direction} {destructive[0].revision}")
        if self.facts.has_framework_tables:
            self.repeated = _cleared_up(self, plan)
        _create_tables(self.view.connection, self.facts)
        first = identity.new_identity(self._class_at_first, self.facts.pin)
        _record(self.view.connection, self.schema, self.target.identity or first)
        if context.purge:
            _purge(context, self.view.connection, self.journal)
        past = Past(self.view, self.journal, is_own=self.target.is_own)
        seen = past.look_back(context.get_current_heads(), plan, self.permissions.accept)
        confirmed = False
        if not self.permissions.dry_run:
            record = SchemaRecord(self.view, self.facts, self.journal, self.environment)
            self.keeper = SchemaKeeper(self.view, record, plan, self.permissions)
            repeats, is_own = self.repeated is not None, self.target.is_own
            confirmed = self.keeper.admit(
                repeats=repeats, is_own=is_own, is_by_hand=seen.is_by_hand
            )
            self.view.connection.commit()
            self.is_done = True
        timed = _timed(plan, seen.entries)
        return replace(timed, adopted=seen.adopted, accepted=seen.accepted, confirmed=confirmed)

    @property
    def environment(self) -> EnvironmentClass:
        """What the database is recorded as, by this run if it was not before."""
        return self.target.recorded_environment or self._class_at_first

    @property
    def _class_at_first(self) -> EnvironmentClass:
        """What a database that is not recorded yet would be recorded as."""
        return "ephemeral" if self.permissions.ephemeral else self.view.settings.environment


def _cleared_up(admission: Admission, plan: Plan) -> tuple[ConcurrentIndex, ...] | None:
    """Clear up what an interrupted revision left, which a dry run cannot take back."""
    marks, permissions = admission.marks, admission.permissions
    if not permissions.dry_run:
        return recovery.clear_up(marks, plan, permissions.resolved, admission.patience)
    if interrupted := marks.read():
        raise interrupted.as_fault()
    return None


def _purge(context: MigrationContext, connection: Connection, journal: Journal) -> None:
    """Empty the version table anew: clearing up rolls back that Alembic has."""
    version = sa.table(context.version_table, schema=context.version_table_schema)
    connection.execute(sa.delete(version))
    journal.add("base", "stamp", detail=PURGED)


def _record(connection: Connection, schema: str | None, wanted: Identity) -> None:
    if not identity.is_recorded(connection, schema, wanted):
        identity.record(connection, schema, wanted)


def _create_tables(connection: Connection, facts: DatabaseFacts) -> None:
    if facts.has_framework_tables:
        return
    if connection.dialect.name == "postgresql":
        # Two histories have two run locks, and create one set of tables between them.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock_key(JOURNAL)})")
    if not sa.inspect(connection).has_table(JOURNAL, schema=facts.schema):
        framework_tables(facts.schema).create(connection)


def _timed(plan: Plan, entries: Iterable[JournalEntry]) -> Plan:
    took = {(row.revision, row.direction): row.duration_ms / 1000 for row in entries}
    return replace(plan, expected=expected_seconds(plan.steps, took))
