"""Database URLs: read leniently, printed without their secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from work_data_hub.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Migrations run synchronously: `asyncio.run` in an env.py fails inside a running event loop.
_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "postgresql+psycopg_async": "postgresql+psycopg",
    "postgresql+asyncpg": "postgresql+psycopg",
    "postgresql+psycopg2": "postgresql+psycopg",
    "postgresql+pg8000": "postgresql+psycopg",
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "sqlite+aiosqlite": "sqlite",
}
_SCHEME = re.compile(r"(?P<scheme>[\w+]+)://(?P<rest>.*)", re.DOTALL)
# host[:port][/database][?key=value[&key=value...]], with no "@" before the query
_SERVER = re.compile(
    r"(?:\[[^\]@/]*\]|[\w.%-]*)(?::\d*)?(?:/[^/?@]*)?(?:\?\w+=[^&]*(?:&\w+=[^&]*)*)?", re.DOTALL
)
_SECRET_QUERY_KEY = re.compile(r"pass|secret|token|key$", re.IGNORECASE)


def parse_database_url(text: str, *, source: str) -> URL:
    """Return the URL with the synchronous driver that migrations use.

    Any character may stand in the password, as itself or percent-encoded.

    Args:
        text: a URL such as ``postgresql://user:password@host:5432/name`` or ``sqlite:///file.db``.
        source: where the text comes from, for the error.

    Raises:
        SettingsError: when the text is no URL, or of a database that is not supported. The
            text itself is never repeated: it may hold a password.
    """
    if not isinstance(text, str):
        raise _unreadable(source, f"it is a {type(text).__name__}, not text")
    found = _SCHEME.fullmatch(text.strip())
    if found is None:
        raise _unreadable(source, "it has no scheme")
    driver = _DRIVERS.get(found["scheme"].lower())
    if driver is None:
        raise SettingsError(
            f"{source} names the database kind {found['scheme']!r}, which is not supported",
            hint="use postgresql://user:password@host:5432/name or sqlite:///path/to/file.db",
        )
    rest = found["rest"]
    if driver != "sqlite":
        rest = _with_encoded_password(rest)
    elif not re.match(r"/|\?|$", rest):
        raise SettingsError(
            f"{source} is not a SQLite URL: it names a host",
            hint="write three slashes before a relative path and four before an absolute one:"
            " sqlite:///file.db, sqlite:////folder/file.db",
        )
    try:
        return make_url(f"{driver}://{rest}")
    except (ArgumentError, ValueError):
        # `from None`: SQLAlchemy's message repeats the whole text, password included.
        raise _unreadable(source, "it cannot be read") from None


def normalize(url: URL) -> URL:
    """Return a URL object with the synchronous driver that migrations use.

    Other drivers and databases are left as they are: a caller that passes a URL object knows it.
    """
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


def mask(url: URL) -> str:
    """Return the URL as text without its secrets: the only way a URL is printed."""
    query = {
        key: "***" if _SECRET_QUERY_KEY.search(key) else value for key, value in url.query.items()
    }
    if url.get_backend_name() == "sqlite" and not query:
        return f"{url.drivername}://" + (f"/{url.database}" if url.database else "")
    text = url.set(query=query).render_as_string(hide_password=True)
    return text.replace(quote("***"), "***")


def scrub(text: str, url: URL) -> str:
    """Return a driver's message with every secret of the URL replaced by ``***``."""
    for secret in _secrets(url):
        # As a word of its own: a password of one letter is no reason to garble the text.
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return text


def _secrets(url: URL) -> Iterator[str]:
    candidates = [url.password, *(v for k, v in url.query.items() if _SECRET_QUERY_KEY.search(k))]
    for candidate in candidates:
        if isinstance(candidate, str) and candidate:
            yield candidate
            yield quote(candidate, safe="")


def _with_encoded_password(rest: str) -> str:
    """Percent-encode the credentials, so that a raw ``@``, ``:`` or ``/`` in them is harmless.

    The credentials end at the first ``@`` behind which a whole server address follows.
    """
    for at in re.finditer("@", rest):
        credentials, server = rest[: at.start()], rest[at.end() :]
        if _SERVER.fullmatch(server):
            user, colon, password = credentials.partition(":")
            encoded = quote(unquote(user), safe="") + colon + quote(unquote(password), safe="")
            return f"{encoded}@{server}"
    return rest


def _unreadable(source: str, why: str) -> SettingsError:
    return SettingsError(
        f"{source} is not a database URL: {why}",
        hint="use postgresql://user:password@host:5432/name or sqlite:///path/to/file.db",
    )
