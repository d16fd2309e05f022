"""Makes an Alembic project, or an empty folder, use the package."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from work_data_hub.config.database_address import parse_address
from work_data_hub.domain.project.env_file import read_env_file
from work_data_hub.domain.project.env_options import SEVERAL_DATABASES
from work_data_hub.domain.project.env_rewrite import (
    EnvRewrite,
    IrreplaceableEnvError,
    env_of_several_databases,
    new_env,
    rewrite_env,
)
from work_data_hub.domain.project.flask_env import FLASK_ENV, is_flask_template, is_of_flask
from work_data_hub.domain.project.ini_edit import disable_option, has_option, set_option
from work_data_hub.domain.revisions.head_file import write_heads
from work_data_hub.errors import RefusedError, SettingsError, UnusualEnvError, UsageError
from work_data_hub.io.schema.authoring.file_changes import FileChange, write_all
from work_data_hub.io.schema.authoring.foreign_layouts import (
    flask_ini,
    flask_migrations,
    with_toml_options,
)
from work_data_hub.io.schema.revisions import project_files
from work_data_hub.io.schema.revisions.files import read_project
from work_data_hub.io.schema.revisions.head_file import head_file_of
from work_data_hub.io.schema.revisions.script_locations import NAMING_RULE, names_by_time
from work_data_hub.redaction import without_secrets

BACKUP = "env.py.before-wdh"
_URL = "sqlalchemy.url"
_LOCATION = "script_location"
_OF_FLASK = ("the application's database, metadata and configure_args",)


class Setup(NamedTuple):
    """What was changed.

    Attributes:
        ini: the project's alembic.ini.
        done: what was changed, one line each; empty when the project used the package already.
        left: what the old env.py did and the new one does not, each with its line there.
        names_database: whether the project says itself which database it means.
        changes: of files; written already, or to be written.
    """

    ini: Path
    done: tuple[str, ...]
    left: tuple[str, ...]
    names_database: bool
    changes: tuple[FileChange, ...]


def set_up(place: Path, *, naming_rule: bool = False) -> Setup:
    """Make a project use the package, as ``plan_setup`` says. All files or none."""
    setup = plan_setup(place, naming_rule=naming_rule)
    for change in setup.changes:
        _make_folder(change.new_path.parent)
    write_all(setup.changes)
    return setup


def plan_setup(place: Path, *, naming_rule: bool = False) -> Setup:
    """Return what makes a project use the package, a second time nothing. Writes nothing.

    Args:
        place: the folder of alembic.ini, or a configuration by another name. Without one a new
            project is made, whose revisions are named by their time; the folder is created when
            it is not there.
        naming_rule: whether an existing project's new revisions shall be named by their time.

    Raises:
        UnusualEnvError: env.py does what would be lost.
        RefusedError: a file is in the way.
        UsageError: the configuration cannot be read, or a file cannot be written.
    """
    ini = place if place.is_file() else place / "alembic.ini"
    folder = ini.parent
    if (migrations := flask_migrations(folder)) is not None and not _leads_somewhere(ini):
        return _flask_project(migrations)
    if not ini.exists():
        return _new_project(ini)
    toml = folder / "pyproject.toml"
    location, history, _ = read_project(str(ini), str(toml) if toml.exists() else None)
    env_changes, env_done, left = _env(Path(location) / "env.py")
    ini_changes, ini_done, own_url = _ini(ini, naming_rule=naming_rule)
    changes, done = [*env_changes, *ini_changes], [*env_done, *ini_done]
    if own_url is not None and env_done:
        done.append(f"{ini}: {_URL} ({own_url}) stays: it is meant where no DATABASE_URL is set")
    head_file = head_file_of(location)
    is_ruled = naming_rule or names_by_time(str(ini))
    if is_ruled and not head_file.exists() and not history.findings:
        changes.append(_new(head_file, write_heads(history.heads)))
        done.append(f"{head_file}: new, holds the heads; commit it")
    names_database = own_url is not None or any("default_url=" in line for line in env_done)
    return Setup(ini, tuple(done), left, names_database, tuple(changes))


def _leads_somewhere(ini: Path) -> bool:
    """Whether an alembic.ini is there and has a script_location."""
    return ini.is_file() and has_option(ini.read_bytes().decode("utf-8", "replace"), _LOCATION)


def _flask_project(migrations: Path) -> Setup:
    """Return what makes `flask db` and `wdh db` work on the application's database."""
    ini = migrations.absolute().parent / "alembic.ini"
    changes, done, left = _env(migrations / "env.py")
    if not ini.exists():
        changes.append(_new(ini, flask_ini(migrations)))
        done.append(f"{ini}: new, for `wdh db` and `alembic`; `flask db` has its own")
    return Setup(ini, tuple(done), left, True, tuple(changes))


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
            hint="name the project's configuration: `wdh db init --config FILE`; or another folder",
        )
    changes = tuple(_new(path, text) for path, text in texts.items())
    return Setup(ini, tuple(f"{path}: new" for path in texts), (), False, changes)


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
        is_flask = is_flask_template(before)
        rewritten = EnvRewrite(FLASK_ENV, _OF_FLASK, ()) if is_flask else rewrite_env(before)
    except IrreplaceableEnvError as error:
        if any(SEVERAL_DATABASES in reason for reason in error.reasons):
            raise UnusualEnvError(
                f"{path} was left as it is: it migrates several databases in one run",
                hint="write it from the lines below, call the section [alembic] of alembic.ini"
                " [DEFAULT], and run each by its section: wdh db upgrade --name SECTION",
                reasons=error.reasons,
                text=env_of_several_databases(),
            ) from None
        raise UnusualEnvError(
            f"{path} was left as it is: the package would not do what it does",
            hint="write it by hand, from the lines below; `wdh help adopt` says what goes where",
            reasons=error.reasons,
            text=FLASK_ENV if is_of_flask(before) else error.text,
        ) from None
    backup = path.with_name(BACKUP)
    if backup.exists():
        raise RefusedError(f"{backup} is there already", hint="move it away")
    changes = [
        FileChange(backup, backup, None, before, rights_of=path),
        FileChange(path, path, before, rewritten.text.encode()),
    ]
    carried = without_secrets("; ".join(rewritten.carried))
    done = [f"{path}: hands over to the package; taken over: {carried}", f"{backup}: the old one"]
    return changes, done, tuple(map(without_secrets, rewritten.left))


