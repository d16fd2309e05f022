"""What a project leaves out of every comparison of schemas: the rules in its alembic.ini."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.ignored import IGNORE, Rule, parse_rules
from work_data_hub.io.schema.revisions.script_locations import lines_of

if TYPE_CHECKING:
    from pathlib import Path


def rules_of(ini: str | Path | None) -> list[Rule]:
    """Return the rules; none where a program configures Alembic without a file.

    Raises:
        UsageError: a line of ``drift_ignore`` is no rule, or the file cannot be read.
    """
    return [] if ini is None else parse_rules(lines_of(str(ini), IGNORE))
