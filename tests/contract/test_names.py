"""A database is known by what the server says, however it was named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.config import get_settings
from work_data_hub.config.database_url import normalize
from work_data_hub.errors import RefusedError
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.record.facts import is_local

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def ini(make_history: Callable[..., Path], revision_body: Any) -> Path:
    return make_history([revision_body("pass")]) / "alembic.ini"


def test_only_the_name_that_the_server_says_confirms_destruction(
    way: Callable[[Any], Any], place: Any, ini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = way(place).url
    monkeypatch.setenv("ENVIRONMENT", "prod")
    get_settings.cache_clear()
    migration_runner.upgrade(url, alembic_ini=ini)
    for name in (None, ":memory:", "decoy", "postgres", "hub"):
        with pytest.raises(RefusedError, match=f"the database '{place.database}' is prod") as said:
            migration_runner.downgrade(url, "base", confirm=name, alembic_ini=ini)
        assert f"-x confirm={place.database} " in said.value.hint
    migration_runner.downgrade(url, "base", confirm=place.database, alembic_ini=ini)
    assert migration_runner.current(place.url, alembic_ini=ini) == ()


def test_each_of_them_is_known_to_lead_to_this_machine(
    way: Callable[[Any], Any], place: Any
) -> None:
    with connect(normalize(sa.make_url(way(place).url))) as connection:
        assert is_local(connection)


@pytest.mark.parametrize(
    ("url", "leads_here"),
    [
        ("postgresql://{login}@decoy.invalid:{port}/{database}?hostaddr=127.0.0.1", True),
        # Nobody can tell where 0.0.0.0 leads; that it leads here is the system's own thing.
        ("postgresql://{login}@localhost:{port}/{database}?hostaddr=0.0.0.0", False),
        ("postgresql://{login}@/{database}?host={sockets},0.0.0.0&port=1,{port}", False),
        ("postgresql://{login}@/{database}?host=0.0.0.0,{sockets}&port=1,{port}", True),
    ],
)
def test_where_it_leads_is_asked_of_what_connected(place: Any, url: str, leads_here: bool) -> None:
    server = place.server
    parts = {"login": place.login, "database": place.database, "port": server.port}
    text = url.format(sockets=server.data_directory, **parts)
    with connect(normalize(sa.make_url(text))) as connection:
        assert is_local(connection) is leads_here


def test_a_reset_shows_the_name_that_the_server_says(
    way: Callable[[Any], Any], place: Any, ini: Path
) -> None:
    plan = migration_runner.plan_reset(way(place).url, alembic_ini=ini)
    assert plan.name == place.database
