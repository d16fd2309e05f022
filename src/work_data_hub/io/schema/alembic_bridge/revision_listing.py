"""Lists the revisions of a project: from the text of its files, or else by executing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.io.schema.revisions import project_files
from work_data_hub.io.schema.revisions.contradictions import read_if_possible

if TYPE_CHECKING:
    from pathlib import Path

    from alembic.script import Script

    from work_data_hub.domain.revisions.history import History
    from work_data_hub.domain.revisions.naming import RevisionInfo


def heads(alembic_ini: Path | None = None) -> tuple[str, ...]:
    """Return the ids of the revisions that no other builds on; one, unless there are branches.

    Imports neither Alembic nor SQLAlchemy, unless a file must be executed to be understood.

    Raises:
        HistoryError: a revision file cannot be read, or two have one id.
    """
    history = _sound(alembic_ini)
    if history is not None:
        return tuple(sorted(history.heads))
    from work_data_hub.io.schema.alembic_bridge.commands import config_of, worded

    with worded(config_of(alembic_ini)) as scripts:
        return tuple(sorted(scripts.get_heads()))


def history(alembic_ini: Path | None = None) -> tuple[RevisionInfo, ...]:
    """Return every revision, the oldest first.

    Raises:
        HistoryError: as ``heads``.
    """
    found = _sound(alembic_ini)
    return _executed(alembic_ini) if found is None else _as_alembic_orders(found)


def shown(revision: str, alembic_ini: Path | None = None) -> tuple[tuple[RevisionInfo, str], ...]:
    """Return revisions, and what Alembic's `show` says of each: their whole docstring, and more.

    Args:
        revision: an id or its beginning, head, heads, base, or several ids with commas.
        alembic_ini: the project.

    Raises:
        HistoryError: as ``heads``; or it is unknown.
    """
    from work_data_hub.io.schema.alembic_bridge.commands import config_of, worded

    with worded(config_of(alembic_ini)) as scripts:
        found = [each for one in revision.split(",") for each in scripts.get_revisions(one)]
        return tuple((described(script), script.log_entry.strip()) for script in found)


def _sound(alembic_ini: Path | None) -> History | None:
    """Return the history as the text says it; None when only executing the files can tell."""
    found = read_if_possible(str(project_files.meant(alembic_ini)))
    return None if found is None or found.findings else found


def _as_alembic_orders(history: History) -> tuple[RevisionInfo, ...]:
    from work_data_hub.domain.revisions.naming import RevisionInfo
    from work_data_hub.io.schema.alembic_bridge.revision_map import revision_map

    heads = set(history.heads)
    order = revision_map(history).iterate_revisions(
        "heads", "base", inclusive=True, assert_relative_length=False
    )
    return tuple(
        RevisionInfo(
            revision=each.revision,
            down_revisions=tuple(sorted(history.revisions[each.revision].down_revisions)),
            description=history.revisions[each.revision].description,
            path=history.paths[each.revision],
            is_head=each.revision in heads,
        )
        for each in reversed(list(order))
    )


def _executed(alembic_ini: Path | None) -> tuple[RevisionInfo, ...]:
    from work_data_hub.io.schema.alembic_bridge.commands import config_of, worded

    with worded(config_of(alembic_ini)) as scripts:
        return tuple(described(script) for script in reversed(list(scripts.walk_revisions())))


def described(script: Script) -> RevisionInfo:
    """Return what Alembic knows of a revision."""
    from alembic.util import to_tuple

    from work_data_hub.domain.revisions.naming import RevisionInfo
    from work_data_hub.io.schema.alembic_bridge.revision_map import description

    return RevisionInfo(
        revision=script.revision,
        down_revisions=tuple(sorted(to_tuple(script.down_revision, default=()))),
        description=description(script),
        path=script.path,
        is_head=script.is_head,
    )
