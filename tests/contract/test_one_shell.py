"""`alembic` and `wdh db` of one shell mean one database, whatever env.py does to its variables."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from alembic import command
from alembic.config import Config

from work_data_hub.config import get_settings
from work_data_hub.errors import RefusedError, WorkDataHubError
from work_data_hub.io.schema import migration_runner

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

REST = """
from alembic import context
from work_data_hub.io.schema.environment import run

run(context)
"""
OVERRULING = {
    "an assignment": "import os\nos.environ['DATABASE_URL'] = 'sqlite:///evil.db'",
    "an update": "import os\nos.environ.update(DATABASE_URL='sqlite:///evil.db')",
    "a removal": "import os\ndel os.environ['DATABASE_URL']",
    "load_dotenv": "from dotenv import load_dotenv\nload_dotenv('evil.env', override=True)",
    "a file of settings": "import os\nos.environ['WDH_ENV_FILE'] = 'evil.env'",
    "the session's class": "import os\nos.environ['ENVIRONMENT'] = 'staging'",
}
UNSEEN_IN_THE_TEXT = {
    "an import": "import evil_settings",
    "a function": "import os\ndef f():\n    os.environ['DATABASE_URL'] = 'sqlite:///evil.db'\nf()",
}
# What env.py does in the end is known on Linux alone, where the `alembic` command is the process.
KNOWN = {**OVERRULING, **(UNSEEN_IN_THE_TEXT if sys.platform == "linux" else {})}
ADDING = {
    "setdefault": "import os\nos.environ.setdefault('DATABASE_URL', 'sqlite:///evil.db')",
    "load_dotenv": "from dotenv import load_dotenv\nload_dotenv('evil.env')",
    "an import": "import kind_settings",
    "a condition": "import os\nif 'DATABASE_URL' not in os.environ:\n"
    "    os.environ['DATABASE_URL'] = 'sqlite:///evil.db'",
}


@pytest.fixture
def make_project(make_history: Callable[..., Path], revision_body: Any) -> Callable[[str], Path]:
    """Make a project whose env.py begins with some code."""

    def make(code: str) -> Path:
        folder = make_history([revision_body("pass")])
        (folder / "io/schema/migrations/env.py").write_text(code + REST)
        (folder / "evil.env").write_text("DATABASE_URL=sqlite:///evil.db\nENVIRONMENT=staging\n")
        (folder / "kind.env").write_text("DATABASE_URL=sqlite:///mine.db\nENVIRONMENT=dev\n")
        assignment = "import os\nos.environ['DATABASE_URL'] = 'sqlite:///evil.db'\n"
        (folder / "evil_settings.py").write_text(assignment)
        (folder / "kind_settings.py").write_text(ADDING["setdefault"])
        return folder

    return make


@pytest.fixture(autouse=True)
def environment_of_nobody(settings_of_nobody: None) -> Iterator[None]:
    """What an env.py sets in this process is gone with the test; so is what it imports."""
    with mock.patch.dict(os.environ):
        yield
    for name in ("evil_settings", "kind_settings"):
        sys.modules.pop(name, None)


@dataclass(frozen=True)
class Ended:
    """How a call ended, and which databases it made."""

    exit_code: int
    told: str
    made: set[str]


def made_in(project: Path) -> set[str]:
    """Return which databases are there, and remove them."""
    made = {file.name for file in project.glob("*.db")}
    for file in project.glob("*.db*"):
        file.unlink()
    return made


@pytest.fixture
def each_door(
    alembic: Callable[..., subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Ended, Ended]]:
    """Run `alembic upgrade head`, and the front door, in one and the same environment."""

    def both(project: Path, **shell: str) -> tuple[Ended, Ended]:
        process = alembic("upgrade", "head", cwd=project, env=shell)
        plain = Ended(process.returncode, process.stderr, made_in(project))
        monkeypatch.chdir(project)
        monkeypatch.syspath_prepend(project)
        os.environ.update(shell)
        get_settings.cache_clear()
        try:
            migration_runner.upgrade(alembic_ini=project / "alembic.ini")
        except WorkDataHubError as error:
            return plain, Ended(error.exit_code, error.for_people(), made_in(project))
        return plain, Ended(0, "", made_in(project))

    return both


SHELL = {"DATABASE_URL": "sqlite:///mine.db", "ENVIRONMENT": "dev", "WDH_ENV_FILE": "kind.env"}


@pytest.mark.parametrize("way", KNOWN)
def test_what_the_shell_says_is_overruled_through_no_door(
    make_project: Callable[[str], Path], each_door: Callable[..., tuple[Ended, Ended]], way: str
) -> None:
    project = make_project(KNOWN[way])
    for ended in each_door(project, **SHELL):
        assert (ended.exit_code, ended.made) == (4, set()), ended.told
        assert "overrules" in ended.told
        assert "sqlite" not in ended.told  # a URL may hold a password


@pytest.mark.parametrize("way", ADDING)
def test_what_the_shell_does_not_say_env_py_says_to_each_door(
    make_project: Callable[[str], Path], each_door: Callable[..., tuple[Ended, Ended]], way: str
) -> None:
    for ended in each_door(make_project(ADDING[way]), ENVIRONMENT="staging"):
        assert (ended.exit_code, ended.made) == (0, {"evil.db"}), ended.told


@pytest.mark.parametrize(
    ("code", "database"),
    [(ADDING["a condition"], "mine.db"), (OVERRULING["an assignment"], "evil.db")],
    ids=["said already", "the same once more"],
)
def test_to_leave_what_the_shell_says_is_no_overruling(
    make_project: Callable[[str], Path],
    each_door: Callable[..., tuple[Ended, Ended]],
    code: str,
    database: str,
) -> None:
    for ended in each_door(make_project(code), DATABASE_URL=f"sqlite:///{database}"):
        assert (ended.exit_code, ended.made) == (0, {database}), ended.told


def test_where_the_database_is_chosen_no_variable_decides_on_it(
    make_project: Callable[[str], Path],
    alembic: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    project = make_project(OVERRULING["an assignment"])
    chosen = ("-x", "database_url=sqlite:///chosen.db", "upgrade", "head")
    said = alembic(*chosen, url="sqlite:///mine.db", cwd=project)
    assert said.returncode == 0, said.stderr
    assert {file.name for file in project.glob("*.db")} == {"chosen.db"}


@pytest.mark.parametrize("way", OVERRULING)
def test_where_nobody_knows_what_was_said_before_the_text_tells(
    make_project: Callable[[str], Path], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that calls Alembic; and the command where the system does not tell."""
    project = make_project(OVERRULING[way])
    monkeypatch.chdir(project)
    os.environ.update(SHELL, WDH_DATABASE__URI="sqlite:///mine.db")
    get_settings.cache_clear()
    with pytest.raises(RefusedError, match="overrules"):
        command.upgrade(Config(str(project / "alembic.ini")), "head")
    assert not [*project.glob("*.db")]


def test_the_front_door_of_a_program_sees_it_too(
    make_project: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(UNSEEN_IN_THE_TEXT["a function"])
    monkeypatch.chdir(project)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///mine.db")
    get_settings.cache_clear()
    ini = project / "alembic.ini"
    with pytest.raises(RefusedError, match="overrules DATABASE_URL of the shell"):
        migration_runner.upgrade(alembic_ini=ini)
    assert not [*project.glob("*.db")]
    migration_runner.upgrade("sqlite:///chosen.db", alembic_ini=ini)


def test_seeds_are_loaded_into_the_database_that_env_py_names(
    make_project: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(ADDING["setdefault"])
    seeds = project / "seeds.sql"
    seeds.write_text("CREATE TABLE sown (id INTEGER);")
    monkeypatch.chdir(project)
    ini = project / "alembic.ini"
    migration_runner.upgrade(alembic_ini=ini)
    del os.environ["DATABASE_URL"]
    get_settings.cache_clear()
    assert migration_runner.seed(file=seeds, alembic_ini=ini).statements == 1
    assert {file.name for file in project.glob("*.db")} == {"evil.db"}
