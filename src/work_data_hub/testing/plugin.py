"""The pytest plugin: a fresh, migrated database for each test, in milliseconds.

It is loaded by every pytest that has the package installed, so nothing heavy is imported before
a test asks for a database.
"""

from __future__ import annotations

import contextlib
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from work_data_hub.errors import MigrationFailedError, WorkDataHubError
from work_data_hub.redaction import without_secrets
from work_data_hub.testing.options import ENGINE_NAMES, EngineName, Options, add_options

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from sqlalchemy.engine import URL, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from work_data_hub.testing.databases import MigratedDatabases
    from work_data_hub.testing.project import Project


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    add_options(parser)


@dataclass
class _Session:
    """What lasts as long as the session of this process."""

    options: Options
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    databases: dict[str, MigratedDatabases] = field(default_factory=dict)
    faults: dict[str, WorkDataHubError] = field(default_factory=dict)
    lent: dict[URL, Loan] = field(default_factory=dict)


@dataclass
class Loan:
    """A database that tests have at the moment.

    Attributes:
        databases: where it came from.
        is_kept: whether a test that had it has failed.
    """

    databases: MigratedDatabases
    is_kept: bool = False
    _place: str | None = None

    def kept_at(self, url: URL) -> str | None:
        """Keep it, and return its URL for a person; None when it cannot outlive this process."""
        if not self.is_kept:
            self.is_kept = True
            with contextlib.suppress(WorkDataHubError, OSError):  # the server is gone
                self._place = self.databases.keep(url)
        return self._place


_SESSION = pytest.StashKey[_Session]()
_LOANS = pytest.StashKey[list["URL"]]()


def pytest_configure(config: pytest.Config) -> None:
    """Prepare for databases without making any; refuse options that are none."""
    session = config.stash[_SESSION] = _Session(Options(config))
    session.options.check()
    config.add_cleanup(session.stack.close)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is excused, and why."""
    options = config.stash[_SESSION].options
    return [
        *(f"not taken back: {revision}: {reason}" for revision, reason in options.excuses.items()),
        *(f"not as the models: {rule}: {rule.reason}" for rule in options.models_excused),
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each engine, unless it chooses its engines itself."""
    engines = metafunc.config.stash[_SESSION].options.engines
    marks = metafunc.definition.iter_markers("parametrize")
    chosen = any("wdh_engine" in (mark.args or [mark.kwargs["argnames"]])[0] for mark in marks)
    if "wdh_engine" in metafunc.fixturenames and len(engines) > 1 and not chosen:
        metafunc.parametrize("wdh_engine", engines, indirect=True, scope="session")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the database of a test that failed, and name it in the report."""
    report = yield
    session = item.config.stash[_SESSION]
    if report.failed and session.options.keeps_failed:
        for url in item.stash.get(_LOANS, []):
            loan = session.lent.get(url)
            if loan is not None and (place := loan.kept_at(url)) is not None:
                report.sections.append(("The database of this test is kept", place))
    return report


@pytest.fixture(scope="session")
def wdh_engine(request: pytest.FixtureRequest) -> EngineName:
    """The engine that the databases of a test are on: sqlite or postgresql."""
    engines = request.config.stash[_SESSION].options.engines
    engine = getattr(request, "param", engines[0])
    if engine not in ENGINE_NAMES["both"]:
        pytest.fail(
            f"wdh_engine is {engine!r}; use {', '.join(ENGINE_NAMES['both'])}", pytrace=False
        )
    return cast("EngineName", engine)


@pytest.fixture(scope="session")
def wdh_project(request: pytest.FixtureRequest) -> Project:
    """The project that the options name; a module may give its checks another one."""
    session = request.config.stash[_SESSION]
    with _faults_in_short(session, "project"):
        return session.options.project()


@pytest.fixture(scope="session")
def migrated_databases(
    wdh_engine: EngineName,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> MigratedDatabases:
    """Where the databases come from, for a test that wants several."""
    from work_data_hub.testing.databases import migrated_databases

    session = request.config.stash[_SESSION]
    if wdh_engine not in session.databases:
        with _faults_in_short(session, wdh_engine):
            wanted = session.options.wanted(wdh_engine, tmp_path_factory.mktemp("wdh"))
        source = session.stack.enter_context(migrated_databases(wanted))
        session.databases[wdh_engine] = source
    return session.databases[wdh_engine]


@pytest.fixture
def migrated_database(
    migrated_databases: MigratedDatabases, wdh_engine: str, request: pytest.FixtureRequest
) -> Iterator[URL]:
    """A fresh, migrated database of this test's own; its SQLAlchemy URL."""
    yield from _lend(request, wdh_engine, migrated_databases, migrated_databases.take)


