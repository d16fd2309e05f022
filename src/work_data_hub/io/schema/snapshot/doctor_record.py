"""A check-up of the record: all that `status` finds wrong, and a journal that says otherwise."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from work_data_hub.domain.record.journal_state import moves, newest, state_of, with_needs
from work_data_hub.domain.snapshot.checkup import Diagnosis, NotLookedAtError, ill, not_looked_at
from work_data_hub.io.schema.alembic_bridge.revision_map import needs
from work_data_hub.io.schema.record import identity
from work_data_hub.io.schema.record.facts import read_facts
from work_data_hub.io.schema.record.journal import journal_of
from work_data_hub.io.schema.snapshot.schema_record import read_status_with_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.record.facts import DatabaseFacts
    from work_data_hub.io.schema.record.journal import JournalEntry

_BASE = "base"


def check_record(view: DatabaseView) -> Iterator[Diagnosis]:
    """Yield what is wrong with what a database records of itself.

    Args:
        view: in a transaction that sees one moment: a run may go on beside it.

    Raises:
        CommandError: Alembic cannot make sense of the files.
        UsageError: a rule of the project on what is no drift is none.
    """
    facts = read_facts(view.connection, view.history, view.schema)
    view = replace(view, versions=_versions(view, facts))
    status = read_status_with_schema(view)
    for problem in status.problems:
        # The first run records a new database.
        if not (problem.code == "not-recorded" and status.is_new):
            yield Diagnosis(problem)
    if not facts.is_readable:
        yield not_looked_at("the journal", NotLookedAtError("no rights", is_denied=True))
    elif (journal := journal_of(view, facts)) is not None:
        yield from _disagreement(view, facts, moves(journal.deciding()))


def _versions(view: DatabaseView, facts: DatabaseFacts) -> tuple[str, ...]:
    """Read the version table again: when Alembic did, it may have been another moment."""
    if not sa.inspect(view.connection).has_table(view.history, schema=facts.schema):
        return ()
    table = sa.table(view.history, sa.column("version_num"), schema=facts.schema)
    found = view.connection.execute(sa.select(table.c.version_num)).scalars()
    return tuple(sorted(found))


def _disagreement(
    view: DatabaseView, facts: DatabaseFacts, moved: Sequence[JournalEntry]
) -> Iterator[Diagnosis]:
    graph = needs(view.scripts)
    versions, state = view.versions, state_of(moved, graph)
    if not moved or state is None or _agree(versions, state, graph):
        return
    known, last = newest(state & graph.keys(), graph), moved[-1]
    target = identity.read_target(view.connection, facts, view.settings.environment)
    confirm = "" if target.is_own else f" --confirm {shlex.quote(target.name)}"
    yield ill(
        "journal-disagrees",
        f"{view.history} says {', '.join(versions) or _BASE}, the journal says"
        f" {', '.join(known) or _BASE}: the last that it knows is {last.direction} {last.revision}"
        f" by {last.os_user}@{last.host}, {last.finished_at:%Y-%m-%d %H:%M} UTC; what came then"
        " was plain Alembic, or somebody's hand",
        f"look which of the two the tables are at, and record that: {_stamped(versions, confirm)}"
        f", or {_stamped(known, confirm)}",
    )


def _agree(
    versions: Sequence[str], state: frozenset[str], graph: Mapping[str, Sequence[str]]
) -> bool:
    unknown = {*versions} - graph.keys()
    if unknown:  # newer code has put it there: no file tells what it needs
        return unknown <= state
    return with_needs(versions, graph) == with_needs(state & graph.keys(), graph)


def _stamped(revisions: Sequence[str], confirm: str) -> str:
    """Return the commands that record where a database is."""
    first, *more = revisions or (_BASE,)
    commands = [f"`wdh db stamp --purge {first}{confirm}`"]
    commands += [f"`wdh db stamp {revision}{confirm}`" for revision in more]
    return " and ".join(commands)
