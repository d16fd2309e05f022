"""A finding as GitHub Actions shows it beside the line that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from work_data_hub.domain.revisions.verification import Finding

# github.com/actions/toolkit, packages/core/src/command.ts: escapeData and escapeProperty.
_IN_MESSAGES = {ord("%"): "%25", ord("\r"): "%0D", ord("\n"): "%0A"}
_IN_PROPERTIES = {**_IN_MESSAGES, ord(":"): "%3A", ord(","): "%2C"}


def annotation(finding: Finding, path: str | None) -> str:
    """Return the workflow command, one line.

    Args:
        finding: what was found.
        path: its file, relative to the repository.
    """
    message = finding.message.translate(_IN_MESSAGES)
    properties = f"title={_property(finding.code)}"
    if path is not None:
        properties = f"file={_property(path)},line={finding.line},{properties}"
    return f"::{finding.severity} {properties}::{message}"


def _property(text: str) -> str:
    return text.translate(_IN_PROPERTIES)
