"""What reading a schema into a snapshot takes, beside SQLAlchemy's `MetaData.reflect` of the same;
and what a run does at its end: read it, and make of it what is kept in the journal.

    python benchmarks/snapshot.py [--tables 10 100 300] [--rounds 5]
        [--engines sqlite postgresql]

Each table has 10 columns, 4 indexes, a foreign key and a check (on PostgreSQL also comments). In
turn, in one process, on a connection that is open; printed are medians in milliseconds and the
median of the ratios pair by pair. The PostgreSQL is the one of the tests; SQLite's file is in the
folder for temporary files.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from work_data_hub.domain.snapshot.fingerprint import fingerprint_of
from work_data_hub.domain.snapshot.ignored import as_programs_see_it
from work_data_hub.io.schema.ephemeral.postgres_server import running_postgres
from work_data_hub.io.schema.snapshot.reader import read_schema

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine


def fill(connection: Connection, tables: int) -> None:
    """Make the first so many tables, each of which refers to the one before it."""
    metadata = sa.MetaData()
    comment = "what it is" if connection.dialect.supports_comments else None
    for number in range(tables):
        sa.Table(
            f"t{number}",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("before", sa.ForeignKey(f"t{max(0, number - 1)}.id")),
            *(
                sa.Column(f"c{place}", sa.String(40), server_default="x", comment=comment)
                for place in range(8)
            ),
            sa.CheckConstraint("id > 0", name=f"positive_{number}"),
            *(sa.Index(f"i{number}_{place}", f"c{place}") for place in range(4)),
            comment=comment,
        )
    metadata.create_all(connection)


def keep(connection: Connection) -> None:
    """Do what a run does at its end."""
    fingerprint_of(as_programs_see_it(read_schema(connection)))


def seconds_of(connection: Connection) -> tuple[float, ...]:
    """Reflect, read and keep once; return what each took, without the garbage of the others."""
    took = []
    for do in (sa.MetaData().reflect, read_schema, keep):
        gc.collect()
        begin = time.perf_counter()
        do(connection)
        took.append(time.perf_counter() - begin)
    return tuple(took)


def measure(engine: Engine, tables: int, rounds: int) -> None:
    with engine.begin() as connection:
        fill(connection, tables)
        seconds_of(connection)
        times = [seconds_of(connection) for _ in range(rounds)]
    reflected, read, kept = (1000 * statistics.median(each) for each in zip(*times, strict=True))
    ratio = statistics.median(ours / theirs for theirs, ours, _ in times)
    print(
        f"{engine.dialect.name:10} {tables:5} tables: reflect {reflected:7.1f} ms,"
        f" snapshot {read:7.1f} ms, ratio {ratio:.2f}; a run's end {kept:7.1f} ms",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tables", type=int, nargs="+", default=[10, 100, 300])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engines", nargs="+", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = (
            stack.enter_context(running_postgres()) if "postgresql" in arguments.engines else None
        )
        for name in arguments.engines:
            for tables in sorted(arguments.tables):
                if server is not None and name == "postgresql":
                    admin = sa.create_engine(server.url(), isolation_level="AUTOCOMMIT")
                    with admin.connect() as connection:
                        connection.exec_driver_sql(f"CREATE DATABASE of_{tables}")
                    admin.dispose()
                    url = server.url(f"of_{tables}")
                else:
                    url = sa.make_url(f"sqlite:///{folder / f'{tables}.db'}")
                engine = sa.create_engine(url)
                measure(engine, tables, arguments.rounds)
                engine.dispose()


if __name__ == "__main__":
    main()
