"""Takes every revision of a project up, down and up again, and compares the schemas."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from work_data_hub.domain.snapshot.difference import differences
from work_data_hub.errors import MigrationFailedError, WorkDataHubError
from work_data_hub.io.schema.snapshot.reader import schema_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import URL

    from work_data_hub.domain.revisions.naming import RevisionInfo
    from work_data_hub.domain.snapshot.schema import Snapshot
    from work_data_hub.testing.project import Project


_UNDO = "make downgrade() undo all that upgrade() does, or excuse the revision: wdh_excused"


def round_trip(
    project: Project, url: URL, empty: Callable[[], AbstractContextManager[URL]]
) -> None:
    """Take each revision up, down and up again: down must give the schema that was there before.

    Branches, merge points and dependencies are walked in an order in which each revision comes
    after what it needs. The order of a table's columns does not count: no downgrade of
    PostgreSQL's gives a column back its place.

    Args:
        project: whose revisions; its choice says which of them.
        url: an empty database; it is left as the first revision at fault left it.
        empty: gives another one, on which the revisions after one at fault are tried.

    Raises:
        MigrationFailedError: a direction of a revision failed, or left another schema. It has
            one note for each difference, and names every revision at fault.
    """
    chosen = project.choice.of(project)
    walk = _Walk(project, url)
    faults: list[MigrationFailedError] = []
    with ExitStack() as stack:
        for position, revision in enumerate(walk.history):
            if revision.revision not in chosen or revision.revision in project.choice.excused:
                continue
            try:
                walk.up_to(position)
                before = schema_of(walk.url)
                walk.up_to(position + 1)
            except MigrationFailedError as error:  # nothing above it can be reached
                faults.append(error)
                break
            try:
                _down_and_up_again(project, walk.url, revision, before)
            except MigrationFailedError as error:
                faults.append(error)
                walk = _Walk(project, stack.enter_context(empty()))
    raise_together(faults, "revisions do not go up, down and up again")


class _Walk:
    """A database on its way up, revision by revision.

    Attributes:
        url: the database.
        history: every revision, each after what it needs.
    """

    def __init__(self, project: Project, url: URL) -> None:
        self.url, self.history = url, project.history
        self._project = project
        self._position = 0

    def up_to(self, position: int) -> None:
        """Run the first so many revisions of the history, and no other.

        Raises:
            MigrationFailedError: one of them failed.
        """
        if not position:
            # Runs env.py alone: what it makes by itself is there before the first revision.
            with failing_as(self.history[0], "env.py could not be run"):
                self._project.downgrade(self.url, "base")
        built_on = {below for info in self.history[:position] for below in info.down_revisions}
        for info in self.history[self._position : position]:
            if info.revision not in built_on:
                with failing_as(info, "the upgrade failed"):
                    self._project.upgrade(self.url, info.revision)
        self._position = position


def _down_and_up_again(
    project: Project, url: URL, revision: RevisionInfo, before: Snapshot
) -> None:
    upgraded = schema_of(url)
    with failing_as(revision, "the downgrade failed"):
        project.take_back(url, revision)
    after = differences(before, schema_of(url))
    refuse(revision, "after upgrade and downgrade the schema is another", _UNDO, after)
    with failing_as(revision, "the second upgrade failed"):
        project.upgrade(url, revision.revision)
    again = differences(upgraded, schema_of(url))
    refuse(revision, "the second upgrade gives another schema", _UNDO, again)


def raise_together(faults: Sequence[MigrationFailedError], what: str) -> None:
    """Raise the only fault there is as it is, and several as one that names each.

    Raises:
        MigrationFailedError: when there are any.
    """
    if len(faults) == 1:
        raise faults[0]
    if faults:
        error = MigrationFailedError(
            f"{len(faults)} {what}", hint=faults[0].hint, failed=faults[0].failed
        )
        for fault in faults:
            error.add_note(fault.message)
            for note in getattr(fault, "__notes__", ()):
                error.add_note(f"  {note}")
        raise error


@contextmanager
def failing_as(revision: RevisionInfo, what: str) -> Iterator[None]:
    """Say of which revision a fault is, and of which part of the check.

    Raises:
        MigrationFailedError: for every fault.
    """
    try:
        yield
    except WorkDataHubError as error:
        raise MigrationFailedError(
            f"{revision.revision}: {what}: {error.message}",
            hint=error.hint,
            failed=revision.revision,
        ) from error


def refuse(revision: RevisionInfo, fault: str, hint: str, found: Iterable[object]) -> None:
    """Refuse what was found, if anything was.

    Raises:
        MigrationFailedError: with a note for each line of it.
    """
    if lines := list(found):
        error = MigrationFailedError(
            f"{revision.revision}: {fault}", hint=hint, failed=revision.revision
        )
        for line in lines:
            error.add_note(str(line))
        raise error
