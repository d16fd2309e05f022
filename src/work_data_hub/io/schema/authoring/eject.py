"""Takes the package out of an Alembic project again; no database is touched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.project.env_file import read_env_file
from work_data_hub.domain.project.env_plain import plain_env
from work_data_hub.domain.project.env_rewrite import IrreplaceableEnvError, rewrite_env
from work_data_hub.domain.project.flask_env import FLASK_ENV, is_flask_template
from work_data_hub.errors import RefusedError, UsageError
from work_data_hub.io.schema.authoring.file_changes import FileChange, write_all
from work_data_hub.io.schema.authoring.project_setup import BACKUP
from work_data_hub.io.schema.revisions.files import read_project

if TYPE_CHECKING:
    from collections.abc import Sequence


class Ejection(NamedTuple):
    """What was changed.

    Attributes:
        env: the plain env.py.
        is_original: whether it is the one that was there before ``init``.
    """

    env: Path
    is_original: bool


def eject(ini: Path) -> Ejection:
    """Make a project's env.py a plain one of Alembic again.

    It is the one that ``init`` kept, where nothing was changed since; else one that is written
    from what the guarded one passes.

    Args:
        ini: the project's alembic.ini.

    Raises:
        RefusedError: env.py does not hand over to the package, or does more than that.
        UsageError: the configuration cannot be read, or a file cannot be written.
    """
    env = Path(read_project(str(ini))[0]) / "env.py"
    try:
        before = env.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{error.strerror}: {env}", hint="correct script_location in alembic.ini"
        ) from None
    if not read_env_file(before).hands_over:
        raise RefusedError(
            f"{env} does not hand over to the package", hint="there is nothing to take out of it"
        )
    backup = env.with_name(BACKUP)
    original = _original(backup, before)
    changes = _plain(env, before) if original is None else [FileChange(env, env, before, original)]
    write_all(changes)
    if original is not None:
        backup.unlink()
    return Ejection(env, is_original=original is not None)


def _original(backup: Path, guarded: bytes) -> bytes | None:
    """Return the env.py of before ``init``, where the guarded one is still what that became."""
    if not backup.is_file():
        return None
    original = backup.read_bytes()
    try:
        is_flask = is_flask_template(original)
        became = (FLASK_ENV if is_flask else rewrite_env(original).text).encode()
    except IrreplaceableEnvError:
        return None
    return original if became == guarded else None


def _plain(env: Path, before: bytes) -> Sequence[FileChange]:
    text = plain_env(before)
    if text is None:
        raise RefusedError(
            f"{env} does more than to call run(context, ...) once",
            hint="write the plain one by hand, from `alembic init` in an empty folder",
        )
    return [FileChange(env, env, before, text.encode())]
