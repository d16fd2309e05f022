"""What a run must know of the database and of itself, asked in one round trip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from work_data_hub.io.schema.engine import driver_connection, sqlite_file
from work_data_hub.io.schema.pins import file_pin
from work_data_hub.io.schema.record.framework_tables import IDENTITY, NAMES
from work_data_hub.io.schema.record.question import facts_question

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection

_POSTGRESQL = sa.text(facts_question(":schema", ":version_table", ":names"))


@dataclass(frozen=True)
class DatabaseFacts:
    """The surroundings of a run.

    Attributes:
        name: what a person confirms: what PostgreSQL calls the database; the name of a file.
        user: who the database says we are; None where it knows no users.
        schema: where Alembic's version table is or will be; None where there are none.
        pin: what a copy of this database cannot inherit.
        framework_tables: which of the framework's tables are there.
        identity_schemas: every schema with an identity: two histories are one database.
        backend_pid: the server process of the connection; None on SQLite.
    """

    name: str
    user: str | None
    schema: str | None
    pin: str
    framework_tables: frozenset[str]
    identity_schemas: tuple[str | None, ...]
    backend_pid: int | None

    @property
    def has_framework_tables(self) -> bool:
        """Whether this history was run on before."""
        return bool(self.framework_tables)


def read_facts(connection: Connection, version_table: str, schema: str | None) -> DatabaseFacts:
    """Ask the database; leaves the connection in the transaction that the question opened."""
    if connection.dialect.name != "postgresql":
        names = frozenset(sa.inspect(connection).get_table_names(schema=schema))
        found = names & NAMES
        schemas = (schema,) if IDENTITY in found else ()
        name, pin = _of_file(connection.engine.url)
        return DatabaseFacts(name, None, schema, pin, found, schemas, None)
    preparer = connection.dialect.identifier_preparer
    qualified = preparer.quote(version_table)
    if schema is not None:
        qualified = f"{preparer.quote_schema(schema)}.{qualified}"
    parameters = {"schema": schema, "version_table": qualified, "names": sorted(NAMES)}
    row = connection.execute(_POSTGRESQL, parameters).one()
    return DatabaseFacts(
        name=row.name,
        user=row.database_user,
        schema=row.schema,
        pin=row.pin,
        framework_tables=frozenset(n for s, n in row.framework_tables if s == row.schema),
        identity_schemas=tuple(sorted(s for s, n in row.framework_tables if n == IDENTITY)),
        backend_pid=row.backend_pid,
    )


def _of_file(url: URL) -> tuple[str, str]:
    """Return the name of a SQLite file, and its pin."""
    file = sqlite_file(url)
    name = ":memory:" if file is None else file.name
    return name, "sqlite:memory" if file is None or not file.exists() else file_pin(file)


def is_local(connection: Connection) -> bool:
    """Whether the database is on this machine: a file, a socket, or a loopback address.

    PostgreSQL's client is asked where it connected to: PGHOST, ``hostaddr`` and a service file
    can say otherwise than the URL.
    """
    info = getattr(driver_connection(connection), "info", None)
    host = getattr(info, "hostaddr", None) or getattr(info, "host", None)
    return is_local_url(connection.engine.url) if host is None else _is_this_machine(host)


def is_local_url(url: URL) -> bool:
    """Whether a URL names this machine."""
    if url.get_backend_name() == "sqlite":
        return True
    hosts = url.query.get("host", url.host or "")
    return all(_is_this_machine(host) for host in ([hosts] if isinstance(hosts, str) else hosts))


def _is_this_machine(host: str) -> bool:
    name = host.rsplit(":", 1)[0] if host.count(":") == 1 else host
    return name in {"", "localhost", "::1", "[::1]"} or name.startswith(("/", "@", "127."))
