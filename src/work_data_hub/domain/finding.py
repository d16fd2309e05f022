"""Something that is wrong, as a value; said to people, to programs and to GitHub.

A plain class: the quick verbs cannot afford what `dataclasses` and `typing` cost to import.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ERROR, WARNING = "error", "warning"
# github.com/actions/toolkit, packages/core/src/command.ts: escapeData and escapeProperty.
_IN_MESSAGES = {ord("%"): "%25", ord("\r"): "%0D", ord("\n"): "%0A"}
_IN_PROPERTIES = {**_IN_MESSAGES, ord(":"): "%3A", ord(","): "%2C"}


class Finding:
    """One thing that is wrong.

    Attributes:
        code: what kind of fault it is, for programs (docs/command-line.md).
        message: what was found, one line, without path and line.
        path: the file; None where no file is meant.
        line: 1-based; 1 where the whole file is meant.
        severity: ``error``, or ``warning`` for what need not be a fault.
        hint: what to do, one line; empty where the message leaves no question.
    """

    __slots__ = ("code", "hint", "line", "message", "path", "severity")

    def __init__(
        self,
        code: str,
        message: str,
        path: str | None = None,
        line: int = 1,
        severity: str = ERROR,
        hint: str = "",
    ) -> None:
        self.code = code
        self.message = message
        self.path = path
        self.line = line
        self.severity = severity
        self.hint = hint

    def with_hint(self, hint: str) -> Finding:
        """Return the same with another hint."""
        return Finding(self.code, self.message, self.path, self.line, self.severity, hint)

    def __str__(self) -> str:
        """Return what was found and where, as the message of an error says it."""
        return self.message if self.path is None else f"{self.path}:{self.line}: {self.message}"


def as_text(finding: Finding, path: str | None) -> str:
    """Return a finding as a line for people; what is in no file is in the database.

    Args:
        finding: what was found.
        path: its file, as it is to be shown.
    """
    place = "database" if path is None else f"{path}:{finding.line}"
    return f"{place}: {finding.severity}: {_with_hint(finding)} [{finding.code}]"


def as_data(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain data; ``Finding(**data)`` is the finding again."""
    return {name: getattr(finding, name) for name in finding.__slots__}


def as_annotation(finding: Finding, path: str | None) -> str:
    """Return a finding as GitHub Actions shows it beside its line: a workflow command, one line.

    Args:
        finding: what was found.
        path: its file, relative to the repository.
    """
    message = _with_hint(finding).translate(_IN_MESSAGES)
    properties = f"title={_property(finding.code)}"
    if path is not None:
        properties = f"file={_property(path)},line={finding.line},{properties}"
    return f"::{finding.severity} {properties}::{message}"


def _with_hint(finding: Finding) -> str:
    return f"{finding.message}; {finding.hint}" if finding.hint else finding.message


def _property(text: str) -> str:
    return text.translate(_IN_PROPERTIES)
