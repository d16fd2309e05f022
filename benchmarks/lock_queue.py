"""How long readers wait while a revision wants a lock that somebody holds, beside plain Alembic.

    python benchmarks/lock_queue.py [--hold 5] [--readers 4] [--lock-timeout 2]

A session reads the table and stays idle in its transaction for HOLD seconds. `alembic upgrade head`
wants to alter the table meanwhile, and READERS sessions go on reading it, each read a transaction.
Prints the longest and the 95th percentile of what a read waited, in seconds, how many reads were
done, and when the upgrade had ended; plain Alembic and the guarded run in turn, on new databases.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from run_cost import GUARDED_ENV, PLAIN_ENV

from work_data_hub.io.schema.ephemeral.postgres_server import running_postgres

ALTER = '''"""Alter."""

import sqlalchemy as sa
from alembic import op

revision = "alter"
down_revision = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("extra", sa.Integer()))


def downgrade() -> None:
    op.drop_column("orders", "extra")
'''


def write_project(folder: Path, env: str) -> None:
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    (versions.parent / "env.py").write_text(env)
    (versions / "alter.py").write_text(ALTER)


def read_until(stop: threading.Event, conninfo: str, waits: list[float]) -> None:
    with psycopg.connect(conninfo) as connection:
        while not stop.is_set():
            started = time.perf_counter()
            connection.execute("SELECT count(*) FROM orders").fetchone()
            connection.rollback()
            waits.append(time.perf_counter() - started)
            time.sleep(0.01)


def measure(project: Path, url: sa.URL, arguments: argparse.Namespace) -> str:
    text = url.render_as_string(hide_password=False)
    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
    waits: list[float] = []
    stop = threading.Event()
    with psycopg.connect(conninfo) as idle:
        idle.execute("CREATE TABLE orders (id integer)")
        idle.commit()
        idle.execute("SELECT count(*) FROM orders").fetchone()
        release = threading.Timer(arguments.hold, idle.rollback)
        readers = [
            threading.Thread(target=read_until, args=(stop, conninfo, waits))
            for _ in range(arguments.readers)
        ]
        started = time.perf_counter()
        for thread in [release, *readers]:
            thread.start()
        environment: dict[str, Any] = {
            **os.environ,
            "BENCHMARK_URL": text,
            "DATABASE_URL": text,
            "WDH_LOCK_TIMEOUT": str(arguments.lock_timeout),
        }
        process = subprocess.run(
            [sys.executable, "-m", "alembic", "upgrade", "head"],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        ended = time.perf_counter() - started
        stop.set()
        for thread in [release, *readers]:
            thread.join()
    if process.returncode:
        sys.exit(process.stderr)
    percentile = statistics.quantiles(waits, n=20)[-1]
    return (
        f"longest read {max(waits):.2f} s, 95th percentile {percentile:.3f} s, {len(waits)} reads,"
        f" upgrade ended after {ended:.1f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hold", type=float, default=5)
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--lock-timeout", type=float, default=2)
    arguments = parser.parse_args()
    environments = {"plain": PLAIN_ENV.format(per_migration=False), "guarded": GUARDED_ENV}
    with tempfile.TemporaryDirectory() as scratch, running_postgres() as server:
        admin = sa.create_engine(server.url(), poolclass=sa.NullPool)
        for name, env in environments.items():
            project = Path(scratch) / name
            write_project(project, env)
            with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql(f"CREATE DATABASE wdh_test_{name}")
            print(f"{name:<8} {measure(project, server.url(f'wdh_test_{name}'), arguments)}")


if __name__ == "__main__":
    main()
