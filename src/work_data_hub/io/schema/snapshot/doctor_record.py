"""A check-up of the record: all that `status` finds wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from work_data_hub.domain.snapshot.checkup import Diagnosis, NotLookedAtError, not_looked_at
from work_data_hub.io.schema.record.facts import read_facts
from work_data_hub.io.schema.snapshot.schema_record import read_status_with_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.record.facts import DatabaseFacts


def check_record(view: DatabaseView) -> Iterator[Diagnosis]:
    """Yield what is wrong with what a database records of itself.

    Args:
        view: in a transaction that sees one moment: a run may go on beside it.

    Raises:
        CommandError: Alembic cannot make sense of the files.
        UsageError: a rule of the project on what is no drift is none.
    """
    facts = read_facts(view.connection, view.history, view.schema)
    view = replace(view, versions=read_versions(view, facts))
    status = read_status_with_schema(view)
    for problem in status.problems:
        # The first run records a new database.
        if not (problem.code == "not-recorded" and status.is_new):
            yield Diagnosis(problem)
    if not facts.is_readable:
        yield not_looked_at("the journal", NotLookedAtError("no rights", is_denied=True))


def read_versions(view: DatabaseView, facts: DatabaseFacts) -> tuple[str, ...]:
    """Read the version table again: when Alembic did, it may have been another moment.

    Args:
        view: the database.
        facts: its surroundings.
    """
    if not sa.inspect(view.connection).has_table(view.history, schema=facts.schema):
        return ()
    table = sa.table(view.history, sa.column("version_num"), schema=facts.schema)
    found = view.connection.execute(sa.select(table.c.version_num)).scalars()
    return tuple(sorted(found))
