"""Which of several places decides on the database; whoever asks, asks here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_DATABASE = "workdatahub_dev.db"

T = TypeVar("T")


class Choice(NamedTuple, Generic[T]):
    """What was chosen.

    Attributes:
        value: the URL; None for the default, the file ``workdatahub_dev.db``.
        source: what decided, in words.
    """

    value: T | str | None
    source: str


def choose(
    explicit: T | None,
    explicit_source: str,
    database_url: str | None,
    database_uri: str | None,
    own: Choice[T] | None = None,
) -> Choice[T]:
    """Return the explicit choice, else ``DATABASE_URL``, else ``WDH_DATABASE__URI``.

    Where none of them is set, what the project says itself (``own``); else none.
    """
    if explicit is not None:
        return Choice(explicit, explicit_source)
    if database_url is not None:
        return Choice(database_url, "DATABASE_URL")
    if database_uri is not None:
        return Choice(database_uri, "WDH_DATABASE__URI")
    return own or Choice(None, "the default")


class Said(NamedTuple):
    """What an environment says of the database and the session; the URL is a secret.

    Attributes:
        database: the URL that decides, be it DATABASE_URL or WDH_DATABASE__URI.
        environment: the class of the session.
        env_file: the file that says more.
    """

    database: str | None
    environment: str | None
    env_file: str | None

    def __repr__(self) -> str:
        """Return nothing of the URL."""
        return f"Said(names={sorted(self.names)})"

    @property
    def names(self) -> frozenset[str]:
        """The variables that are set; DATABASE_URL stands for whichever decides."""
        named = zip(_DECIDING, self, strict=True)
        return frozenset(name for name, value in named if value is not None)

    def overruled_by(self, later: Said) -> frozenset[str]:
        """Return the variables that were set, and say something else later."""
        pairs = zip(_DECIDING, self, later, strict=True)
        return frozenset(name for name, was, now in pairs if was is not None and was != now)


_DECIDING = ("DATABASE_URL", "ENVIRONMENT", "WDH_ENV_FILE")


def said(environ: Mapping[str, str]) -> Said:
    """Return what an environment says; an empty value says nothing, capitals do not count."""
    given = {name.upper(): value or None for name, value in environ.items()}
    url, environment, env_file = map(given.get, _DECIDING)
    return Said(url or given.get("WDH_DATABASE__URI"), environment, env_file)


def may_be_used(environment: str, backend: str) -> bool:
    """Whether a session of this environment may use this kind of database."""
    return environment != "prod" or backend == "postgresql"
