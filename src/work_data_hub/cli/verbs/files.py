"""The verbs that need the revision files and no database: heads, show, edit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from work_data_hub.cli import project_config
from work_data_hub.cli.answer import Answer
from work_data_hub.cli.verb import argument, verb

if TYPE_CHECKING:
    from argparse import Namespace

    from work_data_hub.domain.revisions.naming import RevisionInfo


@verb(examples=("wdh db heads",))
def heads(call: Namespace) -> Answer:
    """List the revisions that no other builds on."""
    from work_data_hub.io.schema.alembic_bridge import revision_listing

    found = revision_listing.heads(project_config.find(call.config))
    return Answer({"heads": list(found)}, found or ("there is no revision",), bare=found)


_REVISION = argument(
    "revision",
    nargs="?",
    default="head",
    metavar="REVISION",
    help="an id or its beginning, head, heads, current (default: head)",
)


@verb(_REVISION, examples=("wdh db show", "wdh db show current"))
def show(call: Namespace) -> Answer:
    """Show all that a revision says of itself."""
    found = _named(call)
    lines: list[str] = []
    for _, text in found:
        lines += ["", *text.splitlines()] if lines else text.splitlines()
    return Answer(
        {"revisions": [{**_data(each), "text": text} for each, text in found]},
        lines or ("there is no revision",),
        bare=[each.path for each, _ in found],
    )


@verb(_REVISION, examples=("wdh db edit", "EDITOR=nano wdh db edit current"))
def edit(call: Namespace) -> Answer:
    """Open a revision's file in the editor.

    Raises:
        MissingError: there is no editor, or it failed.
    """
    from alembic.util import CommandError
    from alembic.util.editor import open_in_editor

    from work_data_hub.errors import MissingError

    paths = [each.path for each, _ in _named(call)]
    for path in paths:
        try:
            open_in_editor(path)
        except CommandError as error:
            raise MissingError(f"{error}", hint="name one that works: EDITOR=nano") from error
    return Answer({"paths": paths}, paths or ("there is no revision",), bare=paths)


def _named(call: Namespace) -> tuple[tuple[RevisionInfo, str], ...]:
    """Return the revisions that were asked for."""
    from work_data_hub.io.schema.alembic_bridge import revision_listing

    ini, wanted = project_config.find(call.config), call.revision
    if wanted == "current":
        from work_data_hub.io.schema import migration_runner

        wanted = ",".join(migration_runner.current(call.database_url, alembic_ini=ini))
    return revision_listing.shown(wanted, ini) if wanted else ()


def _data(revision: RevisionInfo) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(revision)
