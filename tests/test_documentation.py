"""What README and guide say is run: every block, in its order, in a copy of the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from work_data_hub.config import Settings

if TYPE_CHECKING:
    from sqlalchemy.engine import URL
    from tests.warm_python import WarmPythons

REPOSITORY = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(?P<language>bash|python)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (?P<path>io/\S+\.py)\n(?P<content>.*)", re.DOTALL)
EXAMPLE_URL = "postgresql://user:password@localhost:5432/hub"


@dataclass
class Copy:
    """A copy of the repository with an environment that is installed already."""

    folder: Path
    environment: dict[str, str]
    inherited: int

    def run(self, *command: str) -> str:
        process = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            pass_fds=[self.inherited],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert process.returncode == 0, f"{command[-1]}\n{process.stdout}\n{process.stderr}"
        return process.stdout

    def run_block(self, language: str, code: str) -> None:
        if language == "bash":
            self.run("bash", "-euo", "pipefail", "-c", code)
        elif found := FILE.fullmatch(code):
            (self.folder / found["path"]).write_text(found["content"], encoding="utf-8")
        elif "def test_" in code or "testing.checks" in code:
            test = self.folder / "tests" / "test_of_the_guide.py"
            test.write_text(code, encoding="utf-8")
            if "def test_" in code:
                self.run(sys.executable, "-m", "pytest", "-q", str(test))
        else:
            self.run(sys.executable, "-c", code)


@pytest.fixture
def copy(tmp_path: Path, clean_environment: dict[str, str], warm_pythons: WarmPythons) -> Copy:
    folder = tmp_path / "copy"
    ignored = shutil.ignore_patterns(".*_cache", "__pycache__", "*.db", ".git", ".venv", ".env")
    shutil.copytree(REPOSITORY, folder, ignore=ignored)
    installed = folder / ".venv"
    installed.mkdir()
    for entry in Path(sys.prefix).iterdir():
        if entry.name != ".installed":
            (installed / entry.name).symlink_to(entry)
    (installed / ".installed").touch()
    scripts = Path(sys.executable).parent
    commands = tmp_path / "commands"
    commands.mkdir()
    paths = os.pathsep.join([str(commands), str(scripts), clean_environment["PATH"]])
    # The copy's package, and not the one that is installed beside this test.
    environment = {**clean_environment, "PATH": paths, "PYTHONPATH": str(folder / "src")}
    programs = {name: [str(scripts / name)] for name in ("alembic", "wdh")}
    inherited = warm_pythons.stand_in(commands, {**programs, "python": []}, environment)
    return Copy(folder, environment, inherited)


def blocks(document: str) -> list[tuple[str, str]]:
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    found = [(match["language"], match["code"]) for match in BLOCK.finditer(text)]
    assert found
    return found


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "docs/adopt.md",
        "docs/command-line.md",
        "docs/database-migrations.md",
        "docs/recorded-runs.md",
        "docs/test-databases.md",
    ],
)
def test_every_command_and_program_of_the_documentation_works(
    document: str, copy: Copy, postgresql_url: URL
) -> None:
    server = postgresql_url.render_as_string(hide_password=False)
    for language, code in blocks(document):
        # The suite does not run itself; that it is what `make test` runs can be seen dry.
        code = code.replace("make test", "make -n test | grep pytest")
        copy.run_block(language, code.replace(EXAMPLE_URL, server))


def test_make_run_twice_has_nothing_to_do_the_second_time(copy: Copy) -> None:
    assert "9 rows loaded" in copy.run("make", "run")
    assert copy.run("make", "run").count("nothing had to be done") == 2
    assert (copy.folder / "workdatahub_dev.db").exists()


def test_every_linked_file_exists() -> None:
    for document in [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / link).exists(), f"{document}: {link}"


def test_every_setting_is_in_the_example_and_in_the_guide_with_its_default() -> None:
    example = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    guide = (REPOSITORY / "docs" / "database-migrations.md").read_text(encoding="utf-8")
    for name in ("DATABASE_URL", "WDH_DATABASE__URI", "ENVIRONMENT", "WDH_ENV_FILE"):
        assert name in example
    for name, field in Settings.model_fields.items():
        if name not in {"database_url", "database", "environment"}:
            default = (
                f"{field.default:g}" if isinstance(field.default, float | int) else field.default
            )
            assert f"WDH_{name.upper()}={default}\n" in example
            assert re.search(rf"\| `WDH_{name.upper()}` \| `?{default}`? \|", guide)


def test_every_room_is_in_the_tour() -> None:
    tour = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
    package = REPOSITORY / "src" / "work_data_hub"
    tables = dict(re.findall(r"<!-- rooms: (\S+) -->\n((?:\|.*\n)+)", tour))
    rooms = [
        path
        for top in ("cli", "domain", "io/runs", "io/schema", "testing")
        for path in (package / top).rglob("[a-z]*.py")
    ]
    assert len(rooms) > 100
    for room in rooms:
        assert f"| `{room.stem}` |" in tables[room.parent.relative_to(package).as_posix()], room


def test_the_picture_and_the_tables_of_the_tour_are_what_the_code_is() -> None:
    script = REPOSITORY / "scripts" / "draw_architecture.py"
    process = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, f"{process.stdout}run python scripts/draw_architecture.py"
