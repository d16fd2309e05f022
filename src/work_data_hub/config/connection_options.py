"""What every connection of ours asks of PostgreSQL; and all of it, as libpq takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from work_data_hub.config.database_address import DatabaseAddress

APPLICATION_NAME = "work_data_hub"
# A server that drops packets would otherwise hold a command for minutes.
CONNECT_TIMEOUT_SECONDS = 10


def libpq_options(address: DatabaseAddress) -> dict[str, str] | None:
    """Return the options that SQLAlchemy and psycopg hand to libpq for this URL.

    What the URL does not name is left to libpq: the environment, service and password files.

    Returns:
        The options; None for a URL with several hosts, which SQLAlchemy rearranges.
    """
    named = {
        "host": address.host,
        "user": address.username,
        "password": address.password,
        "dbname": address.database,
        "port": str(address.port) if address.port else None,
    }
    options = {
        "application_name": APPLICATION_NAME,
        "connect_timeout": str(CONNECT_TIMEOUT_SECONDS),
        "client_encoding": "UTF8",
        **{name: value for name, value in named.items() if value},
    }
    for name, value in address.query.items():
        if not isinstance(value, str) or (name in {"host", "port"} and {",", ":"} & {*value}):
            return None
        options[name] = value
    return options
