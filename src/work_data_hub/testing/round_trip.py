"""Takes every revision of a project up, down and up again, and compares the schemas."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from work_data_hub.errors import MigrationFailedError, WorkDataHubError
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.snapshot import inspection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy.engine import URL

    from work_data_hub.domain.revisions.naming import RevisionInfo
    from work_data_hub.testing.project import Project


_UNDO = "make downgrade() undo all that upgrade() does, and nothing else"


def round_trip(project: Project, url: URL) -> None:
    """Take each revision up, down and up again: down must give the schema that was there before.

    Branches, merge points and dependencies are walked in an order in which each revision comes
    after what it needs.

    Args:
        project: whose revisions.
        url: an empty database; it is at the heads afterwards.

    Raises:
        MigrationFailedError: a direction of a revision failed, or left another schema. It has
            one note for each difference.
    """
    before = _schema(url)
    for revision in project.history:
        with failing_as(revision, "the upgrade failed"):
            project.upgrade(url, revision.revision)
        upgraded = _schema(url)
        with failing_as(revision, "the downgrade failed"):
            project.take_back(url, revision)
        after = _differences("", before, _schema(url))
        refuse(revision, "after upgrade and downgrade the schema is another", _UNDO, after)
        with failing_as(revision, "the second upgrade failed"):
            project.upgrade(url, revision.revision)
        again = _differences("", upgraded, _schema(url))
        refuse(revision, "the second upgrade gives another schema", _UNDO, again)
        before = upgraded


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


def refuse(revision: RevisionInfo, fault: str, hint: str, found: Iterable[str]) -> None:
    """Refuse what was found, if anything was.

    Raises:
        MigrationFailedError: with a note for each line of it.
    """
    if lines := list(found):
        error = MigrationFailedError(
            f"{revision.revision}: {fault}", hint=hint, failed=revision.revision
        )
        for line in lines:
            error.add_note(line)
        raise error


def is_version_table(columns: list[str]) -> bool:
    """Say whether a table of these columns is Alembic's own, whatever its name."""
    return columns == ["version_num"]


def _schema(url: URL) -> dict[str, Any]:
    with connect(url, read_only=True) as connection:
        found = inspection.snapshot(connection)
    for name, table in list(found["tables"].items()):
        if is_version_table([column["name"] for column in table["columns"]]):
            del found["tables"][name]
    return found


def _differences(path: str, wanted: Any, found: Any) -> Iterator[str]:
    """Name what differs, as deep as both have it."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted({*wanted, *found}, key=str):
            inner = f"{path}.{key}" if path else str(key)
            if key not in found:
                yield f"{inner} is missing"
            elif key not in wanted:
                yield f"{inner} was not there before"
            else:
                yield from _differences(inner, wanted[key], found[key])
    elif isinstance(wanted, list) and isinstance(found, list):
        if (old := _named(wanted)) == (new := _named(found)) and wanted != found:
            yield f"{path}: the order was {', '.join(map(str, old))} and is {_names(found)}"
        yield from _differences(path, old, new)
    elif wanted != found:
        yield f"{path} was {wanted!r} and is {found!r}"


def _named(items: list[Any]) -> dict[str, Any]:
    """Return the items by their names; what has none stands for itself."""
    return {str(item.get("name") if isinstance(item, dict) else item): item for item in items}


def _names(items: list[Any]) -> str:
    return ", ".join(_named(items))
