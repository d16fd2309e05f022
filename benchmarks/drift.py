"""What `wdh db drift` takes as a process, beside `pg_dump --schema-only` of the same database.

    python benchmarks/drift.py [--tables 10 100 300] [--rounds 5]

Each table has 10 columns, 4 indexes, a foreign key, a check and comments, made by one revision.
What the revision makes is built before, as it is for whoever asks twice. In turn, each a process of
its own; printed are medians in milliseconds and the median of the ratios pair by pair.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.ephemeral.postgres_binaries import prepare_postgres
from work_data_hub.io.schema.ephemeral.postgres_server import running_postgres

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

REPOSITORY = Path(__file__).parents[1]
ENV = """from alembic import context
from work_data_hub.io.schema.environment import run

run(context)
"""
REVISION = '''"""Make the tables."""

from __future__ import annotations

import sys

from alembic import op

sys.path.insert(0, {benchmarks!r})
from snapshot import fill

revision = "20260101_0000"
down_revision = None


def upgrade() -> None:
    fill(op.get_bind(), {tables})
'''


def project(folder: Path, tables: int) -> Path:
    """Write a project whose one revision makes so many tables; return its alembic.ini."""
    versions = folder / "io" / "schema" / "migrations" / "versions"
    versions.mkdir(parents=True)
    shutil.copy(REPOSITORY / "alembic.ini", folder)
    (versions.parent / "env.py").write_text(ENV, encoding="utf-8")
    text = REVISION.format(benchmarks=str(Path(__file__).parent), tables=tables)
    (versions / "20260101_0000_tables.py").write_text(text, encoding="utf-8")
    return folder / "alembic.ini"


def seconds_of(command: list[str | Path], environment: dict[str, str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def measure(url: URL, ini: Path, tables: int, rounds: int) -> None:
    migration_runner.upgrade(url, alembic_ini=ini)
    text = url.render_as_string(hide_password=False)
    # It is the server to build on as well, so that the benchmark needs one.
    environment = {**os.environ, "DATABASE_URL": text, "WDH_TEST_DATABASE_URI": text}
    wdh = [sys.executable, "-m", "work_data_hub", "db", "drift", "--config", str(ini)]
    dumped: list[str | Path] = [
        prepare_postgres().executable.with_name("pg_dump"),
        "--schema-only",
        url.set(drivername="postgresql").render_as_string(hide_password=False),
    ]
    seconds_of([*wdh], environment)
    pairs = [
        (seconds_of(dumped, environment), seconds_of([*wdh], environment)) for _ in range(rounds)
    ]
    dump, drift = (1000 * statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(ours / theirs for theirs, ours in pairs)
    print(
        f"{tables:5} tables: pg_dump {dump:7.1f} ms, wdh db drift {drift:7.1f} ms,"
        f" ratio {ratio:.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tables", type=int, nargs="+", default=[10, 100, 300])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_postgres() as server:
        admin = sa.create_engine(server.url(), isolation_level="AUTOCOMMIT")
        for tables in sorted(arguments.tables):
            with admin.connect() as connection:
                connection.exec_driver_sql(f"CREATE DATABASE of_{tables}")
            ini = project(Path(folder) / str(tables), tables)
            measure(server.url(f"of_{tables}"), ini, tables, arguments.rounds)
        admin.dispose()


if __name__ == "__main__":
    main()
