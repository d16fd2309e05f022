"""What env.py connected to is what was decided on, or nothing is run: every way to name.

Nobody but env.py can put a connection on the Config under the `alembic` command and behind the
front door; a program's own connection is its choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from alembic import command

from work_data_hub.config import get_settings
from work_data_hub.config.database_url import normalize
from work_data_hub.errors import DatabaseUnavailableError, RefusedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.alembic_bridge.guarded_env import guarded_config
from work_data_hub.io.schema.engine import create_engine

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from work_data_hub.io.schema.ephemeral.postgres_server import PostgresServer

SWAPPING = """
import os
import sqlalchemy as sa
from alembic import context
from work_data_hub.config.database_url import normalize
from work_data_hub.io.schema.environment import run

swapped = normalize(sa.make_url(os.environ["SWAPPED"]))
with sa.create_engine(swapped, poolclass=sa.NullPool).connect() as connection:
    context.config.attributes["connection"] = connection
    run(context)
"""
NOT_HANDING_OVER = """
import os
import sqlalchemy as sa
from alembic import context

with sa.create_engine(os.environ["SWAPPED"], poolclass=sa.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


@pytest.fixture
def project(make_history: Callable[..., Path], revision_body: Any) -> Path:
    return make_history([revision_body("op.create_table('t', sa.Column('id', sa.Integer))")])


@pytest.fixture
def swapping(project: Path) -> Path:
    """A project whose env.py puts a connection to SWAPPED in the place of what was decided on."""
    (project / "io/schema/migrations/env.py").write_text(SWAPPING)
    return project


@pytest.fixture
def others(
    place: Any,
    two_servers: tuple[PostgresServer, PostgresServer],
    make_place: Callable[[PostgresServer, str], Any],
) -> tuple[Any, Any]:
    """Two that are not meant: beside it; and of its name and its pin, on a copy of its server."""
    first, second = two_servers
    return make_place(first, f"{place.database}_other"), make_place(second, place.database)


def tables(url: str) -> list[str]:
    engine = create_engine(normalize(sa.make_url(url)))
    with engine.connect() as connection:
        return sa.inspect(connection).get_table_names()


def test_another_database_is_found_before_the_first_statement_however_it_is_named(
    way: Callable[[Any], Any],
    place: Any,
    others: tuple[Any, Any],
    swapping: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ini = swapping / "alembic.ini"

    def refused(decided: str, swapped: str) -> None:
        monkeypatch.setenv("SWAPPED", swapped)
        with pytest.raises(RefusedError, match="in its place"):
            migration_runner.upgrade(decided, alembic_ini=ini)

    for other in others:
        meant = way(place)
        refused(meant.url, other.url)
        not_meant = way(other)
        refused(place.url, not_meant.url)
        if meant.environment == not_meant.environment and meant.url != not_meant.url:
            refused(meant.url, not_meant.url)
    assert [tables(one.url) for one in (place, *others)] == [[], [], []]


def test_the_same_database_by_another_spelling_is_the_same(
    way: Callable[[Any], Any], place: Any, swapping: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ini, named = swapping / "alembic.ini", way(place).url
    for decided, swapped, revision in ((named, place.url, "head"), (place.url, named, "base")):
        monkeypatch.setenv("SWAPPED", swapped)
        verb = migration_runner.upgrade if revision == "head" else migration_runner.downgrade
        assert len(verb(decided, revision, alembic_ini=ini).steps) == 1


@pytest.mark.parametrize("verb", ["upgrade", "current"])
def test_a_swap_is_found_behind_every_door(
    verb: str,
    place: Any,
    others: tuple[Any, Any],
    swapping: Path,
    alembic: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The plain command; and the front door where the settings decide."""
    monkeypatch.setenv("DATABASE_URL", place.url)
    arguments = {"upgrade": ("upgrade", "head"), "current": ("current",)}[verb]
    for other in others:
        monkeypatch.setenv("SWAPPED", other.url)
        get_settings.cache_clear()
        said = alembic(*arguments, url=place.url, env={"SWAPPED": other.url}, cwd=swapping)
        assert (said.returncode, "in its place" in said.stderr) == (4, True), said.stderr
        with pytest.raises(RefusedError, match="in its place"):
            getattr(migration_runner, verb)(alembic_ini=swapping / "alembic.ini")
        assert tables(other.url) == []


def test_what_was_decided_on_and_does_not_answer_is_not_replaced(
    place: Any, others: tuple[Any, Any], swapping: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWAPPED", others[0].url)
    nobody = place.url.replace(place.database, "nobody")
    with pytest.raises(DatabaseUnavailableError):
        migration_runner.upgrade(nobody, alembic_ini=swapping / "alembic.ini")
    assert tables(others[0].url) == []


def test_an_env_py_with_an_engine_of_its_own_is_held_to_the_database_that_was_asked_for(
    place: Any, others: tuple[Any, Any], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test suite runs such an env.py on its throw-away databases."""
    (project / "io/schema/migrations/env.py").write_text(NOT_HANDING_OVER)

    def by_socket(one: Any) -> str:
        query = f"host={one.server.data_directory}&port={one.server.port}"
        return f"postgresql+psycopg://{one.login}@/{one.database}?{query}"

    meant = sa.make_url(by_socket(place))
    for other in others:
        monkeypatch.setenv("SWAPPED", by_socket(other))
        with (
            guarded_config(project / "alembic.ini", meant) as config,
            pytest.raises(RefusedError, match="nothing was run"),
        ):
            command.upgrade(config, "head")
        assert tables(other.url) == []
    # Without a driver, SQLAlchemy 2.0 takes psycopg2.
    monkeypatch.setenv("SWAPPED", place.url.replace("postgresql:", "postgresql+psycopg:"))
    with guarded_config(project / "alembic.ini", meant) as config:
        command.upgrade(config, "head")
    assert "t" in tables(place.url)


def test_files_are_compared_and_not_their_names(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "io/schema/migrations/env.py").write_text(SWAPPING)
    meant, other, link = (tmp_path / name for name in ("meant.db", "other.db", "link.db"))
    link.symlink_to(meant)
    ini = project / "alembic.ini"
    monkeypatch.chdir(tmp_path)
    for swapped in (f"sqlite:///{other}", "sqlite://", "sqlite:///file:other.db?uri=true"):
        monkeypatch.setenv("SWAPPED", swapped)
        with pytest.raises(RefusedError, match="in its place"):
            migration_runner.upgrade(f"sqlite:///{meant}", alembic_ini=ini)
    assert not other.exists() or other.stat().st_size == 0
    for swapped in (
        f"sqlite:///{link}",
        "sqlite:///./meant.db",
        "sqlite:///file:meant.db?uri=true",
    ):
        monkeypatch.setenv("SWAPPED", swapped)
        migration_runner.upgrade(f"sqlite:///{meant}", alembic_ini=ini)
    with create_engine(sa.make_url(f"sqlite:///{meant}")).connect() as connection:
        assert sa.inspect(connection).has_table("t")
