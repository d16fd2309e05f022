"""What the schema is at the end of a run: kept in the journal, and compared with at the next."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from work_data_hub.domain.finding import ERROR, WARNING, Finding
from work_data_hub.domain.snapshot.fingerprint import Fingerprint, fingerprint_of
from work_data_hub.domain.snapshot.ignored import (
    as_programs_see_it,
    said_to_be_left_out,
    without_ignored,
)
from work_data_hub.io.schema.engine import said
from work_data_hub.io.schema.record.facts import read_facts
from work_data_hub.io.schema.record.journal import journal_of
from work_data_hub.io.schema.record.kept_schema import in_words, keep, last_kept
from work_data_hub.io.schema.record.status import DatabaseStatus, read_status
from work_data_hub.io.schema.snapshot.reader import read_within
from work_data_hub.io.schema.snapshot.rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.record.facts import DatabaseFacts
    from work_data_hub.io.schema.record.journal import Journal

log = logging.getLogger(__name__)


class SchemaRecord:
    """Keeps what the schema is, and says whether it still is.

    What a rule of the project leaves out does not count, nor what is in a schema of another
    history, nor what may be tuned while programs run; what has come to it does not either.

    Args:
        view: the database, and the files.
        facts: its surroundings.
        journal: its journal.
        environment: what the database is recorded as.

    Raises:
        UsageError: a rule of the project is none.
    """

    def __init__(
        self,
        view: DatabaseView,
        facts: DatabaseFacts,
        journal: Journal,
        environment: str,
    ) -> None:
        usual = {"prod": "stop", "ephemeral": "off"}.get(environment, "warn")
        self._choice = usual if view.settings.drift == "auto" else view.settings.drift
        self._connection = view.connection
        self._journal = journal
        self._not_ours: frozenset[str] = frozenset()
        self._schema = facts.schema
        self._others = {each for each in facts.identity_schemas if each not in {facts.schema, None}}
        self._rules = [] if self.is_off else rules_of(view.ini)

    @property
    def is_off(self) -> bool:
        """Whether nothing is kept, and nothing compared."""
        return self._choice == "off"

    def changed(self, versions: Collection[str]) -> Finding | None:
        """Return that the schema is not as the last run left it, if so; changes nothing.

        It is an error where nobody builds on it.

        Args:
            versions: that the database is at: where it was moved by something else since, such as
                a script of `wdh db sql`, the schema is rightly another.
        """
        kept = None if self.is_off else last_kept(self._connection, self._schema)
        if kept is not None and kept.revisions != in_words(versions):
            return None
        found = None if kept is None else self._read()
        if kept is None or found is None:
            return None
        lost = kept.fingerprint.lost_since(found)
        if lost == 0:
            self._not_ours = found.came_since(kept.fingerprint)
        if not lost:
            return None
        objects, are, them = ("object", "is", "it") if lost == 1 else ("objects", "are", "them")
        return Finding(
            "schema-changed",
            f"{lost} {objects} of the schema {are} not as the run of {kept.at:%Y-%m-%d %H:%M} UTC"
            f" left {them}: changed or dropped since",
            severity=ERROR if self._choice == "stop" else WARNING,
            hint="`wdh db drift` names what is not as the revisions make it; to build on it as it"
            " is: `wdh db upgrade --confirm-drift`, or alembic -x confirm-drift=yes ...",
        )

    def keep(self, versions: Collection[str]) -> None:
        """Keep what the schema is, in the transaction of the last step.

        What had come to it before the run is not of the revisions: it may go as it came.

        Args:
            versions: that the database is then at.
        """
        found = None if self.is_off else self._read()
        if found is not None:
            keep(self._journal, in_words(versions), found.without(self._not_ours))

    def _read(self) -> Fingerprint | None:
        """Read it; a schema that cannot be read ends no run."""
        try:
            schema = read_within(self._connection, self._others)
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            log.warning("the schema could not be read, so it is not recorded: %s", said(error))
            return None
        seen = as_programs_see_it(without_ignored(schema, self._rules))
        return fingerprint_of(seen, [*said_to_be_left_out(self._rules), *self._others])


def read_status_with_schema(view: DatabaseView) -> DatabaseStatus:
    """Return where a database stands, and whether its schema is as the last run left it.

    Raises:
        CommandError: Alembic cannot make sense of the files.
        UsageError: a rule of the project is none.
    """
    found = read_status(view)
    facts = read_facts(view.connection, view.history, view.schema)
    journal = journal_of(view, facts)
    # What an interrupted revision has committed is no change by hand.
    is_interrupted = any(each.code == "interrupted" for each in found.problems)
    if journal is None or found.environment is None or is_interrupted:
        return found
    changed = SchemaRecord(view, facts, journal, found.environment).changed(view.versions)
    return found if changed is None else replace(found, problems=(*found.problems, changed))
