"""What a test waits for its own migrated database, beside the other ways to give it one.

    python benchmarks/fresh_databases.py [--tests 200] [--migrated 10] [--xdist 500] [--runs 5]
                                         [--engines sqlite postgresql]
                                         [--tables 50] [--revisions 20]

Each way is a pytest process of its own, with a schema of that size, on the same kind
of server (no durability): setup and teardown of a test together, the first one apart. "Idle"
tests do one query, back to back; "busy" ones query for 50 ms. Then whole pytest processes with a
warm template and without a database; and a cold run with `-n 2`, once undisturbed and once with
a worker killed in the middle: how often the migrations ran, and what was left.

pytest-postgresql is measured when it is installed (`pip install pytest-postgresql`).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from work_data_hub.io.schema.ephemeral.postgres_server import PostgresServer, running_postgres

if TYPE_CHECKING:
    from collections.abc import Mapping

SUITE = Path(__file__).with_name("fresh_databases_suite")
WAYS = {
    "sqlite": ["none", "alembic", "ours", "ours in memory"],
    "postgresql": ["none", "alembic", "create database", "pytest-postgresql", "ours"],
}
TABLE = """
    op.create_table(
        "table_{number}",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(50), nullable=False, index=True),
        sa.Column("amount", sa.Numeric(10, 2)),
        sa.Column("made", sa.DateTime(timezone=True), server_default=sa.func.now()),
        sa.Column("other", sa.Integer, sa.ForeignKey("table_{other}.id", name="fk_{number}")),
    )
"""
REVISION = '''"""Step {number}."""

import os

import sqlalchemy as sa
from alembic import op

revision = "r{number:03}"
down_revision = {below!r}


def upgrade() -> None:
{tables}

def downgrade() -> None:
    pass
'''
NOTE = """
    with open(os.environ["BENCHMARK_NOTES"], "a") as notes:
        notes.write("migrated ")
