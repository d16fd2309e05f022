"""Real databases for every test: SQLite files and a PostgreSQL that is started for the session."""

from __future__ import annotations

import contextlib
import os
import shutil
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, settings
from sqlalchemy.engine import URL
from tests.repository_copy import RepositoryCopy, copy_repository
from tests.warm_python import WarmPythons

from work_data_hub.config import get_settings
from work_data_hub.io.schema import engine
from work_data_hub.io.schema.alembic_bridge.request import REQUEST, Permissions, Request
from work_data_hub.testing.databases import (
    MigratedDatabases,
    Wanted,
    migrated_databases,
    this_run,
)
from work_data_hub.testing.project import Project

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import sqlalchemy as sa
    from tests.warm_python import Program

REPOSITORY = Path(__file__).parents[1]


# How many examples a fuzzer runs whose one example works on a few databases; one that costs
# nothing takes a multiple of it (`settings.default.max_examples`).
settings.register_profile(
    "quick",
    max_examples=6,
    deadline=None,
    database=None,
    print_blob=True,
    # Databases are made by each example, not by the fixtures that make them.
    suppress_health_check=[*HealthCheck],
)
settings.register_profile("long", settings.get_profile("quick"), max_examples=300)
settings.load_profile("quick")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no worker is left alone with it at the end."""
    first = Path(__file__).parent
    items.sort(key=lambda item: item.path.parent != first)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which pooler the tests of one run against, and what the fuzzers draw from."""
    found = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    profile = config.getoption("--hypothesis-profile") or "quick"
    return [
        f"transaction pooler: {found or 'a stand-in, PgBouncer is not installed'}",
        f"fuzzers: profile {profile}, seed {config.getoption('--hypothesis-seed')}",
    ]


@pytest.fixture(scope="session")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where programs keep what they know of their user, beside the suite's own user."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(autouse=True)
def settings_of_nobody(monkeypatch: pytest.MonkeyPatch, state_folder: Path) -> Iterator[None]:
    """Keep the settings of whoever runs the suite out of it."""
    for name in list(os.environ):
        if name.startswith(("DATABASE_URL", "WDH_", "ENVIRONMENT")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(state_folder))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def postgresql_databases() -> Iterator[MigratedDatabases]:
    """PostgreSQL for tests that want no other engine; the server is the one of the plugin."""
    wanted = Wanted(Project(REPOSITORY / "alembic.ini"), "postgresql", run=this_run())
    with migrated_databases(wanted) as databases:
        yield databases


@pytest.fixture
def sqlite_url(tmp_path: Path) -> URL:
    """The URL of a SQLite file that does not exist yet."""
    return URL.create("sqlite", database=str(tmp_path / "database.db"))


@pytest.fixture
def make_postgresql_url(postgresql_databases: MigratedDatabases) -> Iterator[Callable[[], URL]]:
    """Give empty PostgreSQL databases."""
    made: list[URL] = []

    def make() -> URL:
        made.append(postgresql_databases.take_empty())
        return made[-1]

    yield make
    for url in made:
        postgresql_databases.give_back(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def make_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], URL]:
    """Make new databases of one engine."""
    if request.param == "postgresql":
        made: Callable[[], URL] = request.getfixturevalue("make_postgresql_url")
        return made
    sqlite: URL = request.getfixturevalue("sqlite_url")
    numbers = iter(range(1_000_000))
    return lambda: sqlite.set(database=str(tmp_path / f"{next(numbers)}.db"))


@pytest.fixture
def postgresql_url(make_postgresql_url: Callable[[], URL]) -> URL:
    """The URL of an empty PostgreSQL database."""
    return make_postgresql_url()


@pytest.fixture
def give_settings(postgresql_url: URL) -> Iterator[Callable[..., URL]]:
    """Give settings to the role that runs (`ALTER ROLE ... SET`), or to the database.

    The role is one of its own that owns the database and has no other rights; it goes with the
    test, and the settings of the database with it.
    """
    database, role = postgresql_url.database, f"owner_of_{postgresql_url.database}"

    def execute(*statements: str) -> None:
        with engine.connect(postgresql_url) as connection, connection.begin():
            for statement in statements:
                connection.exec_driver_sql(statement.replace("%", "%%"))

    def give(*, to: str = "role", **settings: str) -> URL:
        whom = f'ROLE "{role}"' if to == "role" else f'DATABASE "{database}"'
        execute(*(f"ALTER {whom} SET {name} = {value}" for name, value in settings.items()))
        return postgresql_url.set(username=role, password="hunter2", query={})

    execute(
        f"CREATE ROLE \"{role}\" LOGIN PASSWORD 'hunter2'",
        f'ALTER DATABASE "{database}" OWNER TO "{role}"',
        f'ALTER SCHEMA public OWNER TO "{role}"',
    )
    yield give
    execute(
        f'ALTER DATABASE "{database}" RESET ALL',
        f'REASSIGN OWNED BY "{role}" TO CURRENT_USER',
        f'DROP OWNED BY "{role}"',
        f'DROP ROLE "{role}"',
    )


