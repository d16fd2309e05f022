"""What the guards add to `alembic upgrade head`, beside plain Alembic in one run.

    python benchmarks/run_cost.py [--runs 5] [--revisions 1 100 1000] [--engines sqlite postgresql]
        [--statements 2000] [--warm-up 1]

Whole processes, in turn (plain, guarded, plain, guarded, ...), on an empty database each; prints
medians in seconds and the median of the ratios pair by pair. "At head" is the run that has nothing
to do. The first WARM-UP rounds, which compile the bytecode, do not count. The PostgreSQL is the one
of the tests: no durability, so what is compared is work and not the disk. Plain Alembic runs as its
own template sets it up: all revisions in one transaction on PostgreSQL, none on SQLite. A third
column runs it with `transaction_per_migration=True`, which is what the guarded run has to do as
well. At last, one revision of many statements in an autocommit block, each of which the guarded run
writes down first.
"""

from __future__ import annotations

import argparse
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


def upgrade(folder: Path, url: str) -> float:
    environment = {**os.environ, "BENCHMARK_URL": url, "DATABASE_URL": url}
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    started = time.perf_counter()
    process = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if process.returncode:
        sys.exit(process.stderr)
    return time.perf_counter() - started


def measure(
    projects: dict[str, Path], new_url: Callable[[], str], *, runs: int, warm_up: int
) -> None:
    first: dict[str, list[float]] = {name: [] for name in projects}
    at_head: dict[str, list[float]] = {name: [] for name in projects}
    for number in range(-warm_up, runs):
        for name, folder in projects.items():
            url = new_url()
            seconds, again = upgrade(folder, url), upgrade(folder, url)
            if number >= 0:
                first[name].append(seconds)
                at_head[name].append(again)
    for label, found in (("upgrade", first), ("at head", at_head)):
        cells = [f"{name} {statistics.median(values):.3f} s" for name, values in found.items()]
        ratios = [
            f"x{statistics.median(map(_ratio, found['guarded'], found[name])):.2f} of {name}"
            for name in found
            if name != "guarded"
        ]
        print(f"  {label}: {'; '.join(cells)}; guarded is {', '.join(ratios)}", flush=True)


def _ratio(guarded: float, plain: float) -> float:
    return guarded / plain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--revisions", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--engines", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--statements", type=int, default=2000, help="0: not measured")
    parser.add_argument("--warm-up", type=int, default=1, help="rounds that do not count")
    arguments = parser.parse_args()
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
                write_project(projects[name], env, revisions)
            for engine in arguments.engines:
                print(f"{engine}, {revisions} revision(s), {arguments.runs} runs", flush=True)
                measure(projects, urls[engine], **rounds)
        if arguments.statements:
            projects = {name: scratch / f"block_{n}" for n, name in enumerate(ENVIRONMENTS)}
            for name, env in ENVIRONMENTS.items():
                write_block(projects[name], env, arguments.statements)
            for engine in arguments.engines:
                print(f"{engine}, {arguments.statements} statements in one block", flush=True)
                measure(projects, urls[engine], **rounds)


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
