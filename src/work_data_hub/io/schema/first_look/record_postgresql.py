"""Reads the record of a PostgreSQL database through libpq, in two round trips."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from work_data_hub.config.connection_options import libpq_options
from work_data_hub.domain.record.record import (
    IDENTITY,
    IN_PROGRESS,
    JOURNAL,
    JOURNAL_COLUMNS,
    NAMES,
    VERSION_TABLE,
    DatabaseRecord,
    as_record,
    deciding_rows,
)
from work_data_hub.io.schema.first_look.libpq import LibpqConnection, NoAnswerError
from work_data_hub.io.schema.record.question import facts_question
from work_data_hub.patience import told_if_slow

if TYPE_CHECKING:
    from work_data_hub.config.database_address import DatabaseAddress

_LOCK_TIMEOUT_MILLISECONDS = 500


def read_postgresql(address: DatabaseAddress) -> DatabaseRecord | None:
    """Return the record, or None when it cannot be told: no answer, no rights, another history."""
    options = libpq_options(address)
    if options is None:
        return None
    names = ", ".join(f"'{name}'" for name in sorted(NAMES))
    facts = facts_question("NULL::text", f"'{VERSION_TABLE}'", f"ARRAY[{names}]::name[]")
    facts = f"SELECT row_to_json(facts) FROM ({facts}) AS facts"  # noqa: S608  # no input in it
    try:
        asked = told_if_slow(f"connecting to {address.masked()}")
        with asked, LibpqConnection(options) as connection:
            found = json.loads(connection.ask(facts))
            schema = found["schema"]
            # Another schema may hold another history, whose identity counts too.
            own = [[schema, name, True] for name in sorted(NAMES)]
            if sorted(found["framework_tables"]) != own:
                return None
            rows = json.loads(connection.ask(_postgresql_rows(schema)))
        return as_record(
            ((version,) for version in rows["versions"]),
            rows["identities"],
            found["pin"],
            rows["interrupted"],
            rows["journal"],
        )
    except (NoAnswerError, ValueError, KeyError, TypeError):
        return None


def _postgresql_rows(schema: str) -> str:
    """Return one question for all rows: one moment, one round trip.

    A revision that is running may have locked the tables; the whole run knows how to wait.
    """
    within = f'''"{schema.replace('"', '""')}".'''
    of = f"FROM {within}"
    history = f"'{VERSION_TABLE}'"
    return f"""
    BEGIN READ ONLY;
    SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MILLISECONDS};
    SELECT json_build_object(
        'versions', (SELECT coalesce(json_agg(version_num), '[]') {of}{VERSION_TABLE}),
        'identities',
        (SELECT coalesce(json_agg(json_build_array(environment, pin)), '[]') {of}{IDENTITY}),
        'interrupted', (SELECT count(*) {of}{IN_PROGRESS} WHERE history = {history}),
        'journal', (SELECT coalesce(json_agg(json_build_array({JOURNAL_COLUMNS}) ORDER BY id), '[]')
                    {of}{JOURNAL}
                    WHERE {deciding_rows(within + JOURNAL, history)}));
    COMMIT"""  # names of ours; the schema is quoted
