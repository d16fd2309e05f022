"""What a revision file says, as values: read from its text, never by executing it.

Plain classes: the quick verbs cannot afford what `dataclasses` and `typing` cost to import.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from work_data_hub.domain.finding import Finding


class Declared:
    """What a revision file declares.

    Attributes:
        revision: its id.
        down_revisions: what it builds on; empty for a base.
        depends_on: ids and branch labels that must be applied before.
        branch_labels: the names of the branch that starts here.
        description: the first paragraph of its docstring, as one line.
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


def description_of(docstring: str | None) -> str:
    """Return the first paragraph of a docstring as one line: what Alembic calls its doc."""
    paragraph = (docstring or "").strip().partition("\n\n")[0]
    return " ".join(paragraph.split())


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
