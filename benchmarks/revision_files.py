"""How long it takes to read the revision files as text, beside Alembic's `get_heads()`.

    python benchmarks/revision_files.py [--runs 5] [--revisions 1 100 1000]

In one process for each cell, imports before the clock starts, medians in milliseconds. Cold: no
cache, the text is read and parsed. Warm: the cache of the run before. Alembic executes the files;
once with its bytecode cached, and once without, as where PYTHONDONTWRITEBYTECODE is set.
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

from run_cost import write_project

# What each process does: all that is imported before the clock starts is named here.
TEXT = """
import sys, time
from work_data_hub.domain.revisions import digest, revision_text
from work_data_hub.io.schema.revisions.files import read_history
started = time.perf_counter()
heads = read_history(sys.argv[1]).effective_heads
print(time.perf_counter() - started)
"""
ALEMBIC = """
import sys, time
from alembic.config import Config
from alembic.script import ScriptDirectory
import alembic.op, sqlalchemy
started = time.perf_counter()
heads = ScriptDirectory.from_config(Config(sys.argv[1])).get_heads()
print(time.perf_counter() - started)
"""
# In a whole process, the interpreter's own start included.
WHOLE = """
import sys
from work_data_hub.io.schema.revisions.files import read_history
heads = read_history(sys.argv[1]).effective_heads
"""


def milliseconds(program: str, project: Path, **environment: str) -> tuple[float, float]:
    """Return what the program measured, and how long its process took."""
    started = time.perf_counter()
    process = subprocess.run(
        [sys.executable, "-c", program, str(project / "alembic.ini")],
        env={**os.environ, "XDG_CACHE_HOME": str(project / "cache"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    whole = time.perf_counter() - started
    if process.returncode:
        sys.exit(process.stderr)
    return float(process.stdout or 0) * 1000, whole * 1000


def measure(project: Path, runs: int) -> str:
    found: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    for _ in range(runs):
        shutil.rmtree(project / "cache", ignore_errors=True)
        add("cold", milliseconds(TEXT, project)[0])
        add("warm", milliseconds(TEXT, project)[0])
        add("warm, whole process", milliseconds(WHOLE, project)[1])
        add("python -c pass", milliseconds("pass", project)[1])
        add("Alembic", milliseconds(ALEMBIC, project, PYTHONDONTWRITEBYTECODE="")[0])
        shutil.rmtree(project / "migrations" / "versions" / "__pycache__", ignore_errors=True)
        add("Alembic, no bytecode", milliseconds(ALEMBIC, project, PYTHONDONTWRITEBYTECODE="1")[0])
        # Leave the bytecode for the next round.
        milliseconds(ALEMBIC, project, PYTHONDONTWRITEBYTECODE="")
    return "; ".join(f"{name} {statistics.median(values):.1f} ms" for name, values in found.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--revisions", type=int, nargs="+", default=[1, 100, 1000])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        projects = {number: Path(scratch) / str(number) for number in arguments.revisions}
        for number, project in projects.items():
            write_project(project, "", number)
        # What was written within the last tick of a coarse clock is not taken from the cache.
        time.sleep(2.1)
        for number, project in projects.items():
            print(f"{number} revision(s): {measure(project, arguments.runs)}", flush=True)


if __name__ == "__main__":
    main()
