"""What a run must know of the database and of itself, asked in one round trip."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from work_data_hub.domain.record.pin import file_pin
from work_data_hub.domain.record.target import HiddenRecord
from work_data_hub.io.schema.engine import driver_connection, sqlite_file
from work_data_hub.io.schema.record.framework_tables import IDENTITY, NAMES
from work_data_hub.io.schema.record.question import facts_question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import URL, Connection, Row

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
        hidden: of the own tables and of all identities, those that the role may not read.
        has_tables: whether there is a table beside the framework's.
        backend_pid: the server process of the connection; None on SQLite.
    """

    name: str
    user: str | None
    schema: str | None
    pin: str
    framework_tables: frozenset[str]
    identity_schemas: tuple[str | None, ...]
    hidden: tuple[HiddenRecord, ...]
    has_tables: bool
    backend_pid: int | None

    @property
    def has_framework_tables(self) -> bool:
        """Whether this history was run on before."""
        return bool(self.framework_tables)

    @property
    def is_readable(self) -> bool:
        """Whether the role may read what this history records."""
        return not any(record.is_ours for record in self.hidden)


def read_facts(connection: Connection, version_table: str, schema: str | None) -> DatabaseFacts:
    """Ask the database; leaves the connection in the transaction that the question opened."""
    if connection.dialect.name != "postgresql":
        return _facts_of_file(connection, schema)
    preparer = connection.dialect.identifier_preparer
    qualified = preparer.quote(version_table)
    if schema is not None:
        qualified = f"{preparer.quote_schema(schema)}.{qualified}"
    parameters = {"schema": schema, "version_table": qualified, "names": sorted(NAMES)}
    row = connection.execute(_POSTGRESQL, parameters).one()
    found = row.framework_tables
    return DatabaseFacts(
        name=row.name,
        user=row.database_user,
        schema=row.schema,
        pin=row.pin,
        framework_tables=frozenset(name for schema, name, _ in found if schema == row.schema),
        identity_schemas=tuple(sorted(s for s, n, readable in found if n == IDENTITY and readable)),
        hidden=tuple(_hidden(row, preparer.quote)),
        has_tables=row.has_tables,
        backend_pid=row.backend_pid,
    )


def _facts_of_file(connection: Connection, schema: str | None) -> DatabaseFacts:
    names = frozenset(sa.inspect(connection).get_table_names(schema=schema))
    file = sqlite_file(connection.engine.url)
    return DatabaseFacts(
        name=":memory:" if file is None else file.name,
        user=None,
        schema=schema,
        pin="sqlite:memory" if file is None or not file.exists() else file_pin(file.stat().st_ino),
        framework_tables=names & NAMES,
        identity_schemas=(schema,) if IDENTITY in names else (),
        hidden=(),
        has_tables=bool(names - NAMES),
        backend_pid=None,
    )


def _hidden(row: Row[Any], quote: Callable[[str], str]) -> Iterator[HiddenRecord]:
    for schema, name, is_readable in sorted(row.framework_tables):
        is_ours = schema == row.schema
        if not is_readable and (is_ours or name == IDENTITY):
            table, role = f"{quote(schema)}.{name}", quote(row.database_user)
            grants = f"USAGE ON SCHEMA {quote(schema)}", f"SELECT ON {table}"
            remedy = "; ".join(f"GRANT {grant} TO {role}" for grant in grants)
            yield HiddenRecord(table, remedy, is_ours)


def is_local(connection: Connection) -> bool:
    """Whether the database is on this machine: a file, a socket, or a loopback address.

    PostgreSQL's client is asked where it connected to: PGHOST, ``hostaddr`` and a service file
    can say otherwise than the URL.
    """
    info = getattr(driver_connection(connection), "info", None)
    # psycopg2 tells the address only among what it was connected with.
    named = getattr(info, "dsn_parameters", {}).get("hostaddr")
    host = named or getattr(info, "hostaddr", None) or getattr(info, "host", None)
    return is_local_url(connection.engine.url) if host is None else _is_this_machine(host)


def is_local_url(url: URL) -> bool:
    """Whether a URL names this machine, and nothing but it."""
    if url.get_backend_name() == "sqlite":
        return True
    named = url.query.get("hostaddr") or url.query.get("host") or url.host or ""
    hosts = (named,) if isinstance(named, str) else named
    return all(_is_this_machine(host) for each in hosts for host in each.split(","))


def _is_this_machine(host: str) -> bool:
    """Whether a host, with or without a port, is a socket or an address of this machine.

    A name is one by being "localhost": what others mean is for their resolver to say.
    """
    if host.startswith(("/", "@")):
        return True
    name = host.rsplit(":", 1)[0] if host.count(":") == 1 or host.count("]:") == 1 else host
    if name in {"", "localhost"}:
        return True
    try:
        address = ip_address(name.strip("[]"))
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
