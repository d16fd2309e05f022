"""What `record_run` costs a pipeline, beside the same rows written by hand.

    python benchmarks/recorded_runs.py [--runs 50] [--metrics 0 10 100]
        [--engines sqlite postgresql]

By hand: on one engine with a pool, a transaction for the start, one for each metric, and one for
the end. Recorded: with that engine, and by URL, which opens a connection for each run. In turn;
printed are medians in milliseconds of a whole run without any work in it, from the start to the
end of its block, the median of the ratios pair by pair, and what one `metric(...)` takes of the
pipeline's own time. The PostgreSQL is the one of the tests: no durability, so what is compared is
work and not the disk; SQLite's file is on the disk of the folder for temporary files.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import sqlalchemy as sa

from work_data_hub.io.runs import (
    data_quality_metrics,
    metadata,
    pipeline_executions,
    record_run,
)
from work_data_hub.io.schema.ephemeral.postgres_server import running_postgres

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Engine

WARM_UP_RUNS = 3


def by_hand(engine: Engine, metrics: int) -> None:
    run = uuid4()
    row = {"execution_id": run, "pipeline_name": "orders", "status": "running"}
    with engine.begin() as connection:
        insert = pipeline_executions.insert()
        connection.execute(insert.values(**row, started_at=datetime.now(UTC)))
    for number in range(metrics):
        metric = {"execution_id": run, "pipeline_name": "orders", "metric_type": "late"}
        with engine.begin() as connection:
            insert = data_quality_metrics.insert()
            now = datetime.now(UTC)
            connection.execute(insert.values(**metric, metric_value=number, recorded_at=now))
    with engine.begin() as connection:
        end = pipeline_executions.update().where(pipeline_executions.c.execution_id == run)
        connection.execute(end.values(status="success", completed_at=datetime.now(UTC)))


def recorded(metrics: int, *, url: URL | None = None, engine: Engine | None = None) -> list[float]:
    """Record a run; return the seconds of each metric."""
    seconds = []
    with record_run("orders", url=url, engine=engine) as run:
        for number in range(metrics):
            started = time.perf_counter()
            run.metric("late", number)
            seconds.append(time.perf_counter() - started)
    return seconds


def measure(url: URL, metrics: int, runs: int) -> None:
    engine = sa.create_engine(url)
    whole: dict[str, list[float]] = {"by hand": [], "recorded": [], "recorded by URL": []}
    calls: list[float] = []
    for number in range(runs + WARM_UP_RUNS):
        for name, seconds in whole.items():
            started = time.perf_counter()
            if name == "by hand":
                by_hand(engine, metrics)
            elif name == "recorded":
                calls += recorded(metrics, engine=engine)
            else:
                recorded(metrics, url=url)
            if number >= WARM_UP_RUNS:
                seconds.append(time.perf_counter() - started)
    cells = [f"{name} {statistics.median(each) * 1000:.2f} ms" for name, each in whole.items()]
    pairs = {name: zip(each, whole["by hand"], strict=True) for name, each in whole.items()}
    del pairs["by hand"]
    ratios = [
        f"{name} is x{statistics.median(own / hand for own, hand in each):.2f}"
        for name, each in pairs.items()
    ]
    one = f"; one metric() {statistics.median(calls) * 1e6:.0f} us" if calls else ""
    print(
        f"  {metrics} metrics: {'; '.join(cells)}; {', '.join(ratios)} of by hand{one}", flush=True
    )
    engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--metrics", type=int, nargs="+", default=[0, 10, 100])
    parser.add_argument("--engines", nargs="+", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for engine in arguments.engines:
            url = sa.make_url(f"sqlite:///{scratch}/runs.db")
            if engine == "postgresql":
                url = stack.enter_context(running_postgres()).url()
            metadata.create_all(sa.create_engine(url, poolclass=sa.NullPool))
            print(f"{engine}, {arguments.runs} runs", flush=True)
            for metrics in arguments.metrics:
                measure(url, metrics, arguments.runs)


if __name__ == "__main__":
    main()
