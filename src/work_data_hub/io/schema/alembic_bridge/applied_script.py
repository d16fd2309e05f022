"""Revisions as they were applied, for Alembic's graph, whatever their files say now."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from alembic.script import Script
from alembic.script.revision import RevisionMap

from work_data_hub.io.schema.alembic_bridge.revision_map import loader_of, paths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alembic.script import ScriptDirectory


class AppliedScript(Script):
    """A revision whose text is not that of its file.

    Args:
        revision: its id.
        text: as it was applied.
        path: where its file is, or was.

    Attributes:
        text: as it was given.
    """

    def __init__(self, revision: str, text: bytes, path: str) -> None:
        self.text = text
        module = ModuleType(f"applied_{revision}")
        # It may read a file beside it.
        module.__file__ = path
        label = f"{path} (as it was applied)"
        exec(compile(text, label, "exec", dont_inherit=True), module.__dict__)  # noqa: S102  # what Alembic does
        super().__init__(module, revision, label)


def graph_with(scripts: ScriptDirectory, applied: Mapping[str, bytes]) -> RevisionMap:
    """Return Alembic's graph of the files, with other texts for some revisions.

    The files are loaded anew: a revision of Alembic's holds what builds on it, and so belongs to
    one graph.

    Args:
        scripts: the files.
        applied: the text of each revision as it was applied, also of those that have no file.
    """
    files_of = paths(scripts)

    load_files = loader_of(scripts)

    def load() -> list[Script]:
        files = {each.revision: each for each in load_files()}
        for revision, text in applied.items():
            path = files_of.get(revision) or str(Path(scripts.dir, "versions", f"{revision}.py"))
            files[revision] = AppliedScript(revision, text, path)
        return [*files.values()]

    return RevisionMap(load)
