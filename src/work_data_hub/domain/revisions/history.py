"""The revisions of a project as a graph: its heads, and what is wrong with it.

Only what the quick verbs ask. Plans, order and `label@head` are Alembic's to answer: see
`io.schema.revision_map`, which is fed from the same values.
"""

from __future__ import annotations

from work_data_hub.domain.revisions.revision_file import Declared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from work_data_hub.domain.finding import Finding
    from work_data_hub.domain.revisions.revision_file import RevisionFile


class History:
    """The revision files of a project, in the order in which Alembic loads them.

    Where there are findings, the heads are what the readable files say; whether that is so,
    only the full path can tell.

    Attributes:
        files: every file that Alembic would load.
        revisions: what they declare, by id.
        paths: the file of each id.
        digests: the digest of its text.
        findings: what cannot be read, and what contradicts itself; empty for a sound history.
    """

    def __init__(self, files: Sequence[RevisionFile]) -> None:
        self.files = tuple(files)
        self.revisions: dict[str, Declared] = {}
        self.paths: dict[str, str] = {}
        self.digests: dict[str, str] = {}
        self.findings: list[Finding] = []
        for file in files:
            self._add(file)
        self._targets = self._branches()
        self._needs = {revision: self._needs_of(revision) for revision in self.revisions}
        self._find_cycle()

    @property
    def heads(self) -> tuple[str, ...]:
        """The revisions that none builds on (Alembic's ``get_heads()``)."""
        parents = {name for each in self.revisions.values() for name in each.down_revisions}
        return tuple(revision for revision in self.revisions if revision not in parents)

    @property
    def effective_heads(self) -> tuple[str, ...]:
        """The version rows of a database at head: heads that none depends on either.

        Alembic's ``get_heads(consider_depends_on=True)``.
        """
        needed = {name for needs in self._needs.values() for name in needs}
        return tuple(revision for revision in self.revisions if revision not in needed)

    def unknown(self, rows: Iterable[str]) -> tuple[str, ...]:
        """Return the version rows that no file knows: the database is ahead of the code."""
        return tuple(row for row in rows if row not in self.revisions)

    def with_needs(self, revisions: Iterable[str]) -> set[str]:
        """Return revisions and all that must be applied before them, as far as files know them."""
        return _closure(revisions, self._needs)

    def with_ancestors(self, *revisions: str) -> set[str]:
        """Return revisions and all that they build on, without what they depend on."""
        parents = {name: each.down_revisions for name, each in self.revisions.items()}
        return _closure(revisions, parents)

    def with_descendants(self, revisions: Iterable[str]) -> list[str]:
        """Return revisions and all that build on them, in the order of the files."""
        children: dict[str, tuple[str, ...]] = dict.fromkeys(self.revisions, ())
        for name, each in self.revisions.items():
            for parent in each.down_revisions:
                children[parent] = (*children.get(parent, ()), name)
        found = _closure(revisions, children)
        return [name for name in self.revisions if name in found]

    def _add(self, file: RevisionFile) -> None:
        content = file.content
        if not isinstance(content, Declared):
            self.findings.append(content)
            return
        if content.revision in self.revisions:
            other = self.paths[content.revision]
            message = f"the revision id {content.revision!r} is that of {other} too"
            hint = "give one of the two files another id, or delete it"
            self._found("duplicate-id", file.path, message, hint)
        self.revisions[content.revision] = content
        self.paths[content.revision] = file.path
        self.digests[content.revision] = file.digest

    def _found(self, code: str, path: str, message: str, hint: str = "") -> None:
        from work_data_hub.domain.finding import Finding  # not needed where nothing is wrong

        self.findings.append(Finding(code, message, path, hint=hint))

    def _branches(self) -> dict[str, str]:
        """Return the revision that each id and each branch label means."""
        targets = {revision: revision for revision in self.revisions}
        for revision, each in self.revisions.items():
            for label in each.branch_labels:
                if label in targets:
                    path = self.paths[revision]
                    message = f"the branch label {label!r} is taken by {targets[label]!r}"
                    self._found("label-taken", path, message)
                targets[label] = revision
        return targets

    def _needs_of(self, revision: str) -> tuple[str, ...]:
        """Return the revisions that must be applied just before this one."""
        declared, path = self.revisions[revision], self.paths[revision]
        needs = [parent for parent in declared.down_revisions if parent in self.revisions]
        if len(needs) < len(declared.down_revisions):
            for parent in declared.down_revisions:
                if parent not in self.revisions:
                    message = f"{revision!r} builds on {parent!r}, which no file declares"
                    hint = "restore that file, or correct down_revision"
                    self._found("unknown-parent", path, message, hint)
        for name in declared.depends_on:
            if name in self._targets:
                needs.append(self._targets[name])
            else:
                message = f"{revision!r} depends on {name!r}, which no file declares"
                self._found("unknown-dependency", path, message)
        return tuple(needs)

    def _find_cycle(self) -> None:
        cycle = _cycle(self._needs)
        if cycle:
            way = " -> ".join([*cycle, cycle[0]])
            self._found("cycle", self.paths[cycle[0]], f"revisions need each other: {way}")


def _closure(start: Iterable[str], needs: dict[str, tuple[str, ...]]) -> set[str]:
    found: set[str] = set()
    open_names = list(start)
    while open_names:
        name = open_names.pop()
        if name in needs and name not in found:
            found.add(name)
            open_names.extend(needs[name])
    return found


def _cycle(needs: dict[str, tuple[str, ...]]) -> list[str]:
    """Return the revisions of a cycle, each followed by one that it needs; empty without one."""
    finished: set[str] = set()
    for start in needs:
        # A loop, not recursion: histories are longer than Python's stack.
        way, inside = [start], {start}
        open_needs = [iter(needs[start])]
        while way:
            for name in open_needs[-1]:
                if name in inside:
                    return way[way.index(name) :]
                if name not in finished:
                    way.append(name)
                    inside.add(name)
                    open_needs.append(iter(needs[name]))
                    break
            else:
                open_needs.pop()
                inside.discard(way[-1])
                finished.add(way.pop())
    return []
