"""What README and guide say is run: every block, in its order, in a copy of the repository."""

from __future__ import annotations

import json
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.own_history import FIRST, HEAD

from work_data_hub.config import Settings
from work_data_hub.domain.revisions.naming import time_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL
    from tests.repository_copy import RepositoryCopy

REPOSITORY = Path(__file__).parents[1]
_LANGUAGE = r"(?P<language>bash|python|diff|yaml|dockerfile)"
BLOCK = re.compile(rf"^```{_LANGUAGE}\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (?P<path>io/\S+\.py)\n(?P<content>.*)", re.DOTALL)
# The guide builds on the first revision, at some time after it.
EXAMPLE_ID = "20251201_0900"
EXAMPLE_URL = "postgresql://user:password@localhost:5432/hub"


def run_block(copy: RepositoryCopy, language: str, code: str) -> None:
    if language == "bash":
        copy.run("bash", "-euo", "pipefail", "-c", code)
    elif language == "diff":
        (copy.folder / "change.diff").write_text(code, encoding="utf-8")
        copy.run("git", "apply", "change.diff")
    elif language == "yaml":
        for command, variables in commands(yaml.safe_load(code)):
            copy.run("env", *variables, "bash", "-euo", "pipefail", "-c", command)
    elif language == "dockerfile":
        for command in built(code):
            copy.run("bash", "-euo", "pipefail", "-c", command)
    elif found := FILE.fullmatch(code):
        (copy.folder / found["path"]).write_text(found["content"], encoding="utf-8")
    elif "def test_" in code or "testing.checks" in code:
        test = copy.folder / "tests" / "test_of_the_guide.py"
        test.write_text(code, encoding="utf-8")
        if "def test_" in code:
            copy.run("pytest", "-q", str(test))
    else:
        copy.run(sys.executable, "-c", code)


def commands(said: Any, variables: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give the calls of `wdh` in a workflow, a manifest or the like, each with its variables."""
    if isinstance(said, list):
        for each in said:
            yield from commands(each, variables)
    if not isinstance(said, dict):
        return
    variables += tuple(literals(said))
    for key, value in said.items():
        if key == "command" and isinstance(value, list):
            lines = [shlex.join(value)]
        else:
            lines = value if key == "script" else [value] if key == "run" else []
        for line in lines:
            # Packages are there already, and no registry is asked.
            assert line.startswith(("wdh ", "pip install ")), line
            if line.startswith("wdh "):
                yield line, variables
        if not lines:
            yield from commands(value, variables)


def literals(said: dict[str, Any]) -> Iterator[str]:
    """Give the variables that a part of a file sets, but for those that are secrets."""
    for key in ("env", "environment", "variables"):
        found = said.get(key, {})
        if isinstance(found, list):
            found = {each["name"]: each.get("value", "$") for each in found}
        if isinstance(found, dict):
            assert all(isinstance(value, str) for value in found.values()), found
            yield from (f"{name}={value}" for name, value in found.items() if value[0] != "$")


def built(code: str) -> Iterator[str]:
    """Give the calls of `wdh` of a Dockerfile."""
    for line in code.splitlines():
        instruction, _, rest = line.partition(" ")
        assert instruction in {"FROM", "WORKDIR", "COPY", "RUN", "CMD"}, line
        if instruction == "CMD":
            assert all(isinstance(word, str) for word in json.loads(rest))
        if instruction == "RUN" and rest.startswith("wdh "):
            yield rest


def blocks(document: str) -> list[tuple[str, str]]:
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    text = text.replace(FIRST, HEAD)
    if HEAD > EXAMPLE_ID:
        made = time_of(HEAD)
        assert made is not None
        text = text.replace(EXAMPLE_ID, f"{made + timedelta(minutes=1):%Y%m%d_%H%M}")
    found = [(match["language"], match["code"]) for match in BLOCK.finditer(text)]
    assert found
    return found


def with_url(code: str, server: str) -> str:
    """Put a server in the place of the example, whichever driver the code names."""
    code = code.replace(EXAMPLE_URL, server)
    return code.replace(EXAMPLE_URL.partition("//")[2], server.partition("//")[2])


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "docs/adopt.md",
        "docs/command-line.md",
        "docs/database-migrations.md",
        "docs/deploys.md",
        "docs/drift.md",
        "docs/drivers.md",
        "docs/recorded-runs.md",
        "docs/test-databases.md",
    ],
)
def test_every_command_and_program_of_the_documentation_works(
    document: str, copy: RepositoryCopy, postgresql_url: URL
) -> None:
    server = postgresql_url.render_as_string(hide_password=False)
    if document == "docs/deploys.md":  # where it is a secret of the platform
        copy.environment["DATABASE_URL"] = server
    for language, code in blocks(document):
        # The suite does not run itself; that it is what `make test` runs can be seen dry.
        code = code.replace("make test", "make -n test | grep pytest")
        code = code.replace("--confirm hub", f"--confirm {postgresql_url.database}")
        run_block(copy, language, with_url(code, server))


def test_make_run_twice_has_nothing_to_do_the_second_time(copy: RepositoryCopy) -> None:
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


def test_the_picture_of_a_terminal_is_what_the_commands_show() -> None:
    script = REPOSITORY / "scripts" / "draw_terminal.py"
    process = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, f"{process.stdout}{process.stderr}"
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for theme in ("light", "dark"):
        picture = REPOSITORY / "docs" / f"terminal-{theme}.svg"
        assert f"docs/{picture.name}" in readme
        text = picture.read_text(encoding="utf-8")
        assert "nothing is pending" in text.replace("&#160;", " ")
        for private in (tempfile.gettempdir(), str(Path.home()), platform.node()):
            assert f"{private}/" not in text


def test_the_picture_and_the_tables_of_what_a_run_costs_are_what_was_measured() -> None:
    script = REPOSITORY / "scripts" / "draw_costs.py"
    process = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, f"{process.stdout}{process.stderr}"
