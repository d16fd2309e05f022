"""A database is known by what the server says, however it was named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.config import get_settings
from work_data_hub.errors import RefusedError
from work_data_hub.io.schema import migration_runner

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


def test_a_reset_shows_the_name_that_the_server_says(
    way: Callable[[Any], Any], place: Any, ini: Path
) -> None:
    plan = migration_runner.plan_reset(way(place).url, alembic_ini=ini)
    assert plan.name == place.database
