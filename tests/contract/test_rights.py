"""The rights that the page on adoption names are enough, and no more than that is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import create_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import URL

BODIES = ["op.execute('CREATE TABLE things (id INTEGER)')", "op.execute('SELECT 1')"]


@pytest.fixture
def project(make_history: Callable[..., Path], revision_body: Callable[..., Any]) -> Path:
    return make_history([revision_body(body) for body in BODIES]) / "alembic.ini"


@pytest.fixture
def make_user(postgresql_url: URL) -> Iterator[Callable[..., URL]]:
    """Make users of the database who have the rights that are given."""
    made: list[str] = []

    def make(*rights: str) -> URL:
        name = f"user_{postgresql_url.database}_{len(made)}"
        run(
            postgresql_url,
            f"CREATE ROLE {name} LOGIN PASSWORD 'x'",
            *(f"GRANT {right} TO {name}" for right in rights),
        )
        made.append(name)
        return postgresql_url.set(username=name, password="x")

    yield make
    for name in made:
        run(postgresql_url, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


def run(url: URL, *statements: str) -> None:
    with create_engine(url).begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def test_who_migrates_may_make_tables_in_the_schema(
    project: Path, make_user: Callable[..., URL]
) -> None:
    url = make_user("USAGE, CREATE ON SCHEMA public")
    assert len(migration_runner.upgrade(url, alembic_ini=project).steps) == 2
    assert len(migration_runner.downgrade(url, "-1", alembic_ini=project).steps) == 1
    assert migration_runner.status(url, alembic_ini=project).pending


def test_who_looks_may_read_four_tables(
    project: Path, make_user: Callable[..., URL], postgresql_url: URL
) -> None:
    migration_runner.upgrade(postgresql_url, alembic_ini=project)
    tables = (
        "alembic_version, work_data_hub_identity, work_data_hub_in_progress, work_data_hub_journal"
    )
    url = make_user("USAGE ON SCHEMA public", f"SELECT ON {tables}")
    assert not migration_runner.status(url, alembic_ini=project).pending
    assert len(migration_runner.journal(url, alembic_ini=project)) == 2
    # Nothing is to do, and nothing is done.
    assert migration_runner.upgrade(url, alembic_ini=project).steps == ()


@pytest.mark.parametrize("setting", ["role", "search_path"])
def test_what_an_env_py_set_on_its_connection_may_be_a_setting_of_the_user(
    setting: str, project: Path, make_user: Callable[..., URL], postgresql_url: URL
) -> None:
    run(postgresql_url, "CREATE SCHEMA shop")
    url, owner = make_user("USAGE, CREATE ON SCHEMA shop"), postgresql_url.username
    meant = "shop" if setting == "search_path" else owner
    run(
        postgresql_url,
        f"GRANT {owner} TO {url.username}",
        f"ALTER ROLE {url.username} SET {setting} = {meant}",
    )
    migration_runner.upgrade(url, alembic_ini=project)
    with create_engine(postgresql_url).connect() as connection:
        query = "SELECT schemaname, tableowner FROM pg_tables WHERE tablename = 'things'"
        ((schema, found),) = connection.execute(sa.text(query)).all()
    assert (schema if setting == "search_path" else found) == meant


def test_without_the_right_to_make_tables_it_is_said(
    project: Path, make_user: Callable[..., URL]
) -> None:
    url = make_user("USAGE ON SCHEMA public")
    with pytest.raises(WorkDataHubError) as refused:
        migration_runner.upgrade(url, alembic_ini=project)
    assert "permission denied" in refused.value.message
