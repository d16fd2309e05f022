"""Database URLs as SQLAlchemy's objects; what they say is decided in ``database_address``."""

from __future__ import annotations

import re
from urllib.parse import quote

from sqlalchemy.engine import URL

from work_data_hub.config.database_address import DRIVERS, DatabaseAddress


def url_of(address: DatabaseAddress) -> URL:
    """Return the parts of a URL as a URL object."""
    return URL.create(**address._asdict())


def normalize(url: URL) -> URL:
    """Return a URL object with the synchronous driver that migrations use.

    Other drivers and databases are left as they are: a caller that passes a URL object knows it.
    """
    return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))


def database_of(url: URL) -> str | None:
    """Return the database that a URL asks for: a ``dbname`` in its query overrules the path."""
    named = url.query.get("dbname", url.database)
    return named if isinstance(named, str) else None


def with_database(url: URL, name: str) -> URL:
    """Return the URL of another database of the same server."""
    return url.difference_update_query(["dbname"]).set(database=name)


def address_of(url: URL) -> DatabaseAddress:
    """Return the parts of a URL object."""
    return DatabaseAddress(*url[:-1], query=dict(url.query))


def mask(url: URL) -> str:
    """Return the URL as text without its secrets."""
    return address_of(url).masked()


def scrub(text: str, url: URL) -> str:
    """Return a driver's message with every secret of the URL replaced by ``***``."""
    for secret in address_of(url).secrets():
        for written in (secret, quote(secret, safe="")):
            # As a word of its own: a password of one letter is no reason to garble the text.
            text = re.sub(rf"(?<!\w){re.escape(written)}(?!\w)", "***", text)
    return text
