"""Where in a project's files an error was raised, as ``path:line``."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import alembic

from work_data_hub.io.schema.alembic_bridge.revision_map import version_folders

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

_PACKAGE = Path(__file__).resolve().parents[3]
_OF_NOBODY = {Path(alembic.__file__).parent, Path(sysconfig.get_path("stdlib")), _PACKAGE}


def revision_file_in(error: BaseException, scripts: ScriptDirectory) -> str | None:
    """Return the innermost place in a revision file, if one is involved.

    They lie below env.py's folder, or in other ones that version_locations names.
    """
    env = _env_py(scripts)
    if isinstance(error, SyntaxError) and error.filename:
        is_env = Path(error.filename).resolve() == env
        return None if is_env else f"{error.filename}:{error.lineno}"
    folders = {Path(scripts.dir).resolve(), *version_folders(scripts)}
    for frame in reversed(_frames(error)):
        path = Path(frame.filename)
        if path.resolve() != env and folders & {*path.resolve().parents}:
            return f"{path}:{frame.lineno}"
    return None


def env_py_in(error: BaseException, scripts: ScriptDirectory) -> str | None:
    """Return the place in env.py that raised, or called what did; None when it was the package."""
    env = _env_py(scripts)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{env}:{error.lineno}" if Path(error.filename).resolve() == env else None
    frames = _frames(error)
    lines = [n for n, frame in enumerate(frames) if Path(frame.filename).resolve() == env]
    if not lines or any(_PACKAGE in Path(each.filename).parents for each in frames[lines[-1] :]):
        return None
    return f"{env}:{frames[lines[-1]].lineno}"


def innermost(error: BaseException) -> str | None:
    """Return the innermost place in code that is not installed, nor Python's, nor ours."""
    for frame in reversed(_frames(error)):
        path = Path(frame.filename)
        is_file = not frame.filename.startswith("<")
        if is_file and "site-packages" not in path.parts and not _OF_NOBODY & {*path.parents}:
            return f"{path}:{frame.lineno}"
    return None


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    return list(traceback.extract_tb(error.__traceback__))


def _env_py(scripts: ScriptDirectory) -> Path:
    return Path(scripts.env_py_location).resolve()
