"""The project whose databases are wanted: its alembic.ini, its seeds, and how they are run."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import work_data_hub
from work_data_hub.domain.project.env_file import read_env_file
from work_data_hub.errors import MigrationFailedError, UsageError, WorkDataHubError
from work_data_hub.io.schema.revisions.script_locations import (
    read_options,
    script_folder,
    version_folders,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.config import Config
    from sqlalchemy.engine import URL

    from work_data_hub.domain.revisions.naming import RevisionInfo

_VERSIONS = ("alembic", "sqlalchemy", "psycopg", "work-data-hub")


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
        from work_data_hub.io.schema.database import seed_file as seeding
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
            with self._in_words():
                migration_runner.upgrade(
                    url, revision, ephemeral=True, alembic_ini=self.alembic_ini
                )
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

    def take_back(self, url: URL, revision: RevisionInfo) -> None:
        """Take back one revision, and whatever was run that builds on it; branches beside it stay.

        Raises:
            WorkDataHubError: as ``downgrade``.
        """
        below = revision.down_revisions[0] if revision.down_revisions else "base"
        self.downgrade(url, f"{revision.revision}@{below}")

    def check(self, url: URL) -> tuple[str, ...]:
        """Return the differences between a migrated database and the defined tables, in words.

        Raises:
            UsageError: env.py gives no tables to compare with.
            WorkDataHubError: as ``upgrade``.
        """
        from alembic import command
        from alembic.util import AutogenerateDiffsDetected

        from work_data_hub.io.schema.alembic_bridge.model_differences import in_words

        with self._config(url) as config:
            try:
                command.check(config)
            except AutogenerateDiffsDetected as found:
                return in_words(found.diffs)
        return ()

    @property
    def history(self) -> tuple[RevisionInfo, ...]:
        """Every revision, each after those that it builds or depends on.

        Raises:
            HistoryError: a revision file cannot be read.
        """
        from work_data_hub.io.schema import migration_runner

        return migration_runner.history(self.alembic_ini)

    @property
    def code_folders(self) -> tuple[Path, ...]:
        """From where the project's own modules are imported."""
        from alembic.config import Config

        beside = self.alembic_ini.parent
        prepended = Config(str(self.alembic_ini)).get_prepend_sys_paths_list() or []
        return (beside, beside / "src", *(beside / folder for folder in prepended))

    @property
    def hands_over(self) -> bool:
        """Whether env.py uses the package's run; if not, it runs migrations itself."""
        env_py = self._script_location() / "env.py"
        return env_py.is_file() and read_env_file(env_py.read_bytes()).hands_over

    @contextmanager
    def _config(self, url: URL) -> Iterator[Config]:
        """Yield a Config with which a command that looks at a database looks at this one."""
        from alembic.config import Config

        from work_data_hub.io.schema.alembic_bridge.request import REQUEST, Request

        if self.hands_over:
            yield Config(str(self.alembic_ini), attributes={REQUEST: Request(database_url=url)})
        else:
            with self._env_py_of_its_own(url) as config:
                yield config

    @contextmanager
    def _env_py_of_its_own(self, url: URL) -> Iterator[Config]:
        from work_data_hub.io.schema.alembic_bridge.guarded_env import guarded_config

        with self._in_words(), guarded_config(self.alembic_ini, url) as config:
            yield config

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
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
    # Editors leave symbolic links that point nowhere beside the file that is open.
    return sorted(path for path in found if path.is_file())
