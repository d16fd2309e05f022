"""The verbs that need the revision files and no database: heads, history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.cli import project_config
from work_data_hub.cli.answer import Answer
from work_data_hub.cli.verb import verb

if TYPE_CHECKING:
    from argparse import Namespace


@verb(examples=("wdh db heads",))
def heads(call: Namespace) -> Answer:
    """List the revisions that no other builds on."""
    from work_data_hub.io.schema.alembic_bridge import revision_listing

    found = revision_listing.heads(project_config.find(call.config))
    return Answer({"heads": list(found)}, found or ("there is no revision",), bare=found)


@verb(examples=("wdh db history", "wdh db history --quiet   # ids alone"))
def history(call: Namespace) -> Answer:
    """List the revisions, the newest first."""
    from dataclasses import asdict

    from work_data_hub.io.schema.alembic_bridge import revision_listing

    revisions = revision_listing.history(project_config.find(call.config))[::-1]
    lines = [
        f"{each.revision}{' (head)' if each.is_head else ''}  {each.description}".rstrip()
        for each in revisions
    ]
    bare = [each.revision for each in revisions]
    return Answer(
        {"revisions": [asdict(each) for each in revisions]},
        lines or ("there is no revision",),
        bare=bare,
    )