@pytest.fixture
def database_url(empty_database: URL) -> URL:
    """The URL of an empty database; the test runs once for each engine."""
    return empty_database


@pytest.fixture
def database_engine(database_url: URL) -> sa.Engine:
    """An engine on an empty database."""
    return engine.create_engine(database_url)


@pytest.fixture
def test_db_with_migrations(migrated_database: URL, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a fresh, migrated, throw-away database that the settings point at meanwhile."""
    url = migrated_database.render_as_string(hide_password=False)
    for name in ("DATABASE_URL", "WDH_DATABASE__URI"):
        monkeypatch.setenv(name, url)
    get_settings.cache_clear()
    return url


@pytest.fixture
def clean_environment() -> dict[str, str]:
    """An environment without our settings, in which every warning of a child is an error."""
    ours = ("DATABASE_URL", "WDH_", "ENVIRONMENT")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **inherited,
        "PYTHONWARNINGS": "error",
        "WDH_CONNECT_WAIT": "0",
        "PYTHONIOENCODING": "utf-8",
    }


@pytest.fixture(scope="session")
def warm_pythons() -> Iterator[WarmPythons]:
    """Programs that need not import everything first."""
    with contextlib.closing(WarmPythons()) as warm:
        yield warm


@pytest.fixture
def copy(
    tmp_path: Path, clean_environment: dict[str, str], warm_pythons: WarmPythons
) -> RepositoryCopy:
    """A copy of the repository in which a test may do what a developer does."""
    return copy_repository(tmp_path, clean_environment, warm_pythons)


@pytest.fixture
def alembic(
    warm_pythons: WarmPythons, clean_environment: dict[str, str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the plain `alembic` command in the repository root, as a person would."""

    def run(
        *arguments: str,
        url: URL | str | None = None,
        cwd: Path = REPOSITORY,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        environment = dict(clean_environment)
        if url is not None:
            text = url if isinstance(url, str) else url.render_as_string(hide_password=False)
            environment["DATABASE_URL"] = text
        return warm_pythons.run(
            "-m", "alembic", *arguments, cwd=cwd, env={**environment, **(env or {})}, timeout=120
        )

    return run


@pytest.fixture
def start_alembic(
    warm_pythons: WarmPythons, clean_environment: dict[str, str]
) -> Callable[..., Program]:
    """Start `alembic upgrade head` and go on beside it, to interrupt or to kill it."""

    def start(project: Path, url: URL, **further: str) -> Program:
        text = url.render_as_string(hide_password=False)
        environment = {**clean_environment, "DATABASE_URL": text, **further}
        return warm_pythons.start("-m", "alembic", "upgrade", "head", cwd=project, env=environment)

    return start


@dataclass(frozen=True)
class RevisionBody:
    """The code of a revision of a test's own history."""

    upgrade: str
    downgrade: str = "pass"


@pytest.fixture
def revision_body() -> type[RevisionBody]:
    """The class, for tests: test folders are no packages that could be imported from."""
    return RevisionBody


@pytest.fixture
def make_history(tmp_path: Path) -> Callable[[Sequence[RevisionBody]], Path]:
    """Write an Alembic project with a history of its own; its ids are 20260101_0000, ..._0001."""

    def make(bodies: Sequence[RevisionBody]) -> Path:
        folder = tmp_path / "history"
        versions = folder / "io" / "schema" / "migrations" / "versions"
        versions.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / "alembic.ini", folder)
        shutil.copy(REPOSITORY / "io/schema/migrations/script.py.mako", versions.parent)
        (versions.parent / "env.py").write_text(
            "from alembic import context\n"
            "from work_data_hub.io.schema.environment import run\n"
            "run(context)\n",
            encoding="utf-8",
        )
        for number, body in enumerate(bodies):
            parent = f'"20260101_{number - 1:04}"' if number else "None"
            (versions / f"20260101_{number:04}_step_{number}.py").write_text(
                f'"""Step {number}."""\n'
                "import sqlalchemy as sa\nfrom alembic import op\n"
                f'revision = "20260101_{number:04}"\ndown_revision = {parent}\n\n\n'
                f"def upgrade() -> None:\n{textwrap.indent(body.upgrade, '    ')}\n\n\n"
                f"def downgrade() -> None:\n{textwrap.indent(body.downgrade, '    ')}\n",
                encoding="utf-8",
            )
        return folder

    return make


@pytest.fixture
def run_alembic() -> Callable[..., None]:
    """Run a verb of ``alembic.command`` on a project, as a program does."""

    def run(project: Path, url: URL, verb: str, *arguments: str, **permissions: Any) -> None:
        request = Request(database_url=url, permissions=Permissions(**permissions))
        config = Config(str(project / "alembic.ini"), attributes={REQUEST: request})
        getattr(command, verb)(config, *arguments)

    return run
