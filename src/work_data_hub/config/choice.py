"""Which of several places decides on the database; whoever asks, asks here."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

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
    explicit: T | None, explicit_source: str, database_url: str | None, database_uri: str | None
) -> Choice[T]:
    """Return the explicit choice, else ``DATABASE_URL``, else ``WDH_DATABASE__URI``, else none."""
    if explicit is not None:
        return Choice(explicit, explicit_source)
    if database_url is not None:
        return Choice(database_url, "DATABASE_URL")
    if database_uri is not None:
        return Choice(database_uri, "WDH_DATABASE__URI")
    return Choice(None, "the default")


def may_be_used(environment: str, backend: str) -> bool:
    """Whether a session of this environment may use this kind of database."""
    return environment != "prod" or backend == "postgresql"
