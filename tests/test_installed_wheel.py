"""The wheel, installed into an environment of its own, with no repository around."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from tests.own_history import HEAD

from work_data_hub.cli.topics import TOPICS

REPOSITORY = Path(__file__).parents[1]


def run(command: list[str], cwd: Path, environment: dict[str, str]) -> str:
    process = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Python of an environment into which the wheel is unpacked.

    Its dependencies come from the environment of the suite, so that no registry is needed.
    """
    folder = tmp_path_factory.mktemp("wheel")
    environment = {**os.environ, "PYTHONPATH": ""}
    build = ["-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    run([sys.executable, *build], REPOSITORY, environment)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    interpreter = folder / "venv" / "bin" / "python"
    get_site = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(run([str(interpreter), "-c", get_site], folder, environment).strip())
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    run([sys.executable, *install, str(wheel)], folder, environment)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return str(interpreter)


def test_the_migrations_travel_in_the_wheel(
    python: str, tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    code = (
        "import work_data_hub; print(work_data_hub.__file__);"
        "from work_data_hub.io.schema import migration_runner as m;"
        "from work_data_hub.io.schema.revisions import project_files;"
        "print(m.upgrade('sqlite:///x.db')); print(project_files.seed_file().is_file())"
    )
    where, result, seeds = run([python, "-c", code], tmp_path, clean_environment).splitlines()
    assert not where.startswith(str(REPOSITORY))
    assert f"after=('{HEAD}',)" in result
    assert seeds == "True"
    assert (tmp_path / "x.db").exists()


def test_without_a_repository_the_default_is_in_the_working_directory(
    python: str, tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    code = (
        "from work_data_hub.config import get_database_connection_string as g; print(g());"
        "from work_data_hub.io.schema import migration_runner as m; print(m.upgrade().database)"
    )
    shown = run([python, "-c", code], tmp_path, clean_environment).splitlines()
    assert shown == [f"sqlite:///{tmp_path}/workdatahub_dev.db"] * 2
    assert (tmp_path / "workdatahub_dev.db").exists()


def test_the_topics_of_help_travel_in_the_wheel(
    python: str, tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    for name, topic in TOPICS.items():
        shown = run([python, "-m", "work_data_hub", "help", name], tmp_path, clean_environment)
        assert re.match(rf"#+ {re.escape(topic.heading)}\n", shown), name


def test_every_page_travels_in_the_wheel_and_so_does_the_mark_that_it_is_typed(
    python: str, tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    where = "import work_data_hub; print(work_data_hub.__file__)"
    package = Path(run([python, "-c", where], tmp_path, clean_environment).strip()).parent
    assert (package / "py.typed").is_file()
    pages = REPOSITORY / "docs"
    travelled = package / "_project" / "docs"
    assert {page.name for page in travelled.glob("*.md")} == {
        page.name for page in pages.glob("*.md")
    }
