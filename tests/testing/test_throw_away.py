from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from work_data_hub.errors import RefusedError
from work_data_hub.io.schema import engine, migration_runner, provisioning
from work_data_hub.testing.throw_away import drop_throw_away, throw_away_database

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from work_data_hub.testing.postgres_server import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest) -> URL:
    """The URL of a database that does not exist yet."""
    if request.param == "sqlite":
        sqlite: URL = request.getfixturevalue("sqlite_url")
        return sqlite
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.url(f"wdh_test_{uuid4().hex}")


def is_there(url: URL) -> bool:
    if url.get_backend_name() == "sqlite":
        return engine.exists(url)
    return provisioning.is_listed(url)


def test_it_is_migrated_recorded_as_ephemeral_and_gone_afterwards(new_url: URL) -> None:
    with throw_away_database(new_url) as url:
        identity = migration_runner.identity(url)
        assert identity is not None
        assert identity.environment == "ephemeral"
        assert migration_runner.current(url) == migration_runner.heads()
        migration_runner.downgrade(url, "base")
    assert not is_there(new_url)


def test_it_is_gone_when_the_test_fails(new_url: URL) -> None:
    with pytest.raises(ZeroDivisionError), throw_away_database(new_url):
        raise ZeroDivisionError
    assert not is_there(new_url)


def test_a_database_that_is_there_is_neither_migrated_nor_dropped(database_url: URL) -> None:
    migration_runner.upgrade(database_url)
    migration_runner.downgrade(database_url)
    with pytest.raises(RefusedError, match="there already"), throw_away_database(database_url):
        pytest.fail("it was taken")
    assert migration_runner.current(database_url) == ()
    assert is_there(database_url)


def test_only_what_is_recorded_as_ephemeral_and_was_made_here_is_dropped(
    database_url: URL,
) -> None:
    migration_runner.upgrade(database_url)
    identity = migration_runner.identity(database_url)
    assert identity is not None
    for claimed in (replace(identity, environment="ephemeral"), identity):
        with pytest.raises(RefusedError, match="and stays"):
            drop_throw_away(database_url, claimed)
    assert migration_runner.current(database_url) == migration_runner.heads()


def test_a_database_that_was_put_in_its_place_stays(sqlite_url: URL) -> None:
    def swap() -> None:
        with throw_away_database(sqlite_url) as url:
            file = engine.sqlite_file(url)
            assert file is not None
            file.unlink()
            migration_runner.upgrade(url, ephemeral=True)

    with pytest.raises(RefusedError, match="and stays"):
        swap()
    assert is_there(sqlite_url)
