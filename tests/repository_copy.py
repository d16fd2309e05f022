"""A copy of the repository in which a test may do what a developer does, installed already."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.warm_python import WarmPythons

REPOSITORY = Path(__file__).parents[1]


@dataclass
class RepositoryCopy:
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


def copy_repository(
    tmp_path: Path, clean_environment: Mapping[str, str], warm_pythons: WarmPythons
) -> RepositoryCopy:
    """Copy the repository below a folder; its programs are the copy's."""
    folder = tmp_path / "copy"
    # What is compiled of the package stays valid: the files keep their times.
    ignored = shutil.ignore_patterns(".*_cache", "*.db", ".git", ".venv", ".env")
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
    programs = {name: [str(scripts / name)] for name in ("alembic", "pytest", "wdh")}
    inherited = warm_pythons.stand_in(commands, {**programs, "python": []}, environment)
    return RepositoryCopy(folder, environment, inherited)
