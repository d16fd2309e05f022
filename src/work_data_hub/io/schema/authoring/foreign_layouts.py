"""Projects whose alembic.ini does not lead to env.py: Flask-Migrate's, and pyproject.toml's."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from work_data_hub.domain.project.flask_env import is_of_flask
from work_data_hub.domain.project.ini_edit import add_options
from work_data_hub.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def flask_migrations(folder: Path) -> Path | None:
    """Return the folder of Flask-Migrate's files: this one, or ``migrations`` in it.

    `flask db init` writes an alembic.ini beside env.py, without a script_location.
    """
    for migrations in (folder, folder / "migrations"):
        env = migrations / "env.py"
        has_ini = (migrations / "alembic.ini").is_file()
        if has_ini and env.is_file() and is_of_flask(env.read_bytes()):
            return migrations
    return None


def flask_ini(migrations: Path) -> str:
    """Return an alembic.ini for the application's folder, which `flask db` does not read."""
    return (
        "[alembic]\n"
        f"script_location = %(here)s/{migrations.resolve().name}\n"
        "prepend_sys_path = %(here)s\npath_separator = os\n"
    )


def with_toml_options(ini: str, toml: Path) -> str:
    """Return the text of an alembic.ini with what [tool.alembic] says beside it.

    Raises:
        UsageError: pyproject.toml cannot be read, or says what no alembic.ini can.
    """
    with toml.open("rb") as file:
        options: Mapping[str, object] = tomllib.load(file).get("tool", {}).get("alembic", {})
    lines = [f"{name} = {_written(name, value, toml)}" for name, value in options.items()]
    if any(isinstance(value, list) for value in options.values()):
        lines.append("path_separator = newline")
    return add_options(ini, lines)


def _written(name: str, value: object, toml: Path) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "".join(f"\n    {each}" for each in value)
    raise UsageError(
        f"{name} in {toml} cannot be an option of alembic.ini",
        hint="take it out, or write it into alembic.ini by hand, as Alembic's guide says",
    )
