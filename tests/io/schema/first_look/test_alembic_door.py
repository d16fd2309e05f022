"""Plain `alembic upgrade head` with nothing to do ends at the first look, and nothing else does."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

NOTHING_TO_DO = ": nothing to do"
HEAD = "20260101_0001"


@pytest.fixture
def project(make_history: Callable[..., Path], revision_body: Any) -> Path:
    return make_history([revision_body("pass"), revision_body("pass")])


@pytest.fixture
def settled(project: Path, database_url: URL) -> URL:
    """A database at head."""
    migration_runner.upgrade(database_url, alembic_ini=project / "alembic.ini")
    return database_url


@pytest.fixture
def upgrade(
    alembic: Callable[..., subprocess.CompletedProcess[str]], project: Path, settled: URL
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the `alembic` command in the project, on the database at head."""

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        given = arguments or ("upgrade", "head")
        return alembic(*given, url=options.pop("url", settled), cwd=project, **options)

    return run


@pytest.mark.parametrize("target", ["head", "heads"])
def test_where_there_is_nothing_to_do_that_is_all_that_is_said(
    upgrade: Callable[..., Any], settled: URL, target: str
) -> None:
    ended = upgrade("upgrade", target)
    assert (ended.returncode, ended.stdout) == (0, "")
    (line,) = ended.stderr.splitlines()
    assert line.endswith(f"{HEAD}{NOTHING_TO_DO}")
    assert settled.password is None or settled.password not in line


def test_the_database_may_be_named_on_the_command_line(
    upgrade: Callable[..., Any], settled: URL
) -> None:
    text = settled.render_as_string(hide_password=False)
    ended = upgrade("-x", f"database_url={text}", "upgrade", "head", url="sqlite:///another.db")
    assert ended.returncode == 0
    assert ended.stderr.endswith(f"{NOTHING_TO_DO}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("current",),
        ("stamp", "head"),
        ("upgrade", HEAD),
        ("upgrade", "head", "--tag", "mine"),
        ("-x", "accept=20260101_0000", "upgrade", "head"),
        ("-x", "mine=1", "upgrade", "head"),
        ("upgrade", "head", "--sql"),
    ],
    ids=" ".join,
)
def test_whoever_asks_for_more_has_the_whole_run(
    upgrade: Callable[..., Any], arguments: tuple[str, ...]
) -> None:
    ended = upgrade(*arguments)
    assert ended.returncode == 0
    assert NOTHING_TO_DO not in ended.stderr


@pytest.mark.parametrize("option", ["version_table='mine'", "compare_type=False"])
def test_what_env_py_passes_has_the_whole_run(
    upgrade: Callable[..., Any], project: Path, option: str
) -> None:
    env = project / "io/schema/migrations/env.py"
    env.write_text(env.read_text().replace("run(context)", f"run(context, {option})"))
    ended = upgrade()
    assert ended.returncode == 0
    assert NOTHING_TO_DO not in ended.stderr


def test_what_is_pending_is_applied(upgrade: Callable[..., Any], settled: URL) -> None:
    with connect(settled) as connection, connection.begin():
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '20260101_0000'")
    ended = upgrade()
    assert ended.returncode == 0
    assert NOTHING_TO_DO not in ended.stderr
    assert upgrade().stderr.endswith(f"{NOTHING_TO_DO}\n")


def test_an_environment_that_env_py_overrules_is_refused_all_the_same(
    upgrade: Callable[..., Any], project: Path, settled: URL
) -> None:
    (project / "overruling.py").write_text(
        "import os\nos.environ['DATABASE_URL'] = 'sqlite:///another.db'\n"
    )
    env = project / "io/schema/migrations/env.py"
    env.write_text("import overruling\n" + env.read_text())
    refused = upgrade()
    assert refused.returncode == 4
    assert "overrules DATABASE_URL" in refused.stderr


def test_a_mistyped_argument_is_refused_all_the_same(upgrade: Callable[..., Any]) -> None:
    refused = upgrade("-x", "databse_url=sqlite:///x.db", "upgrade", "head")
    assert refused.returncode == 2
    assert "did you mean -x database_url" in refused.stderr


def test_a_section_of_its_own_is_looked_at(
    upgrade: Callable[..., Any], project: Path, settled: URL
) -> None:
    ini = project / "alembic.ini"
    text = ini.read_text(encoding="utf-8")
    other = "[other]\nscript_location = %(here)s/gone\n"
    ini.write_text(f"{text}\n{other}", encoding="utf-8")
    assert upgrade("--name", "other", "upgrade", "head").returncode == 255
    ini.write_text(f"{text}\n{other.replace('gone', 'io/schema/migrations')}", encoding="utf-8")
    assert upgrade("--name", "other", "upgrade", "head").stderr.endswith(f"{NOTHING_TO_DO}\n")


@pytest.mark.parametrize(
    ("file", "before", "option"),
    [
        ("alembic.ini", "[alembic]\n", "sqlalchemy.url = sqlite:///another.db\n"),
        ("pyproject.toml", "[tool.alembic]\n", '"sqlalchemy.url" = "sqlite:///another.db"\n'),
    ],
)
def test_a_project_that_names_a_database_has_the_whole_run(
    upgrade: Callable[..., Any], project: Path, file: str, before: str, option: str
) -> None:
    path = project / file
    text = path.read_text(encoding="utf-8") if path.exists() else before
    for named in ("", option):
        path.write_text(text.replace(before, before + named), encoding="utf-8")
        ended = upgrade()
        assert ended.returncode == 0
        assert (NOTHING_TO_DO in ended.stderr) == (named == "")


def test_it_imports_nothing_of_a_run(project: Path, settled: URL, clean_environment: Any) -> None:
    code = (
        "import sys\nfrom alembic.config import main\nmain(argv=['upgrade', 'head'])\n"
        "heavy = ('pydantic', 'dotenv', 'psycopg', 'work_data_hub.io.schema.run.change',"
        " 'work_data_hub.io.schema.engine', 'work_data_hub.config.database')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env={**clean_environment, "DATABASE_URL": settled.render_as_string(hide_password=False)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr.endswith(f"{NOTHING_TO_DO}\n")
    assert ended.stdout == "[]\n"


def test_a_percent_sign_that_stands_alone_in_the_url_of_alembic_ini_gives_nothing_away(
    upgrade: Callable[..., Any], project: Path
) -> None:
    ini = project / "alembic.ini"
    wrong = "sqlalchemy.url = postgresql://u:hun%ter2@h/x"
    text = ini.read_text(encoding="utf-8")
    ini.write_text(text.replace("[alembic]\n", f"[alembic]\n{wrong}\n"), encoding="utf-8")
    refused = upgrade()
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        "error: sqlalchemy.url of the Alembic Config cannot be read: a % in it stands alone",
        "hint: write %% for %, or leave it out and set DATABASE_URL",
    ]
