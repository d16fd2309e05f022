"""An empty database for a while: nothing is in it, and nothing is left of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from work_data_hub.errors import DatabaseUnavailableError, SettingsError, UsageError
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.ephemeral.scratch import (
    existing_server,
    scratch_file,
    scratch_postgres,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

TABLES = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"


def test_nothing_is_left_of_a_file() -> None:
    with scratch_file() as url:
        with connect(url) as connection:
            connection.exec_driver_sql("CREATE TABLE t (id integer)")
            connection.commit()
        folder = Path(str(url.database)).parent
        assert folder.is_dir()
    assert not folder.exists()


def test_an_existing_server_is_left_as_it_was(make_postgresql_url: Callable[[], URL]) -> None:
    server = make_postgresql_url()
    with connect(server) as look:
        with scratch_postgres(server) as url, connect(url) as connection:
            assert url.database != server.database
            assert connection.exec_driver_sql(TABLES).scalar_one() == 0
        left = "SELECT count(*) FROM pg_database WHERE datname = %s"
        assert look.exec_driver_sql(left, (url.database,)).scalar_one() == 0


def test_a_server_of_ones_own_ends_with_the_block() -> None:
    with scratch_postgres(None) as url, connect(url) as connection:
        assert connection.exec_driver_sql(TABLES).scalar_one() == 0
    with pytest.raises(DatabaseUnavailableError), connect(url):
        pass


def test_a_server_that_does_not_answer_is_named() -> None:
    nowhere = sa.make_url("postgresql+psycopg://me:geheim@127.0.0.1:1/postgres")
    with (
        pytest.raises(DatabaseUnavailableError, match="cannot open") as caught,
        scratch_postgres(nowhere),
    ):
        pass
    assert "geheim" not in caught.value.for_people()


@pytest.mark.parametrize(
    ("text", "error"), [("sqlite:///x.db", UsageError), ("nonsense", SettingsError)]
)
def test_an_existing_server_must_be_postgresql(
    text: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WDH_TEST_DATABASE_URI", text)
    with pytest.raises(error, match="WDH_TEST_DATABASE_URI"):
        existing_server(None)
