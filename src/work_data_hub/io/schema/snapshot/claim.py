"""Does a schema have what a revision makes, that somebody says it is at?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.difference import EXTRA, Difference, differences
from work_data_hub.domain.snapshot.ignored import as_programs_see_it
from work_data_hub.domain.snapshot.scope import in_scope
from work_data_hub.io.schema.ephemeral.scratch import existing_server
from work_data_hub.io.schema.snapshot.expected import Expected, Wanted
from work_data_hub.io.schema.snapshot.reader import default_schema_of, read_within
from work_data_hub.io.schema.snapshot.rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView


def lacking(view: DatabaseView, revisions: Sequence[str]) -> list[Difference]:
    """Return what of what the revisions make is missing in a database, or another there.

    What it has beside that does not count, nor what may be tuned while programs run.

    Args:
        view: in a transaction.
        revisions: that it is said to be at.

    Raises:
        MissingError: what they make cannot be told.
        UsageError: a rule of the project is none.
    """
    connection, engine = view.connection, view.connection.dialect.name
    server = existing_server(None) if engine == "postgresql" else None
    ini, rules = None if view.ini is None else Path(view.ini), rules_of(view.ini)
    place = default_schema_of(connection), server
    wanted = Wanted(ini, engine, tuple(revisions), *place)
    built, live = Expected(wanted, is_within_a_run=True).beside(read_within(connection))
    sides = as_programs_see_it(built), as_programs_see_it(live)
    compared = in_scope(*sides, rules, wanted.default_schema)
    found = differences(compared.wanted, compared.found)
    return [difference for difference in found if difference.change != EXTRA]
