"""Alembic's own graph, fed with what was read from the files: each is executed when it is to run.

What Alembic does not offer openly is kept in this room.
"""

from __future__ import annotations

import os
import re
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision, RevisionMap
from alembic.util import load_python_file, to_tuple

from work_data_hub.domain.revisions.revision_file import description_of
from work_data_hub.errors import HistoryError
from work_data_hub.io.schema.revisions.files import read_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

    from alembic.config import Config

    from work_data_hub.domain.revisions.history import History
    from work_data_hub.domain.revisions.revision_file import Declared


class ReadScript(Script):
    """A revision of which Alembic is told what the text of its file declares.

    Args:
        declared: what was read.
        path: of the file.
        digest: of its text.

    Attributes:
        description: the first paragraph of its docstring, as one line.
        digest: as it was given.
    """

    def __init__(self, declared: Declared, path: str, digest: str) -> None:
        # Not what Script makes of a module: there is none yet.
        Revision.__init__(
            self,
            declared.revision,
            declared.down_revisions,
            declared.depends_on or None,
            declared.branch_labels or None,
        )
        self.path = path
        self.digest = digest
        self.description = declared.description
        self._declared = declared

    @cached_property
    def module(self) -> ModuleType:  # type: ignore[override]  # a variable, there
        """The file, executed when it is asked for: a step of Alembic asks when it is planned.

        Raises:
            HistoryError: executed, it declares something else than what was read.
        """
        module = load_python_file(*os.path.split(self.path))
        self._refuse_another(module)
        return module

    def _refuse_another(self, module: ModuleType) -> None:
        read = self._declared
        for name, was_read in (
            ("revision", (read.revision,)),
            ("down_revision", read.down_revisions),
            ("depends_on", read.depends_on),
            ("branch_labels", read.branch_labels),
        ):
            found = to_tuple(getattr(module, name, None), default=())
            if found != was_read:
                raise HistoryError(
                    f"{self.path}:{_line_of(name, self.path)}: {name} reads"
                    f" {_shown(was_read)}, and is {_shown(found)} when the file is executed",
                    hint="assign it once, as a plain value; if the file was changed just now, run"
                    " the command again",
                )


def _shown(ids: tuple[str, ...]) -> str:
    return ", ".join(map(repr, ids)) or "None"


def _line_of(name: str, path: str) -> int:
    """Return the line that assigns a name; the first one where none does."""
    with Path(path).open(encoding="utf-8", errors="replace") as file:
        lines = [n for n, line in enumerate(file, 1) if re.match(rf"{name}\s*[:=]", line)]
    return lines[-1] if lines else 1


def read_when_needed(scripts: ScriptDirectory, config: Config) -> None:
    """Have Alembic's view of the files take what they declare from their text.

    A history that only executing its files can tell is loaded as Alembic does, and so is one with
    something wrong in it: Alembic says what.

    Args:
        scripts: of which nobody has asked anything yet; what was loaded already stays.
        config: that it was made from.
    """
    graph = scripts.revision_map
    is_plain = type(scripts) is ScriptDirectory and type(graph) is RevisionMap
    if is_plain and graph._generator == scripts._load_revisions and not _is_used(graph):  # noqa: SLF001
        scripts.revision_map = FileGraph(scripts, config)


def _is_used(graph: RevisionMap) -> bool:
    return "_revision_map" in vars(graph)


class FileGraph(RevisionMap):
    """Alembic's graph of the files that a view of Alembic's shows.

    Args:
        scripts: the view.
        config: that it was made from.
    """

    def __init__(self, scripts: ScriptDirectory, config: Config) -> None:
        super().__init__(self._revisions)
        self._scripts = scripts
        self._config = config

    @cached_property
    def history(self) -> History | None:
        """What the text of the files says, read once; None where they cannot be listed."""
        scripts, config = self._scripts, self._config
        folders = [os.fspath(each) for each in version_folders(scripts) if each.exists()]
        ini, toml = config.config_file_name, getattr(config, "toml_file_name", None)
        try:
            return read_folders(
                folders,
                is_recursive=scripts.recursive_version_locations,
                is_sourceless=scripts.sourceless,
                project=(
                    os.fspath(ini) if ini else None,
                    os.fspath(toml) if toml and not ini else None,
                    config.config_ini_section,
                ),
            )
        except OSError:
            return None

    def _revisions(self) -> Iterable[Script]:
        if self.history is None or self.history.findings:
            return self._scripts._load_revisions()  # noqa: SLF001
        return _of(self.history)


def version_folders(scripts: ScriptDirectory) -> list[Path]:
    """Return the folders of the revision files, absolute and without links, there or not."""
    # Its only list of them with `package:folder` resolved.
    return [Path(each).resolve() for each in scripts._version_locations]  # noqa: SLF001


def history_of(scripts: ScriptDirectory) -> History | None:
    """Return what the text of the files says; None where Alembic's graph is not made of it."""
    graph = scripts.revision_map
    return graph.history if isinstance(graph, FileGraph) else None


def paths(scripts: ScriptDirectory) -> dict[str, str]:
    """Return the file of each revision, by id."""
    history = history_of(scripts)
    if history is None or history.findings:
        return {script.revision: script.path for script in scripts.walk_revisions()}
    return history.paths


def needs(scripts: ScriptDirectory) -> dict[str, tuple[str, ...]]:
    """Return what must be applied just before each revision: what it builds and depends on."""
    return {
        script.revision: tuple(script._all_down_revisions)  # noqa: SLF001  # with depends_on
        for script in scripts.walk_revisions()
    }


def loader_of(scripts: ScriptDirectory) -> Callable[[], Iterable[Script]]:
    """Return what makes the revisions of the graph once more: each belongs to one graph."""
    return scripts.revision_map._generator  # type: ignore[return-value]  # noqa: SLF001  # they are its scripts


def revision_map(history: History) -> RevisionMap:
    """Return Alembic's graph of a history, made without executing a file.

    Heads, order, plans, ``label@head``, ``+N`` and beginnings of ids are then what Alembic says
    of these files, its errors included (``alembic.script.revision.RevisionError``).

    Args:
        history: a history without findings; what one leaves out, the graph does not hold.
    """
    return RevisionMap(partial(_of, history))


def _of(history: History) -> Iterator[ReadScript]:
    for name, declared in history.revisions.items():
        yield ReadScript(declared, history.paths[name], history.digests[name])


def description(script: Script) -> str:
    """Return the first paragraph of a revision's docstring as one line, executing no file."""
    return script.description if isinstance(script, ReadScript) else description_of(script.doc)
