"""The verb that lists the revisions, or draws them as a graph: history."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from work_data_hub.cli import project_config, screen
from work_data_hub.cli.answer import Answer
from work_data_hub.cli.verb import argument, verb
from work_data_hub.errors import WorkDataHubError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from work_data_hub.domain.revisions.naming import RevisionInfo
    from work_data_hub.io.schema.authoring.authors import Origin

_LONGEST_AUTHOR = 16


class _Place(NamedTuple):
    """Where the database stands.

    Attributes:
        versions: the revisions that it is at.
        applied: those and all before them; None where it could not be asked.
        why_not: then, why.
    """

    versions: tuple[str, ...]
    applied: frozenset[str] | None
    why_not: str = ""


@verb(
    argument(
        "--graph",
        action="store_true",
        help="draw it, with dates, authors and what is applied; a terminal gets that anyway",
    ),
    examples=(
        "wdh db history",
        "wdh db history --graph | cat   # the drawing, in a pipe",
        "wdh db history --quiet   # ids alone",
    ),
)
def history(call: Namespace) -> Answer:
    """List the revisions, the newest first; draw them where that was asked for, or can be seen."""
    from work_data_hub.io.schema.alembic_bridge import revision_listing

    ini = project_config.find(call.config)
    revisions = revision_listing.history(ini)[::-1]
    data, bare = [_data(each) for each in revisions], [each.revision for each in revisions]
    is_seen = screen.is_live(sys.stdout) and not (call.json or call.quiet)
    if not revisions or not (call.graph or is_seen):
        lines = [
            f"{each.revision}{' (head)' if each.is_head else ''}  {each.description}".rstrip()
            for each in revisions
        ]
        return Answer({"revisions": data}, lines or ("there is no revision",), bare=bare)
    from work_data_hub.io.schema.authoring.authors import read_origins

    origins = read_origins(each.path for each in revisions)
    place = _place(call.database_url, ini, revisions)
    for each, row in zip(revisions, data, strict=True):
        row |= _seen(each, origins, place)
    further = {"revisions": data, "database_is_at": [*place.versions]}
    return Answer(further, [*_drawing(revisions, origins, place), *_legend(place)], bare=bare)


def _place(url: str | None, ini: Path, revisions: Sequence[RevisionInfo]) -> _Place:
    """Ask the database, as far as it answers: the drawing needs none."""
    from work_data_hub.io.schema import migration_runner

    try:
        versions = migration_runner.current(url, alembic_ini=ini)
    except WorkDataHubError as error:
        return _Place((), None, error.message)
    parents = {each.revision: each.down_revisions for each in revisions}
    applied: set[str] = set()
    left = [*versions]
    while left:
        if (revision := left.pop()) not in applied:
            applied.add(revision)
            left += parents.get(revision, ())
    return _Place(versions, frozenset(applied))


def _seen(revision: RevisionInfo, origins: Mapping[str, Origin], place: _Place) -> dict[str, Any]:
    """Return what the drawing says beside the list."""
    origin = origins.get(revision.path)
    return {
        "author": origin.author if origin else None,
        "date": _day(revision, origin) or None,
        "applied": None if place.applied is None else revision.revision in place.applied,
    }


def _day(revision: RevisionInfo, origin: Origin | None) -> str:
    """Return when it was made: by its id where that is a time, else when it was committed."""
    from work_data_hub.domain.revisions.naming import is_revision_id

    made = revision.revision
    if is_revision_id(made):
        return f"{made[:4]}-{made[4:6]}-{made[6:8]}"
    return origin.day if origin else ""


def _drawing(
    revisions: Sequence[RevisionInfo], origins: Mapping[str, Origin], place: _Place
) -> Iterator[str]:
    from work_data_hub.domain.revisions.graph import draw

    by_id = {each.revision: each for each in revisions}
    rows = list(draw((each.revision, each.down_revisions) for each in revisions))
    lanes = max(len(row.lanes) for row in rows)
    ids = max(map(len, by_id))
    authors = [origin.author for origin in origins.values()]
    author_columns = min(_LONGEST_AUTHOR, max(map(len, authors), default=0))
    for row in rows:
        if row.revision is None:
            yield row.lanes
            continue
        each = by_id[row.revision]
        origin = origins.get(each.path)
        author = (origin.author if origin else "")[:author_columns]
        told = [f"{each.revision:<{ids}}", f"{_day(each, origin):<10}"]
        told += [f"{author:<{author_columns}}"] if author_columns else []
        names = _names(each, place)
        is_pending = place.applied is not None and each.revision not in place.applied
        drawn = row.lanes.replace("*", "o") if is_pending else row.lanes
        line = "  ".join([f"{drawn:<{lanes}}", *told, f"{names}{each.description}"]).rstrip()
        style = "bold green" if each.revision in place.versions else "yellow" * is_pending
        yield screen.styled(screen.cut(line, sys.stdout), style, sys.stdout)


def _names(revision: RevisionInfo, place: _Place) -> str:
    names = [
        *(["database"] if revision.revision in place.versions else []),
        *(["head"] if revision.is_head else []),
    ]
    return f"({', '.join(names)}) " if names else ""


def _legend(place: _Place) -> list[str]:
    if place.applied is None:
        return [f"(what is applied is not known: {place.why_not})"]
    at = ", ".join(place.versions) or "base (no revision)"
    return [f"(* applied, o pending; the database is at {at})"]


def _data(revision: RevisionInfo) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(revision)
