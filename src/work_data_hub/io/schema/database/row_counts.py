"""How many rows there are in each table of a database, as far as a look may count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from work_data_hub.domain.record.record import NOT_THE_SCHEMA

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

COUNT_LIMIT = 1_000_000


def row_counts(connection: Connection) -> dict[str, int]:
    """Return the number of rows of every table but Alembic's and the framework's, by name.

    Counting stops at ``COUNT_LIMIT`` + 1 rows: a look at a database must not read all of it.
    """
    names = sorted({*sa.inspect(connection).get_table_names()} - NOT_THE_SCHEMA)
    return {name: _count(connection, name) for name in names}


def _count(connection: Connection, name: str) -> int:
    some_rows = sa.select(sa.literal(1)).select_from(sa.table(name)).limit(COUNT_LIMIT + 1)
    count = sa.select(sa.func.count()).select_from(some_rows.subquery())
    return int(connection.execute(count).scalar_one())