@pytest.fixture
def empty_database(
    migrated_databases: MigratedDatabases, wdh_engine: str, request: pytest.FixtureRequest
) -> Iterator[URL]:
    """A database without a table, of this test's own, to run migrations on."""
    yield from _lend(request, wdh_engine, migrated_databases, migrated_databases.take_empty)


@pytest.fixture(scope="session")
def _session_database(
    migrated_databases: MigratedDatabases, wdh_engine: str, request: pytest.FixtureRequest
) -> Iterator[URL]:
    yield from _lend(request, wdh_engine, migrated_databases, migrated_databases.take)


@pytest.fixture
def migrated_database_session(_session_database: URL, request: pytest.FixtureRequest) -> URL:
    """A migrated database that all tests of the session share."""
    request.node.stash.setdefault(_LOANS, []).append(_session_database)
    return _session_database


@pytest.fixture
def migrated_database_url(migrated_database: URL) -> str:
    """The URL of ``migrated_database`` as text, such as DATABASE_URL takes; whole, to connect."""
    return migrated_database.render_as_string(hide_password=False)


@pytest.fixture
def migrated_database_async_engine(migrated_database: URL) -> AsyncEngine:
    """An asynchronous engine on ``migrated_database``: aiosqlite, or psycopg's own asyncio.

    It keeps no connection, so it belongs to no event loop and needs no ``dispose()``.
    """
    import sqlalchemy as sa

    try:
        from sqlalchemy.ext.asyncio import create_async_engine

        drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
        url = migrated_database.set(drivername=drivers[migrated_database.get_backend_name()])
        engine = create_async_engine(url, poolclass=sa.NullPool)
    except ImportError as error:
        pytest.fail(
            f"an asynchronous engine needs {error.name}, which is not installed:"
            f" pip install {error.name}",
            pytrace=False,
        )
    _verify_foreign_keys(engine.sync_engine)
    return engine


@pytest.fixture
def migrated_database_engine(migrated_database: URL) -> Iterator[Engine]:
    """An SQLAlchemy engine on ``migrated_database``."""
    yield from _engine(migrated_database)


@pytest.fixture
def migrated_database_session_engine(migrated_database_session: URL) -> Iterator[Engine]:
    """An SQLAlchemy engine on ``migrated_database_session``."""
    yield from _engine(migrated_database_session)


def _engine(url: URL) -> Iterator[Engine]:
    import sqlalchemy as sa

    # Not the engine of the runs, whose every transaction takes SQLite's write lock at once.
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    _verify_foreign_keys(engine)
    yield engine


def _verify_foreign_keys(engine: Engine) -> None:
    """Make SQLite hold to foreign keys, as PostgreSQL does."""
    import sqlalchemy as sa

    if engine.dialect.name == "sqlite":
        switch_on = "PRAGMA foreign_keys = ON"
        sa.event.listen(engine, "connect", lambda raw, _: raw.execute(switch_on))


def _lend(
    request: pytest.FixtureRequest,
    engine: str,
    databases: MigratedDatabases,
    take: Callable[[], URL],
) -> Iterator[URL]:
    from work_data_hub.testing.open_connections import closed_at_the_end

    session = request.config.stash[_SESSION]
    with _faults_in_short(session, engine):
        url = take()
    session.lent[url] = Loan(databases)
    request.node.stash.setdefault(_LOANS, []).append(url)
    with closed_at_the_end(url):
        yield url
    if not session.lent.pop(url).is_kept:
        databases.give_back(url)


@contextlib.contextmanager
def _faults_in_short(session: _Session, engine: str) -> Iterator[None]:
    """Fail the test with the fault in words; the first time with where a revision failed.

    What failed once is not tried again: each test that needs a database fails at once.
    """
    if (known := session.faults.get(engine)) is not None:
        pytest.fail(f"{known.for_people()}\n(in full above, at the first test)", pytrace=False)
    try:
        yield
    except WorkDataHubError as error:
        session.faults[engine] = fault = error
    else:
        return
    has_cause = isinstance(fault, MigrationFailedError) and fault.__cause__ is not None
    cause = "".join(traceback.format_exception(fault.__cause__)) if has_cause else ""
    # `from None`: pytest would show the same chain of errors before it.
    raise pytest.fail.Exception(
        f"{fault.for_people()}\n\n{without_secrets(cause)}".rstrip(), pytrace=False
    ) from None
