"""Database URLs as text and as parts: read leniently, printed without their secrets.

Standard library only: what this costs is paid by every command that has nothing to do.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from work_data_hub.errors import SettingsError
from work_data_hub.redaction import HIDDEN, is_secret, without_secrets

# Migrations run synchronously: `asyncio.run` in an env.py fails inside a running event loop.
DRIVERS = {
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
# The parts as SQLAlchemy's make_url divides them; a test holds the two together.
_PARTS = re.compile(
    r"(?:(?P<username>[^:/]*)(?::(?P<password>[^@]*))?@)?"
    r"(?:\[(?P<ipv6>[^/?]+)\]|(?P<host>[^/:?]+))?(?::(?P<port>[^/?]*))?"
    r"(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?"
)


NOT_UTF_8 = "it holds a byte that is not UTF-8"


class DatabaseAddress(NamedTuple):
    """The parts of a database URL, decoded; the same as those of SQLAlchemy's URL."""

    drivername: str
    username: str | None = None
    password: str | None = None
    host: str | None = None
    port: int | None = None
    database: str | None = None
    query: dict[str, str | tuple[str, ...]] = {}  # noqa: RUF012  # never changed

    def __repr__(self) -> str:
        """Return the URL without its secrets."""
        return self.masked()

    @property
    def backend(self) -> str:
        """The kind of database: postgresql, sqlite, ..."""
        return self.drivername.partition("+")[0]

    @property
    def file(self) -> Path | None:
        """The file of a SQLite URL, also of a ``file:`` URI; None when it is in memory."""
        if self.backend != "sqlite" or not self.database or self.database == ":memory:":
            return None
        if not self.database.startswith("file:"):
            return Path(self.database)
        uri = urlsplit(self.database)
        in_memory = (
            uri.path == ":memory:"
            or "mode=memory" in uri.query
            or "vfs=memdb" in uri.query
            or self.query.get("mode") == "memory"
            or self.query.get("vfs") == "memdb"
        )
        return None if in_memory or not uri.path else Path(unquote(uri.path))

    def masked(self) -> str:
        """Return the URL as text without its secrets: the only way a URL is printed."""
        start = f"{self.drivername}://"
        if self.backend == "sqlite" and not self.query:
            return start + (f"/{self.database}" if self.database else "")
        return start + self._masked_server() + self._masked_query()

    def _masked_server(self) -> str:
        text = ""
        if self.username is not None:
            secret = f":{HIDDEN}" if self.password is not None else ""
            text += f"{quote(self.username, safe=' +')}{secret}@".replace(quote(HIDDEN), HIDDEN)
        if self.host is not None:
            text += f"[{self.host}]" if ":" in self.host else self.host
        if self.port is not None:
            text += f":{self.port}"
        if self.database is not None:
            text += f"/{_encoded_name(self.database)}"
        return text

    def _masked_query(self) -> str:
        shown = []
        for key, value in sorted(self.query.items()):
            for one in (value,) if isinstance(value, str) else value:
                # Others may hold one too: `options=-c password=...`.
                text = HIDDEN if is_secret(key) else quote_plus(without_secrets(one))
                shown.append(f"{quote_plus(key)}={text}".replace(quote(HIDDEN), HIDDEN))
                if is_secret(key):
                    break
        return "?" + "&".join(shown) if shown else ""

    def secrets(self) -> list[str]:
        """Return what must never be printed."""
        secrets = [self.password]
        for key, value in self.query.items():
            if is_secret(key):
                secrets += [value] if isinstance(value, str) else value
        return [secret for secret in secrets if secret]


def parse_address(text: str, *, source: str) -> DatabaseAddress:
    """Return the parts of a URL, with the synchronous driver that migrations use.

    Any character may stand in the password, as itself or percent-encoded.

    Args:
        text: a URL such as ``postgresql://user:password@host:5432/name`` or ``sqlite:///file.db``.
        source: where the text comes from, for the error.

    Raises:
        SettingsError: when the text is no URL, or of a database that is not supported. The
            text itself is never repeated: it may hold a password.
    """
    if not isinstance(text, str):
        raise unreadable(source, f"it is a {type(text).__name__}, not text")
    if "\0" in text:
        raise unreadable(source, "it holds a NUL byte")
    found = _SCHEME.fullmatch(text.strip())
    if found is None:
        raise unreadable(source, "it has no scheme")
    driver = DRIVERS.get(found["scheme"].lower())
    if driver is None:
        raise SettingsError(
            f"{source} names the database kind {found['scheme']!r}, which is not supported",
            hint="use postgresql://user:password@host:5432/name or sqlite:///path/to/file.db",
        )
    # A file's name may hold any byte; a server is spoken to in UTF-8.
    if not _can_be_encoded(text, "surrogateescape" if driver == "sqlite" else "strict"):
        raise unreadable(source, NOT_UTF_8)
    rest = found["rest"]
    if driver != "sqlite":
        rest = _with_encoded_password(rest)
    elif not re.match(r"/|\?|$", rest):
        raise _host_of_a_file(source)
    address = _divided(driver, rest)
    if address is None:
        raise unreadable(source, "it cannot be read")
    return address


def _can_be_encoded(text: str, errors: str) -> bool:
    try:
        text.encode("utf-8", errors)
    except UnicodeEncodeError:  # it holds the text, and must not be the context of what is raised
        return False
    return True


def _divided(driver: str, rest: str) -> DatabaseAddress | None:
    """Return the parts; None when the port is no number."""
    parts = _PARTS.match(rest)
    assert parts is not None  # it matches the empty text too
    try:
        port = None if parts["port"] is None else int(parts["port"])
    except ValueError:
        # Nothing is raised here: the error repeats a part of the text, and would be its context.
        return None
    query: dict[str, str | tuple[str, ...]] = {}
    for key, value in parse_qsl(parts["query"] or ""):
        before = query.get(key, ())
        many = (*((before,) if isinstance(before, str) else before), value)
        query[key] = many if len(many) > 1 else value
    return DatabaseAddress(
        driver,
        _decoded(parts["username"]),
        _decoded(parts["password"]),
        parts["host"] or parts["ipv6"],
        port,
        _decoded_name(parts["database"]),
        query,
    )


def _decoded(text: str | None) -> str | None:
    return None if text is None else unquote(text)


def _decoded_name(text: str | None) -> str | None:
    return _decoded(text) if text and "%" in text and _names_are_encoded() else text


def _encoded_name(name: str) -> str:
    encoded = quote(name, " +/", errors="surrogateescape").replace(quote(HIDDEN), HIDDEN)
    return encoded if encoded != name and _names_are_encoded() else name


def _names_are_encoded() -> bool:
    """Whether the SQLAlchemy that is installed takes ``%20`` in a database's name for a space.

    It does since 2.1; with what an application on 2.0 reads, ours would be another database.
    """
    from importlib.metadata import version  # only a rare name needs it

    return not version("sqlalchemy").startswith("2.0.")


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


def _host_of_a_file(source: str) -> SettingsError:
    return SettingsError(
        f"{source} is not a SQLite URL: it names a host",
        hint="write three slashes before a relative path and four before an absolute one:"
        " sqlite:///file.db, sqlite:////folder/file.db",
    )


def unreadable(source: str, why: str) -> SettingsError:
    """Return the error for a URL that is none; why must not repeat it."""
    return SettingsError(
        f"{source} is not a database URL: {why}",
        hint="use postgresql://user:password@host:5432/name or sqlite:///path/to/file.db",
    )
