"""A database that a test makes ill, looks at, and treats as the findings say."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from work_data_hub.domain.sql.script import split
from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import create_engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import URL

    from work_data_hub.domain.finding import Finding

_SHOWN = re.compile(r"`([^`]+)`")


def execute(url: URL, *statements: str, may_fail: bool = False) -> list[Any]:
    """Execute statements outside of any transaction; return the rows of the last."""
    rows: list[Any] = []
    engine = create_engine(url).execution_options(isolation_level="AUTOCOMMIT", no_parameters=True)
    with engine.connect() as connection:
        for statement in statements:
            with suppress(*([sa.exc.DBAPIError] if may_fail else [])):
                found = connection.exec_driver_sql(statement)
                rows = [*found] if found.returns_rows else []
    return rows


def findings(url: URL) -> tuple[Finding, ...]:
    """Look at a database with WorkDataHub's own project."""
    return migration_runner.doctor(url).findings


def codes(found: Sequence[Finding]) -> list[tuple[str, str]]:
    """Return what was found, in short."""
    return [(each.severity, each.code) for each in found]


def treat(url: URL, finding: Finding, *corrections: str) -> None:
    """Do what a hint says: look at what it shows, correct that, and execute its statement.

    Args:
        url: of the database.
        finding: whose hint it is.
        corrections: what a person does where the hint says so.
    """
    *looked_at, statement = _SHOWN.findall(finding.hint)
    for query in looked_at:
        assert execute(url, query), query
    execute(url, *corrections)
    dialect: Any = url.get_backend_name()
    statements = [each.text for each in split(statement, dialect)]
    assert statements
    execute(url, *statements)