"""


def write_suite(folder: Path, tables: int, revisions: int) -> None:
    """Copy the suite, with migrations that no cache has seen before."""
    shutil.copytree(SUITE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    versions = folder / "migrations" / "versions"
    versions.mkdir()
    left = iter(range(tables))
    for number in range(revisions):
        count = (number + 1) * tables // revisions - number * tables // revisions
        numbers = [next(left) for _ in range(count)]
        bodies = [TABLE.format(number=table, other=max(table - 1, 0)) for table in numbers]
        text = REVISION.format(
            number=number,
            below=f"r{number - 1:03}" if number else None,
            tables="".join(bodies) + ("" if number else NOTE),
        )
        (versions / f"r{number:03}.py").write_text(f"# {secrets.token_hex(8)}\n{text}")


def run_pytest(folder: Path, way: str, tests: int, *options: str, **settings: str) -> float:
    """Run the suite in a process of its own; returns its seconds."""
    environment = {
        **os.environ,
        "BENCHMARK_WAY": way,
        "BENCHMARK_TESTS": str(tests),
        "BENCHMARK_NOTES": str(folder / "notes"),
        # The server's processes inherit nothing else: they are known by it.
        "PATH": f"{os.environ['PATH']}{os.pathsep}{folder}",
        **settings,
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--tb=short",
        "-p",
        "no:cacheprovider",
        # Its imports take longer than all that is measured of a session.
        "-p",
        "no:hypothesispytest",
        *options,
    ]
    started = time.perf_counter()
    process = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if process.returncode and "BENCHMARK_KILL" not in settings:
        sys.exit(process.stdout[-3000:] + process.stderr)
    return time.perf_counter() - started


def measure_waits(
    folder: Path, engine: str, settings: Mapping[str, str], tests: int, migrated: int
) -> None:
    medians: dict[str, float] = {}
    for label, work in (("idle", "0"), ("busy", "0.05")):
        print(f"{engine}, {label} tests: milliseconds that one waits for its database")
        for way in WAYS[engine]:
            if way == "pytest-postgresql" and importlib.util.find_spec("pytest_postgresql") is None:
                print(f"  {way:18} is not installed: pip install pytest-postgresql")
                continue
            count = migrated if way == "alembic" else tests
            options = ["--wdh-engine", engine, "-p", "no:xdist"]
            options += ["--wdh-sqlite", "memory"] if way == "ours in memory" else []
            run_pytest(folder, way, count, *options, BENCHMARK_WORK=work, **settings)
            first, *waits = json.loads((folder / "waits.json").read_text())
            medians[way] = statistics.median(waits)
            high = sorted(waits)[int(len(waits) * 0.95)]
            print(
                f"  {way:18} median {medians[way] * 1000:8.2f}  p95 {high * 1000:8.2f}"
                f"  first {first * 1000:8.1f}",
                flush=True,
            )
        print(f"  ours is x{medians['alembic'] / medians['ours']:.0f} quicker than alembic")


def measure_session(folder: Path, engine: str, runs: int) -> None:
    found: dict[str, list[float]] = {"none": [], "ours": []}
    for _ in range(runs):
        for way, seconds in found.items():
            options = ["--wdh-engine", engine, "-p", "no:xdist"]
            seconds.append(run_pytest(folder, way, 1, *options, BENCHMARK_WORK="0"))
    without, ours = (statistics.median(seconds) for seconds in found.values())
    print(f"{engine}, a session of one test, template warm: {ours:.3f} s; without a", end=" ")
    print(f"database {without:.3f} s; {ours - without:.3f} s more", flush=True)


def measure_workers(
    scratch: Path, server: PostgresServer, tests: int, schema: tuple[int, int]
) -> None:
    existing = {"WDH_TEST_DATABASE_URI": server.url().render_as_string(hide_password=False)}
    for place, settings in (("embedded", {}), ("existing", existing)):
        for kill in ({}, {"BENCHMARK_KILL": str(tests // 4)}):
            folder = scratch / secrets.token_hex(4)
            write_suite(folder, *schema)
            options = ["--wdh-engine", "postgresql", "-n", "2"]
            work = {"BENCHMARK_WORK": "0"}
            seconds = run_pytest(folder, "ours", tests, *options, **work, **settings, **kill)
            if kill and not (folder / "killed").exists():
                sys.exit("no worker was killed")
            migrated = (folder / "notes").read_text().count("migrated")
            print(
                f"{tests} tests on 2 workers, {place} server, {'one killed' if kill else 'whole'}:"
                f" {seconds:.1f} s, {migrated} template build(s), {leftovers(server)} database(s)"
                f" and {len(processes(str(folder)))} process(es) left",
                flush=True,
            )


def leftovers(server: PostgresServer) -> int:
    query = "SELECT count(*) FROM pg_database WHERE datname ~ '^wdh_test_[0-9a-f]{16}_'"
    with sa.create_engine(server.url(), poolclass=sa.NullPool).connect() as connection:
        return int(connection.execute(sa.text(query)).scalar_one())


def processes(marker: str) -> list[int]:
    """Return the processes that have the marker in their environment (Linux)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue  # it has ended, or is another's
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", type=int, default=200)
    parser.add_argument("--migrated", type=int, default=10)
    parser.add_argument("--xdist", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--engines", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--tables", type=int, default=50)
    parser.add_argument("--revisions", type=int, default=20)
    arguments = parser.parse_args()
    schema = (arguments.tables, arguments.revisions)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        server = stack.enter_context(running_postgres())
        url = server.url().render_as_string(hide_password=False)
        write_suite(scratch / "suite", *schema)
        for engine in arguments.engines:
            settings = {"BENCHMARK_ENGINE": engine, "BENCHMARK_SERVER": url}
            waits = (arguments.tests, arguments.migrated)
            measure_waits(scratch / "suite", engine, settings, *waits)
            measure_session(scratch / "suite", engine, arguments.runs)
        if "postgresql" in arguments.engines:
            measure_workers(scratch, server, arguments.xdist, schema)


if __name__ == "__main__":
    main()
