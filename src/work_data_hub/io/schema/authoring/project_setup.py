"""Makes an Alembic project, or an empty folder, use the package."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from work_data_hub.config.database_address import parse_address
from work_data_hub.domain.project.env_file import read_env_file
from work_data_hub.domain.project.env_rewrite import UnusualEnvError, new_env, rewrite_env
from work_data_hub.domain.project.ini_edit import disable_option, set_option
from work_data_hub.domain.revisions.head_file import write_heads
from work_data_hub.errors import RefusedError, SettingsError, UsageError
from work_data_hub.io.schema.authoring.file_changes import FileChange, write_all
from work_data_hub.io.schema.revisions import project_files
from work_data_hub.io.schema.revisions.files import read_project
from work_data_hub.io.schema.revisions.head_file import head_file_of
from work_data_hub.io.schema.revisions.script_locations import NAMING_RULE, names_by_time

BACKUP = "env.py.before-wdh"
_URL = "sqlalchemy.url"


class Setup(NamedTuple):
    """What was changed.

    Attributes:
        ini: the project's alembic.ini.
        done: what was changed, one line each; empty when the project used the package already.
        left: what the old env.py did and the new one does not, each with its line there.
    """

    ini: Path
    done: tuple[str, ...]
    left: tuple[str, ...]


def set_up(folder: Path, *, naming_rule: bool = False) -> Setup:
    """Make a project use the package; a second time changes nothing. All files or none.

    Args:
        folder: of alembic.ini. Without one a new project is made, whose revisions are named by
            their time; it is created when it is not there.
        naming_rule: whether an existing project's new revisions shall be named by their time.

    Raises:
        RefusedError: env.py is not of a known shape, or a file is in the way.
        UsageError: the configuration cannot be read, or a file cannot be written.
    """
    ini = folder / "alembic.ini"
    if not ini.exists():
        return _new_project(ini)
    toml = folder / "pyproject.toml"
    location, history, _ = read_project(str(ini), str(toml) if toml.exists() else None)
    env_changes, env_done, left = _env(Path(location) / "env.py")
    ini_changes, ini_done = _ini(ini, naming_rule=naming_rule)
    changes, done = [*env_changes, *ini_changes], [*env_done, *ini_done]
    head_file = head_file_of(location)
    is_ruled = naming_rule or names_by_time(str(ini))
    if is_ruled and not head_file.exists() and not history.findings:
        changes.append(_new(head_file, write_heads(history.heads)))
        done.append(f"{head_file}: new, holds the heads; commit it")
    write_all(changes)
    return Setup(ini, tuple(done), left)


def _new_project(ini: Path) -> Setup:
    shipped = project_files.alembic_ini()
    migrations = ini.parent / "migrations"
    template = shipped.parent / "io" / "schema" / "migrations" / "script.py.mako"
    texts = {
        ini: _new_ini(shipped.read_text(encoding="utf-8")),
        migrations / "env.py": new_env(),
        migrations / "script.py.mako": template.read_text(encoding="utf-8"),
        head_file_of(migrations): write_heads(()),
        # git keeps no empty folder.
        migrations / "versions" / ".gitkeep": "",
    }
    if in_the_way := [path for path in texts if path.exists()]:
        raise RefusedError(
            f"{in_the_way[0]} is there, but no {ini}",
            hint="name the folder that has the project's alembic.ini, or another one",
        )
    _make_folder(migrations / "versions")
    write_all([_new(path, text) for path, text in texts.items()])
    return Setup(ini, tuple(f"{path}: new" for path in texts), ())


def _new_ini(text: str) -> str:
    text = text.replace(" (see .env.example)", "")
    return set_option(text, "script_location", "%(here)s/migrations\nprepend_sys_path = .")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{error.strerror}: {error.filename}", hint="check the path and your rights to it"
        ) from None


def _env(path: Path) -> tuple[list[FileChange], list[str], tuple[str, ...]]:
    try:
        before = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{error.strerror}: {path}", hint="correct script_location in alembic.ini"
        ) from None
    if read_env_file(before).hands_over:
        return [], [], ()
    try:
        rewritten = rewrite_env(before)
    except UnusualEnvError as error:
        raise RefusedError(
            f"{path} cannot be replaced: {error}",
            hint="write it by hand: 'Another Alembic project' in docs/database-migrations.md",
        ) from None
    backup = path.with_name(BACKUP)
    if backup.exists():
        raise RefusedError(f"{backup} is there already", hint="move it away")
    changes = [
        FileChange(backup, backup, None, before, rights_of=path),
        FileChange(path, path, before, rewritten.text.encode()),
    ]
    carried = "; ".join(rewritten.carried)
    done = [f"{path}: hands over to the package; taken over: {carried}", f"{backup}: the old one"]
    return changes, done, rewritten.left


def _ini(path: Path, *, naming_rule: bool) -> tuple[list[FileChange], list[str]]:
    before = path.read_bytes()
    text, url = disable_option(before.decode("utf-8", "surrogateescape"), _URL)
    done = []
    if url is not None:
        done.append(
            f"{path}: {_URL} ({_masked(url)}) is a comment now; set DATABASE_URL, or pass"
            " --database-url"
        )
    if naming_rule and not names_by_time(str(path)):
        text = set_option(text, NAMING_RULE, "true")
        done.append(f"{path}: {NAMING_RULE} = true, new revisions are named by their time")
    after = text.encode("utf-8", "surrogateescape")
    return ([FileChange(path, path, before, after)] if after != before else []), done


def _masked(url: str) -> str:
    """Return a URL as it may be printed: alembic.ini doubles each percent sign."""
    try:
        return parse_address(url.replace("%%", "%"), source=_URL).masked()
    except SettingsError:
        # Who knows where such a URL holds its password.
        return re.sub(r"(?s)(?<=:).*", "***", url)


def _new(path: Path, text: str) -> FileChange:
    return FileChange(path, path, None, text.encode())
