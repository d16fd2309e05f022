"""The benchmarks run; what they measure is for people to read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.parametrize(
    ("program", "arguments", "said"),
    [
        # One engine for each of these two: they make their databases by the same functions.
        (
            "run_cost.py",
            "--engines postgresql --runs 1 --warm-up 0 --revisions 2 --statements 5",
            "one pending: plain",
        ),
        (
            "nothing_to_do.py",
            "--engines sqlite --runs 1 --warm-up 0 --revisions 2",
            "wdh db status --check: ",
        ),
        ("revision_files.py", "--runs 1 --revisions 2", "2 revision(s): cold"),
        (
            "fresh_databases.py",
            "--engines postgresql --tests 4 --migrated 2 --xdist 8 --runs 1"
            " --tables 1 --revisions 1",
            "existing server, one killed",
        ),
        ("recorded_runs.py", "--runs 1 --metrics 0 2", "recorded by URL is x"),
        ("lock_queue.py", "--hold 0.5 --readers 1", "guarded  longest read"),
    ],
)
def test_a_benchmark_runs_and_says_what_it_measured(
    clean_environment: dict[str, str], program: str, arguments: str, said: str
) -> None:
    process = subprocess.run(
        [sys.executable, str(BENCHMARKS / program), *arguments.split()],
        env=clean_environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert said in process.stdout
