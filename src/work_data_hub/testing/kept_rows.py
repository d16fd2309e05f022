"""Upgrades a project from each of its past revisions, and sees whether rows are lost."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from work_data_hub.domain.record.record import NOT_THE_SCHEMA, is_version_table
from work_data_hub.errors import MigrationFailedError
from work_data_hub.io.schema.engine import connect
from work_data_hub.testing.round_trip import (
    failing_as,
    raise_together,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import URL
    from sqlalchemy.engine.reflection import Inspector

    from work_data_hub.domain.revisions.naming import RevisionInfo
    from work_data_hub.testing.project import Project

_SHOWN = 5
_WITH_ROWS = "with rows in the tables"
_LOSES = "the upgrade loses rows that were there before it"


@dataclass(frozen=True)
class _Rows:
    """The rows of a table: how many, and their keys when it has a primary key."""

    key: tuple[str, ...]
    keys: frozenset[tuple[str, ...]]
    count: int


def keep_rows(project: Project, url: URL) -> None:
    """Upgrade from each past revision to the heads: every row of a table that stays must stay.

    The database is filled, seeds included, and taken back revision by revision, as far down as
    none is excused. Rows are known by their primary key; where there is none, or it changes, they
    are counted.

    Args:
        project: with seeds; its choice says which of its revisions are upgraded from.
        url: an empty database; it is at the heads afterwards.

    Raises:
        MigrationFailedError: rows were lost, or a revision failed. The message names every
            revision that loses some; there is one note for each table.
    """
    chosen = project.choice.of(project)
    project.fill(url)
    newest_first = tuple(
        itertools.takewhile(
            lambda info: info.revision not in project.choice.excused, reversed(project.history)
        )
    )
    faults = []
    for number, revision in enumerate(newest_first, start=1):
        if revision.revision not in chosen:
            continue
        _take_back(project, url, newest_first[:number])
        before = _rows(url)
        with failing_as(revision, f"{_WITH_ROWS} the upgrade failed"):
            project.upgrade(url)
        losses = _losses(before, _rows(url))
        try:
            refuse(revision, _LOSES, "carry them over in upgrade()", losses)
        except MigrationFailedError as error:
            faults.append(error)
    raise_together(faults, "upgrades lose rows that were there before them")


def _take_back(project: Project, url: URL, newest_first: Sequence[RevisionInfo]) -> None:
    last = newest_first[-1]
    with failing_as(last, f"{_WITH_ROWS} the downgrade failed"):
        for revision in (last,) if _is_one_line(newest_first) else newest_first:
            project.take_back(url, revision)


def _is_one_line(newest_first: Sequence[RevisionInfo]) -> bool:
    return all(
        newer.down_revisions == (older.revision,)
        for newer, older in itertools.pairwise(newest_first)
    )


def _rows(url: URL) -> dict[str, _Rows]:
    with connect(url, read_only=True) as connection:
        inspector = sa.inspect(connection)
        return {
            name: _rows_of(connection, inspector, name)
            for name in {*inspector.get_table_names()} - NOT_THE_SCHEMA
            if not is_version_table(column["name"] for column in inspector.get_columns(name))
        }


def _rows_of(connection: sa.Connection, inspector: Inspector, name: str) -> _Rows:
    key = tuple(inspector.get_pk_constraint(name)["constrained_columns"])
    columns: list[sa.ColumnElement[Any]] = [*(sa.column(column) for column in key)] or [
        sa.literal(1)
    ]
    found = connection.execute(sa.select(*columns).select_from(sa.table(name))).all()
    return _Rows(key, frozenset(tuple(map(str, row)) for row in found), len(found))


def _losses(before: dict[str, _Rows], after: dict[str, _Rows]) -> Iterator[str]:
    for name in sorted(before.keys() & after.keys()):
        old, new = before[name], after[name]
        if old.key and old.key == new.key:
            lost = sorted(old.keys - new.keys)
            if lost:
                shown = [_shown(old.key, row) for row in lost[:_SHOWN]]
                more = [f"and {len(lost) - _SHOWN} more"] if len(lost) > _SHOWN else []
                yield f"{name}: {', '.join(shown + more)}"
        elif new.count < old.count:
            yield f"{name}: {old.count - new.count} of {old.count} rows"


def _shown(key: tuple[str, ...], row: tuple[str, ...]) -> str:
    return " and ".join(f"{column} {value}" for column, value in zip(key, row, strict=True))