def _ini(path: Path, *, naming_rule: bool) -> tuple[list[FileChange], list[str], str | None]:
    """Return what is changed, in words too, and the URL that it keeps, as it may be printed."""
    before = path.read_bytes()
    text = before.decode("utf-8", "surrogateescape")
    disabled, url = disable_option(text, _URL)
    done = []
    if not has_option(text, _LOCATION):
        toml = path.with_name("pyproject.toml")
        text = with_toml_options(text, toml)
        disabled = with_toml_options(disabled, toml)
        done.append(
            f"{path}: has the options of [tool.alembic] in pyproject.toml, which it overrules"
        )
    own = _masked(url) if url is not None and _is_understood(url) else None
    if url is not None and own is None:
        text = disabled
        done.append(
            f"{path}: {_URL} ({_masked(url)}) is a comment now; set DATABASE_URL, or pass"
            " --database-url"
        )
    if naming_rule and not names_by_time(str(path)):
        text = set_option(text, NAMING_RULE, "true")
        done.append(f"{path}: {NAMING_RULE} = true, new revisions are named by their time")
    after = text.encode("utf-8", "surrogateescape")
    return ([FileChange(path, path, before, after)] if after != before else []), done, own


def _is_understood(url: str) -> bool:
    """Whether it names a database that the package can work on; `%(NAME)s` is for env.py to say."""
    if "%(" in url:
        return True
    try:
        parse_address(url.replace("%%", "%"), source=_URL)
    except SettingsError:
        return False
    return True


def _masked(url: str) -> str:
    """Return a URL as it may be printed: alembic.ini doubles each percent sign."""
    try:
        return parse_address(url.replace("%%", "%"), source=_URL).masked()
    except SettingsError:
        # Who knows where such a URL holds its password.
        return re.sub(r"(?s)(?<=:).*", "***", url)


def _new(path: Path, text: str) -> FileChange:
    return FileChange(path, path, None, text.encode())
