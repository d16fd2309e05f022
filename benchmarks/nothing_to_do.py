"""What `wdh db` takes to find out that there is nothing to do, beside `alembic upgrade head`.

    python benchmarks/nothing_to_do.py [--runs 9] [--revisions 1 100 1000]
                                       [--engines sqlite postgresql] [--warm-up 1]

Whole processes on a database at head, in turn (Alembic, upgrade, status, Alembic, ...); prints
medians in milliseconds and the medians of the ratios to Alembic's time, round by round. "Cached"
runs write and read bytecode; "not cached" runs write none: revisions, and the package where it is
not compiled, are compiled again each time, as in many containers. What either remembers between
runs is warm after the first WARM-UP rounds, which do not count.
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
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from run_cost import GUARDED_ENV, PLAIN_ENV, _postgresql_urls, _sqlite_urls, upgrade, write_project

if TYPE_CHECKING:
    from collections.abc import Mapping

WDH = str(Path(sys.executable).with_name("wdh"))
COMMANDS = {
    "alembic upgrade head": [sys.executable, "-m", "alembic", "upgrade", "head"],
    "wdh db upgrade": [WDH, "db", "upgrade"],
    "wdh db status --check": [WDH, "db", "status", "--check"],
}
PLAIN = "alembic upgrade head"


def seconds(command: list[str], folder: Path, environment: Mapping[str, str]) -> float:
    started = time.perf_counter()
    process = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if process.returncode:
        sys.exit(f"{command}: {process.stderr or 'not settled'}")
    return time.perf_counter() - started


def measure(
    projects: Mapping[str, tuple[Path, str]], *, runs: int, warm_up: int, is_cached: bool
) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    if not is_cached:
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        for folder, _ in projects.values():
            for cached in folder.rglob("__pycache__"):
                shutil.rmtree(cached)
    found: dict[str, list[float]] = {name: [] for name in projects}
    for number in range(-warm_up, runs):
        for name, (folder, url) in projects.items():
            urls = {"DATABASE_URL": url, "BENCHMARK_URL": url}
            took = seconds(COMMANDS[name], folder, {**environment, **urls})
            if number >= 0:
                found[name].append(took)
    print(f"  {'cached' if is_cached else 'not cached'}:", flush=True)
    for name, each in found.items():
        ratios = [ours / theirs for ours, theirs in zip(each, found[PLAIN], strict=True)]
        ratio = f", x{statistics.median(ratios):.2f} of Alembic's" if name != PLAIN else ""
        print(f"    {name}: {statistics.median(each) * 1000:.0f} ms{ratio}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--revisions", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--engines", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--warm-up", type=int, default=1, help="rounds that do not count")
    arguments = parser.parse_args()
    rounds = {"runs": arguments.runs, "warm_up": arguments.warm_up}
    # A plain project for Alembic; one that hands over, which both of ours share.
    environments = {"plain": PLAIN_ENV.format(per_migration=False), "guarded": GUARDED_ENV}
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = {"sqlite": _sqlite_urls(scratch)}
        if "postgresql" in arguments.engines:
            urls["postgresql"] = _postgresql_urls(stack)
        for engine in arguments.engines:
            for revisions in arguments.revisions:
                made = {}
                for name, env in environments.items():
                    folder = scratch / f"{engine}_{revisions}_{name}"
                    write_project(folder, env, revisions)
                    made[name] = folder, urls[engine]()
                    upgrade(*made[name])
                projects = {
                    name: made["plain" if name == PLAIN else "guarded"] for name in COMMANDS
                }
                print(f"{engine}, {revisions} revision(s), {arguments.runs} runs", flush=True)
                for is_cached in (True, False):
                    measure(projects, **rounds, is_cached=is_cached)


if __name__ == "__main__":
    main()
