"""The tests that the benchmark runs: as many as it says, each with a database of its own."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

WORK_SECONDS = float(os.environ["BENCHMARK_WORK"])
KILLED = int(os.environ.get("BENCHMARK_KILL", "-1"))


@pytest.mark.parametrize("number", range(int(os.environ["BENCHMARK_TESTS"])))
def test_database(number: int, database: URL | None) -> None:
    if database is None:
        return
    if number == KILLED:
        with Path("killed").open("x"):
            os.kill(os.getpid(), signal.SIGKILL)
    until = time.monotonic() + WORK_SECONDS
    with connect(database) as connection:
        count = sa.text("SELECT count(*) FROM table_0")
        assert connection.execute(count).scalar_one() == 0
        while time.monotonic() < until:
            connection.execute(count)
