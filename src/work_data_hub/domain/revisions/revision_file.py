"""What a revision file says, as values: read from its text, never by executing it.

Plain classes: the quick verbs cannot afford what `dataclasses` and `typing` cost to import.
"""

from __future__ import annotations


class Declared:
    """What a revision file declares.

    Attributes:
        revision: its id.
        down_revisions: what it builds on; empty for a base.
        depends_on: ids and branch labels that must be applied before.
        branch_labels: the names of the branch that starts here.
        description: the first line of its docstring.
    """

    __slots__ = ("branch_labels", "depends_on", "description", "down_revisions", "revision")

    def __init__(
        self,
        revision: str,
        down_revisions: tuple[str, ...] = (),
        depends_on: tuple[str, ...] = (),
        branch_labels: tuple[str, ...] = (),
        description: str = "",
    ) -> None:
        self.revision = revision
        self.down_revisions = down_revisions
        self.depends_on = depends_on
        self.branch_labels = branch_labels
        self.description = description


class Finding:
    """Why the files cannot be understood without executing them, or contradict each other.

    Attributes:
        kind: ``unreadable``, ``not-python``, ``no-revision``, ``computed``, ``refused`` (Alembic
            allows no such value); of a history ``duplicate-id``, ``label-taken``,
            ``unknown-parent``, ``unknown-dependency``, ``cycle``.
        path: the file.
        line: 1-based; 1 where the whole file is meant.
        reason: what was found, without path and line.
    """

    __slots__ = ("kind", "line", "path", "reason")

    def __init__(self, kind: str, path: str, line: int, reason: str) -> None:
        self.kind = kind
        self.path = path
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        """Return the finding as a line of text."""
        return f"{self.path}:{self.line}: {self.reason}"


class RevisionFile:
    """A file that Alembic would load.

    Attributes:
        path: the file, absolute, without symbolic links.
        digest: SHA-256 of its text, as the journal stores it; empty when it cannot be read.
        content: what it declares, or why that cannot be told.
    """

    __slots__ = ("content", "digest", "path")

    def __init__(self, path: str, digest: str, content: Declared | Finding) -> None:
        self.path = path
        self.digest = digest
        self.content = content
