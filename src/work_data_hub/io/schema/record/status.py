"""Where a database stands, what is pending, and everything that is wrong, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.config.database_url import mask
from work_data_hub.domain.finding import Finding
from work_data_hub.domain.revisions.verification import several_heads
from work_data_hub.domain.run import protection
from work_data_hub.domain.run.plan import Step
from work_data_hub.errors import (
    HistoryError,
    MigrationFailedError,
    RefusedError,
    WorkDataHubError,
)
from work_data_hub.io.schema import engine
from work_data_hub.io.schema.alembic_bridge.revision_map import description, paths
from work_data_hub.io.schema.record import history_check, identity
from work_data_hub.io.schema.record.disagreement import disagreement
from work_data_hub.io.schema.record.facts import read_facts
from work_data_hub.io.schema.record.framework_tables import NAMES
from work_data_hub.io.schema.record.journal import JournalEntry, journal_of
from work_data_hub.io.schema.record.marks import Marks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.config.run_driver import RunDriver
    from work_data_hub.domain.record.target import Identity, Target
    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.record.facts import DatabaseFacts

LAST_RUNS = 5
# How a run ends that meets one of these; what else is wrong is refused for safety.
_FAULTS: dict[str, type[WorkDataHubError]] = {
    "ahead": HistoryError,
    "several-heads": HistoryError,
    "edited": HistoryError,
    "vanished": HistoryError,
    "interrupted": MigrationFailedError,
}
_NOT_RECORDED = protection.Refusal(
    "the database is not recorded yet: no run has been on it", "`wdh db upgrade` records it"
)


@dataclass(frozen=True)
class DatabaseStatus:
    """What is known of a database.

    Attributes:
        database: its URL, without the password.
        source: what decided on it, in words.
        driver: of the connection that a run would have.
        exists: False for a SQLite file that is not there yet.
        environment: what it is recorded as, prod where that cannot be read; None before the first
            run.
        session: the class of the session.
        versions: the revisions that it is at.
        heads: those of the files.
        pending: the steps that would bring it to head, in order.
        last_runs: the newest rows of its journal, the oldest of them first.
        problems: what is wrong: ``not-recorded``, ``record-removed``, ``other-environment``,
            ``record-hidden``, ``ahead``, ``several-heads``, ``interrupted``, ``edited``,
            ``vanished``, ``schema-changed``, ``journal-disagrees``.
        is_new: whether nothing is in it yet: that it is not recorded is then no fault.
    """

    database: str
    source: str
    driver: RunDriver
    exists: bool
    environment: str | None
    session: str
    versions: tuple[str, ...]
    heads: tuple[str, ...]
    pending: tuple[Step, ...]
    last_runs: tuple[JournalEntry, ...]
    problems: tuple[Finding, ...]
    is_new: bool = False

    @property
    def is_clear(self) -> bool:
        """Whether nothing is pending and nothing is wrong."""
        return not self.pending and not self.problems


def read_status(view: DatabaseView) -> DatabaseStatus:
    """Return where a database stands. Changes nothing.

    Args:
        view: the database, and the files.

    Raises:
        CommandError: Alembic cannot make sense of the files.
    """
    connection = view.connection
    facts = read_facts(connection, view.history, view.schema)
    versions = view.versions
    target = identity.read_target(connection, facts, view.settings.environment)
    journal = journal_of(view, facts)
    entries = journal.deciding() if journal else []
    heads = tuple(sorted(view.scripts.get_heads()))
    unknown = _unknown(view, versions)
    problems = [
        *_of_the_record(target, facts, view),
        *(history_check.unknown(view.scripts, each, is_own=target.is_own) for each in unknown),
        *([several_heads(heads)] if len(heads) > 1 else []),
        *_interrupted(view, facts),
        *_by_another_hand(view, target, entries),
        # What has vanished is then a consequence.
        *(() if unknown else _of_the_past(view, target, entries)),
    ]
    return DatabaseStatus(
        database=mask(view.target.url),
        source=view.target.source,
        driver=view.target.driver,
        exists=engine.exists(view.target.url),
        environment=target.recorded_environment,
        session=view.settings.environment,
        versions=versions,
        heads=heads,
        pending=() if unknown else _pending(view, versions),
        last_runs=tuple(journal.entries(LAST_RUNS)) if journal else (),
        problems=tuple(problems),
        is_new=not (facts.has_tables or facts.framework_tables or target.hidden),
    )


def fault_of(problem: Finding) -> WorkDataHubError:
    """Return what is wrong with a database as the error that ends a run on it."""
    return _FAULTS.get(problem.code, RefusedError)(str(problem), hint=problem.hint)


def read_entries(view: DatabaseView, last: int | None = None) -> tuple[JournalEntry, ...]:
    """Return the journal of the history, or its newest rows; empty when it has none.

    Raises:
        RefusedError: the role may not read it.
    """
    facts = read_facts(view.connection, view.history, view.schema)
    identity.refuse_hidden(facts)
    journal = journal_of(view, facts)
    return tuple(journal.entries(last)) if journal else ()


class Held(NamedTuple):
    """What a database says of itself.

    Attributes:
        versions: the revisions that it is at.
        journal: the rows that say what is applied, the oldest first.
        identity: what it is recorded as; None before the first run.
    """

    versions: tuple[str, ...]
    journal: tuple[JournalEntry, ...]
    identity: Identity | None


def read_held(view: DatabaseView) -> Held:
    """Return what a database says of itself, in one look. Changes nothing."""
    found = identity.read_identity(view.connection, view.history, view.schema)
    journal = journal_of(view, read_facts(view.connection, view.history, view.schema))
    return Held(view.versions, tuple(journal.deciding()) if journal else (), found)


def _unknown(view: DatabaseView, versions: tuple[str, ...]) -> tuple[str, ...]:
    known = paths(view.scripts)
    return tuple(version for version in versions if version not in known)


def _pending(view: DatabaseView, versions: tuple[str, ...]) -> tuple[Step, ...]:
    # Alembic's own way to the heads (ScriptDirectory._upgrade_revs).
    way = list(view.scripts.iterate_revisions("heads", versions, implicit_base=True))
    return tuple(Step(script.revision, "upgrade", description(script)) for script in reversed(way))


def _of_the_record(target: Target, facts: DatabaseFacts, view: DatabaseView) -> Iterator[Finding]:
    session = view.settings.environment
    if facts.has_framework_tables:
        lost = NAMES - facts.framework_tables
        removed = protection.check_record(target, lost) if facts.is_readable else None
        if removed is not None:
            yield Finding("record-removed", removed.reason, hint=removed.way_out)
    elif not target.hidden:
        first = protection.check_first_run(target, session) or _NOT_RECORDED
        yield Finding("not-recorded", first.reason, hint=first.way_out)
    stranger = protection.check_environment(target, session)
    if stranger is not None:
        code = "record-hidden" if target.hidden else "other-environment"
        yield Finding(code, stranger.reason, hint=stranger.way_out)


def _interrupted(view: DatabaseView, facts: DatabaseFacts) -> Iterator[Finding]:
    if facts.framework_tables >= NAMES and facts.is_readable:
        marks = Marks(view.connection, facts.schema, view.history)
        if interrupted := marks.read():
            fault = interrupted.as_fault()
            yield Finding("interrupted", fault.message, hint=fault.hint)


def _by_another_hand(
    view: DatabaseView, target: Target, entries: list[JournalEntry]
) -> Iterator[Finding]:
    found = disagreement(view, target, entries)
    if found is not None:
        yield found


def _of_the_past(
    view: DatabaseView, target: Target, entries: list[JournalEntry]
) -> Iterator[Finding]:
    applied = history_check.applied_scripts(view.scripts, view.versions)
    yield from history_check.findings(
        entries, applied, view.scripts, view.settings, is_own=target.is_own
    ).values()
