"""The project whose databases are wanted: its alembic.ini, its seeds, and how they are run."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from work_data_hub.domain.project.env_file import read_env_file
from work_data_hub.errors import MigrationFailedError, UsageError, WorkDataHubError
from work_data_hub.io.schema.ephemeral.content import key_of
from work_data_hub.io.schema.revisions.script_locations import (
    names_by_time,
    read_options,
    script_folder,
    version_folders,
)
from work_data_hub.testing.choice import Choice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alembic.config import Config
    from sqlalchemy.engine import URL

    from work_data_hub.domain.revisions.naming import RevisionInfo
    from work_data_hub.domain.snapshot.ignored import Rule


@dataclass(frozen=True)
class Project:
    """An Alembic project, and what its databases hold.

    Attributes:
        alembic_ini: its configuration.
        seeds: SQL files that are loaded after the migrations, in order.
        choice: which of its revisions the checks of every revision look at.
        models_excused: what models and migrations may make differently.
    """

    alembic_ini: Path
    seeds: tuple[Path, ...] = ()
    choice: Choice = field(default_factory=Choice)
    models_excused: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        for file in (self.alembic_ini, *self.seeds):
            if not file.is_file():
                raise UsageError(
                    f"there is no file {file}",
                    hint="--wdh-config names alembic.ini and --wdh-seeds the SQL files; in"
                    " pytest's ini file wdh_config and wdh_seeds",
                )

    def key(self, *circumstances: str) -> str:
        """Return what names the content of a migrated database: equal keys, equal databases.

        It covers alembic.ini, every file in the migrations' folders, the seeds, the code of this
        package and the versions of what it runs on. Files that a revision reads elsewhere are not
        covered.

        Args:
            circumstances: what else the content depends on, such as the server's version.
        """
        return key_of((self.alembic_ini, *self.seeds), self._folders(), circumstances)

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

        self.run(url, lambda config: command.upgrade(config, revision))

    def downgrade(self, url: URL, revision: str) -> None:
        """Take the migrations above ``revision`` back.

        Raises:
            WorkDataHubError: as ``migration_runner.downgrade``.
        """
        from alembic import command

        self.run(url, lambda config: command.downgrade(config, revision))

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
        from work_data_hub.io.schema.alembic_bridge.model_differences import found_by_check

        found: list[str] = []
        self.run(url, lambda config: found.extend(found_by_check(config)))
        return tuple(found)

    @property
    def history(self) -> tuple[RevisionInfo, ...]:
        """Every revision, each after those that it builds or depends on.

        Raises:
            HistoryError: a revision file cannot be read.
        """
        from work_data_hub.io.schema import migration_runner

        return migration_runner.history(self.alembic_ini)

    @property
    def released(self) -> frozenset[str] | None:
        """The revisions that git's main branch has; None where it cannot tell."""
        from work_data_hub.io.schema.authoring.main_branch import read_main_branch

        main = read_main_branch(version_folders(read_options(str(self.alembic_ini), None)))
        return main.revisions if main else None

    @property
    def names_by_time(self) -> bool:
        """Whether the project wants its revisions named by their time."""
        return names_by_time(str(self.alembic_ini))

    @property
    def hands_over(self) -> bool:
        """Whether env.py uses the package's run; if not, it runs migrations itself."""
        env_py = self._folders()[0] / "env.py"
        return env_py.is_file() and read_env_file(env_py.read_bytes()).hands_over

    def run(self, url: URL, run: Callable[[Config], object]) -> None:
        """Run commands of Alembic on this database, which is a throw-away one, and no other.

        Raises:
            WorkDataHubError: as ``migration_runner.upgrade``.
        """
        from work_data_hub.io.schema.alembic_bridge import commands
        from work_data_hub.io.schema.alembic_bridge.guarded_env import guarded_config
        from work_data_hub.io.schema.alembic_bridge.request import Permissions, Request

        with _in_words(self.alembic_ini):
            if self.hands_over:
                request = Request(database_url=url, permissions=Permissions(ephemeral=True))
                commands.run(request, run, self.alembic_ini).reported()
            else:
                with guarded_config(self.alembic_ini, url) as config:
                    run(config)

    def _folders(self) -> list[Path]:
        """Return the folder of env.py, and those of the revisions."""
        options = read_options(str(self.alembic_ini), None)
        return [Path(folder) for folder in (script_folder(options), *version_folders(options))]


@contextlib.contextmanager
def _in_words(alembic_ini: Path) -> Iterator[None]:
    """Word what an env.py of its own raises."""
    try:
        yield
    except WorkDataHubError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        raise MigrationFailedError(
            f"the migrations of {alembic_ini} failed: {type(error).__name__}: {lines[0]}",
            hint="correct what is named there, and run again",
        ) from error
