"""Findings at the command line: as lines for people, or as annotations for GitHub."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from work_data_hub.cli.verb import argument
from work_data_hub.domain.finding import ERROR, as_annotation, as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from work_data_hub.domain.finding import Finding

FORMAT = argument(
    "--format", choices=("text", "github"), default="text", help="how it is written (default: text)"
)


def errors(findings: Sequence[Finding]) -> list[Finding]:
    """Return those that are errors: they decide on the exit code."""
    return [each for each in findings if each.severity == ERROR]


def written(finding: Finding, form: str) -> str:
    """Return a finding as a line, in one of the choices of ``FORMAT``."""
    path = finding.path
    if form == "github":
        root = os.environ.get("GITHUB_WORKSPACE") or os.curdir
        return as_annotation(finding, path and os.path.relpath(path, root))
    return as_text(finding, path and shown(path))


def shown(path: str) -> str:
    """Return a path as short as it can be."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative
