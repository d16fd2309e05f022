"""What the guards add to `alembic upgrade head`, beside plain Alembic in one run.

    python benchmarks/run_cost.py [--runs 7] [--revisions 1 100 1000] [--engines sqlite postgresql]
        [--statements 2000] [--warm-up 1] [--json FILE]

Whole processes, in turn (plain, guarded, plain, guarded, ...), on an empty database each; prints
medians in seconds and the median of the ratios pair by pair. "One pending" is the revision behind
those of an empty database, "at head" the run that has nothing to do. The first WARM-UP rounds,
which compile the bytecode, do not count. The PostgreSQL is the one of the tests: no durability,
so what is compared is work and not the disk. Plain Alembic runs as its own template sets it up:
all revisions in one transaction on PostgreSQL, none on SQLite. A third column runs it with
`transaction_per_migration=True`, which is what the guarded run has to do as well. At last, one
revision of many statements in an autocommit block, each of which the guarded run writes down
first.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from work_data_hub.io.schema.ephemeral.postgres_server import running_postgres

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN_ENV = """
import os
import sqlalchemy as sa
from alembic import context

engine = sa.create_engine(os.environ["BENCHMARK_URL"], poolclass=sa.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration={per_migration})
    with context.begin_transaction():
        context.run_migrations()
"""
GUARDED_ENV = """
from alembic import context
from work_data_hub.io.schema.environment import run

run(context)
"""
ENVIRONMENTS = {
    "plain": PLAIN_ENV.format(per_migration=False),
    "plain, one transaction each": PLAIN_ENV.format(per_migration=True),
    "guarded": GUARDED_ENV,
}
TARGETS = {"empty database": "head-1", "one pending": "head", "at head": "head"}
REVISION = '''"""Step {number}."""

import sqlalchemy as sa
from alembic import op

revision: str = "{id}"
down_revision: str | None = {parent!r}


def upgrade() -> None:
    op.create_table(
        "t{number}",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(50), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("t{number}")
'''


BLOCK = """
def upgrade() -> None:
    op.create_table("log", sa.Column("n", sa.Integer))
    with op.get_context().autocommit_block():
        for number in range({statements}):
            op.execute(f"INSERT INTO log VALUES ({{number}})")
"""


def write_project(folder: Path, env: str, revisions: int) -> None:
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    (versions.parent / "env.py").write_text(env)
    for number in range(revisions):
        text = REVISION.format(
            number=number, id=f"r{number:05}", parent=f"r{number - 1:05}" if number else None
        )
        (versions / f"r{number:05}.py").write_text(text)


def write_block(folder: Path, env: str, statements: int) -> None:
    write_project(folder, env, 1)
    (file,) = (folder / "migrations" / "versions").glob("*.py")
    head = file.read_text().partition("\n\n\n")[0]
    file.write_text(f"{head}\n\n{BLOCK.format(statements=statements)}")


def upgrade(folder: Path, url: str, target: str = "head") -> float:
    environment = {**os.environ, "BENCHMARK_URL": url, "DATABASE_URL": url}
    command = [sys.executable, "-m", "alembic", "upgrade", target]
    started = time.perf_counter()
    process = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if process.returncode:
        sys.exit(process.stderr)
    return time.perf_counter() - started


def measure(
    projects: dict[str, Path],
    targets: dict[str, str],
    new_url: Callable[[], str],
    *,
    runs: int,
    warm_up: int,
) -> dict[str, dict[str, float]]:
    """Return the median seconds of each target by environment, upgraded to one after the other."""
    seconds: dict[str, dict[str, list[float]]] = {
        label: {name: [] for name in projects} for label in targets
    }
    for number in range(-warm_up, runs):
        for name, folder in projects.items():
            url = new_url()
            for label, target in targets.items():
                took = upgrade(folder, url, target)
                if number >= 0:
                    seconds[label][name].append(took)
    for label, found in seconds.items():
        cells = [f"{name} {statistics.median(values):.3f} s" for name, values in found.items()]
        ratios = [
            f"x{statistics.median(map(_ratio, found['guarded'], found[name])):.2f} of {name}"
            for name in found
            if name != "guarded"
        ]
        print(f"  {label}: {'; '.join(cells)}; guarded is {', '.join(ratios)}", flush=True)
    return {
        label: {name: statistics.median(values) for name, values in found.items()}
        for label, found in seconds.items()
    }


def _ratio(guarded: float, plain: float) -> float:
    return guarded / plain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--revisions", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--engines", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--statements", type=int, default=2000, help="0: not measured")
    parser.add_argument("--warm-up", type=int, default=1, help="rounds that do not count")
    parser.add_argument("--json", type=Path, help="a file for the medians")
    arguments = parser.parse_args()
    medians = []
    rounds = {"runs": arguments.runs, "warm_up": arguments.warm_up}
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = {"sqlite": _sqlite_urls(scratch)}
        if "postgresql" in arguments.engines:
            urls["postgresql"] = _postgresql_urls(stack)
        for revisions in arguments.revisions:
            projects = {}
            for number, (name, env) in enumerate(ENVIRONMENTS.items()):
                projects[name] = scratch / f"{revisions}_{number}"
                # One more than are applied to the empty database.
                write_project(projects[name], env, revisions + 1)
            for engine in arguments.engines:
                print(f"{engine}, {revisions} revision(s), {arguments.runs} runs", flush=True)
                found = measure(projects, TARGETS, urls[engine], **rounds)
                medians.append({"engine": engine, "revisions": revisions, "seconds": found})
        if arguments.statements:
            projects = {name: scratch / f"block_{n}" for n, name in enumerate(ENVIRONMENTS)}
            for name, env in ENVIRONMENTS.items():
                write_block(projects[name], env, arguments.statements)
            for engine in arguments.engines:
                print(f"{engine}, {arguments.statements} statements in one block", flush=True)
                measure(projects, {"upgrade": "head"}, urls[engine], **rounds)
    if arguments.json:
        arguments.json.write_text(json.dumps(medians, indent=1) + "\n", encoding="utf-8")


def _sqlite_urls(scratch: Path) -> Callable[[], str]:
    numbers = iter(range(1_000_000))
    return lambda: f"sqlite:///{scratch}/{next(numbers)}.db"


def _postgresql_urls(stack: ExitStack) -> Callable[[], str]:
    server = stack.enter_context(running_postgres())
    admin = sa.create_engine(server.url(), poolclass=sa.NullPool)
    connection = stack.enter_context(admin.connect())
    connection.execution_options(isolation_level="AUTOCOMMIT")
    numbers = iter(range(1_000_000))

    def new() -> str:
        name = f"wdh_test_{next(numbers)}"
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return server.url(name).render_as_string(hide_password=False)

    return new


if __name__ == "__main__":
    main()
