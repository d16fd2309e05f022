"""Makes new revisions, and joins several heads, by Alembic's own commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import command
from alembic.script import ScriptDirectory

from work_data_hub.errors import UsageError
from work_data_hub.io.schema.alembic_bridge import commands
from work_data_hub.io.schema.alembic_bridge.request import Request
from work_data_hub.io.schema.alembic_bridge.revision_listing import described
from work_data_hub.io.schema.authoring.writer import keep_head_file, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from alembic.config import Config
    from alembic.script import Script
    from sqlalchemy.engine import URL

    from work_data_hub.domain.revisions.naming import RevisionInfo

_LONGEST = 200


def make_revision(
    message: str,
    *,
    autogenerate: bool = False,
    head: str | None = None,
    branch_labels: Sequence[str] = (),
    database_url: str | URL | None = None,
    alembic_ini: Path | None = None,
) -> tuple[RevisionInfo, ...]:
    """Write a new revision file, named by the project's rule.

    Args:
        message: what it does, in at most 200 characters; one line.
        autogenerate: write what makes the database equal to the tables of the code.
        head: what it builds on: the single head when left out. A revision that others build on
            already becomes a branch point.
        branch_labels: names of the branch that starts with it.
        database_url: the database that autogenerate compares with.
        alembic_ini: the project.

    Raises:
        UsageError: the message has no usable character, or is too long.
        HistoryError: there are several heads and none was named, or the one that was is unknown.
        WorkDataHubError: what autogenerate finds wrong with the database.
    """
    line = _short(message)
    made: list[Script] = []

    def write(config: Config) -> None:
        quiet = commands.quiet(config)  # what it writes is a value here
        splice = head is not None and _has_children(quiet, head)
        written = command.revision(
            quiet, line, autogenerate, False, head or "head", splice, [*branch_labels] or None
        )
        made.extend(filter(None, written if isinstance(written, list) else [written]))
        # Where env.py is not run for new revisions, nobody else does.
        keep_head_file(ScriptDirectory.from_config(quiet))

    commands.run(Request(database_url=database_url), write, alembic_ini)
    return tuple(described(script) for script in made)


def _short(message: str) -> str:
    line = one_line(message)
    if len(line) > _LONGEST:
        raise UsageError(
            f"the message has {len(line)} characters, more than {_LONGEST}",
            hint="say in few words what changes; the why goes into the file's docstring",
        )
    return line


def merge(
    revisions: Sequence[str] = (),
    message: str | None = None,
    *,
    branch_labels: Sequence[str] = (),
    alembic_ini: Path | None = None,
) -> RevisionInfo | None:
    """Write a revision that joins others, and does nothing else; needs no database.

    Args:
        revisions: which, by id or its beginning; all heads when left out.
        message: as ``make_revision``; "merge" and the ids when left out.
        branch_labels: names of the branch that starts with it.
        alembic_ini: the project.

    Returns:
        The revision; None where there is nothing to join.

    Raises:
        UsageError: the message has no usable character.
        HistoryError: a revision is unknown, or others build on it already.
    """
    made: list[Script] = []

    def write(config: Config) -> None:
        quiet = commands.quiet(config)
        scripts = ScriptDirectory.from_config(quiet)
        joined = [each.revision for each in scripts.get_revisions(tuple(revisions) or "heads")]
        if len(joined) < 2:  # one is joined already
            return
        line = one_line(message or f"merge {' and '.join(sorted(joined))}")
        script = command.merge(quiet, joined, line, list(branch_labels) or None)
        assert script is not None
        made.append(script)
        keep_head_file(ScriptDirectory.from_config(quiet))

    commands.run(Request(), write, alembic_ini)
    return described(made[0]) if made else None


def _has_children(config: Config, head: str) -> bool:
    scripts = ScriptDirectory.from_config(config)
    return not all(script.is_head for script in scripts.get_revisions(head))
