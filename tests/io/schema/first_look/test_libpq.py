"""The library that psycopg uses, asked without psycopg."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.first_look.libpq import LibpqConnection, NoAnswerError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

NAME = "a first look"


def options(url: URL) -> dict[str, str]:
    assert url.host is not None
    return {
        "host": url.host,
        "port": str(url.port),
        "user": str(url.username),
        "password": str(url.password),
        "dbname": str(url.database),
        "application_name": NAME,
    }


@pytest.mark.parametrize("value", ["\udcff", "a\0b"])
def test_what_the_library_cannot_be_told_has_no_answer(postgresql_url: URL, value: str) -> None:
    with pytest.raises(NoAnswerError):
        LibpqConnection(options(postgresql_url) | {"user": value})


@pytest.mark.integration
@pytest.mark.parametrize("is_broken", [False, True])
def test_the_connection_ends_with_the_block(postgresql_url: URL, *, is_broken: bool) -> None:
    """Many looks of one process, such as a test suite, would use up the server's connections."""

    def count() -> int:
        query = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{NAME}'"
        with connect(postgresql_url) as connection:
            return int(connection.exec_driver_sql(query).scalar_one())

    look = LibpqConnection(options(postgresql_url))
    try:
        with look:
            assert count() == 1
            assert not is_broken, "as any fault within"
    except AssertionError:
        assert is_broken
    deadline = time.monotonic() + 10  # the server notices a while later
    while count() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert count() == 0
