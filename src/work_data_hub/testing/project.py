"""The project whose databases are wanted: its alembic.ini, its seeds, and how they are run."""

from __future__ import annotations

import ast
import hashlib
import os
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import work_data_hub
from work_data_hub.errors import MigrationFailedError, UsageError, WorkDataHubError
from work_data_hub.io.schema.script_locations import read_options, script_folder, version_folders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.config import Config
    from sqlalchemy.engine import URL

_VERSIONS = ("alembic", "sqlalchemy", "psycopg", "work-data-hub")
_OUR_HAND_OVER = "work_data_hub.io.schema.environment"


@dataclass(frozen=True)
class Project:
    """An Alembic project, and what its databases hold.

    Attributes:
        alembic_ini: its configuration.
        seeds: SQL files that are loaded after the migrations, in order.
    """

    alembic_ini: Path
    seeds: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        for file in (self.alembic_ini, *self.seeds):
            if not file.is_file():
                raise UsageError(f"there is no file {file}", hint="check the path")

    def key(self, *circumstances: str) -> str:
        """Return what names the content of a migrated database: equal keys, equal databases.

        It covers alembic.ini, every file in the migrations' folders, the seeds, the code of this
        package and the versions of what it runs on. Files that a revision reads elsewhere are not
        covered.

        Args:
            circumstances: what else the content depends on, such as the server's version.
        """
        digest = hashlib.sha256(repr(circumstances).encode())
        digest.update(repr([metadata.version(name) for name in _VERSIONS]).encode())
        for path in (self.alembic_ini, *self.seeds):
            digest.update(path.read_bytes() + b"\0")
        own_code = Path(work_data_hub.__file__).parent
        for folder in (own_code, *self._folders()):
            for path in _files(folder):
                digest.update(f"{path.relative_to(folder)}\0".encode())
                digest.update(path.read_bytes() + b"\0")
        return digest.hexdigest()[:16]

    def fill(self, url: URL) -> None:
        """Migrate an empty database to its heads, and load the seeds.

        Raises:
            WorkDataHubError: a revision or a seed file failed, or env.py runs another database.
        """
        from work_data_hub.io.schema import seeding
        from work_data_hub.io.schema.engine import connect

        scripts = [(seeding.read_seed_file(path), path) for path in self.seeds]
        self.upgrade(url)
        with connect(url) as connection:
            for script, path in scripts:
                seeding.load_seeds(connection, script, path=path)

    def upgrade(self, url: URL, revision: str = "heads") -> None:
        """Run the migrations up to ``revision`` on this database and no other.

        Raises:
            WorkDataHubError: as ``migration_runner.upgrade``.
        """
        from alembic import command

        from work_data_hub.io.schema import migration_runner

        if self.hands_over:
            migration_runner.upgrade(url, revision, ephemeral=True, alembic_ini=self.alembic_ini)
        else:
            with self._env_py_of_its_own(url) as config:
                command.upgrade(config, revision)

    def downgrade(self, url: URL, revision: str) -> None:
        """Take the migrations above ``revision`` back.

        Raises:
            WorkDataHubError: as ``migration_runner.downgrade``.
        """
        from alembic import command

        from work_data_hub.io.schema import migration_runner

        if self.hands_over:
            migration_runner.downgrade(url, revision, alembic_ini=self.alembic_ini)
        else:
            with self._env_py_of_its_own(url) as config:
                command.downgrade(config, revision)

    @property
    def hands_over(self) -> bool:
        """Whether env.py imports the package's run; if not, it runs migrations itself."""
        env_py = self._script_location() / "env.py"
        return env_py.is_file() and _OUR_HAND_OVER in _imports(env_py)

    @contextmanager
    def _env_py_of_its_own(self, url: URL) -> Iterator[Config]:
        from work_data_hub.testing.guarded_env import guarded_config

        try:
            with guarded_config(self.alembic_ini, url) as config:
                yield config
        except WorkDataHubError:
            raise
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            raise MigrationFailedError(
                f"the migrations of {self.alembic_ini} failed: {type(error).__name__}: {lines[0]}",
                hint="correct what is named there, and run again",
            ) from error

    def _script_location(self) -> Path:
        return Path(script_folder(read_options(str(self.alembic_ini), None)))

    def _folders(self) -> list[Path]:
        options = read_options(str(self.alembic_ini), None)
        return [self._script_location(), *map(Path, version_folders(options))]


def _files(folder: Path) -> list[Path]:
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        found += [Path(parent, name) for name in names if not name.endswith(".pyc")]
    return sorted(found)


def _imports(path: Path) -> set[str]:
    """Return the modules that a file imports, and the names that it imports from them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found
