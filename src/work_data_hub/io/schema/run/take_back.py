"""Takes back what one applied oneself: to apply it again, to rewrite it, or because it is lost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationStep
from alembic.script import ScriptDirectory

from work_data_hub.errors import HistoryError
from work_data_hub.io.schema.alembic_bridge import commands
from work_data_hub.io.schema.alembic_bridge.request import OwnOnly, Permissions, Request
from work_data_hub.io.schema.record.lost import LostPlan, find_lost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext, RevisionStep
    from sqlalchemy.engine import URL

    from work_data_hub.domain.run.plan import RunResult
    from work_data_hub.io.schema.alembic_bridge.observer import RunObserver

_REDO = OwnOnly(
    "a redo", "make a new revision that changes what that one did: `wdh db new MESSAGE`"
)
_TAKE_BACK_LOST = OwnOnly(
    "taking back a revision whose file is gone",
    "deploy the code that has it, and take it back by that",
)
_REBASE = OwnOnly("a rebase", "make a new revision that changes what it did")


def redo(
    database_url: str | URL | None = None,
    revision: str | None = None,
    *,
    allow_commit: Sequence[str] = (),
    alembic_ini: Path | None = None,
    observer: RunObserver | None = None,
) -> RunResult:
    """Take back a revision and all that builds on it, and apply them again. Dev and tests only.

    What is taken back is what was applied, also where the file was edited since; what is applied
    is what the file says now. It is one run, under one lock; the rows of the tables are lost.

    Args:
        database_url: the database; the settings decide when it is left out.
        revision: an id or its beginning; left out, the newest one that is applied.
        allow_commit: as ``migration_runner.upgrade``.
        alembic_ini: the project.
        observer: is told of every step; the log when it is left out.

    Raises:
        RefusedError: the database is staging or prod.
        HistoryError: the revision is unknown or not applied, or several are the newest.
        MigrationFailedError: a step failed and was rolled back; those before it stay.
        WorkDataHubError: as ``migration_runner.upgrade``.
    """
    request = _request(_REDO, database_url, observer, allow_commit)
    return _run(request, lambda scripts: _Redo(scripts, revision), alembic_ini)


def take_back(
    revisions: Sequence[str],
    database_url: str | URL | None = None,
    *,
    alembic_ini: Path | None = None,
    observer: RunObserver | None = None,
) -> RunResult:
    """Take back revisions and all that builds on them, where they are applied. Dev and tests only.

    Args:
        revisions: their ids.
        database_url: as ``redo``.
        alembic_ini: the project.
        observer: as ``redo``.

    Raises:
        WorkDataHubError: as ``redo``.
    """
    request = _request(_REBASE, database_url, observer)
    return _run(request, lambda scripts: _TakeBack(scripts, revisions), alembic_ini)


def plan_lost(
    database_url: str | URL | None = None, *, alembic_ini: Path | None = None
) -> LostPlan:
    """Return what takes back the revisions that no file declares. Changes nothing.

    Their texts are looked for among those that were applied from this machine, and then in git:
    in every branch, and in what git remembers of commits that no branch has any more.

    Args:
        database_url: as ``redo``.
        alembic_ini: the project.

    Raises:
        RefusedError: the database is staging or prod.
        HistoryError: a text is nowhere.
        SettingsError, DatabaseUnavailableError: as ``migration_runner.upgrade``.
    """
    return commands.seen(partial(find_lost, operation=_TAKE_BACK_LOST), database_url, alembic_ini)


def take_back_lost(
    plan: LostPlan,
    database_url: str | URL | None = None,
    *,
    allow_commit: Sequence[str] = (),
    alembic_ini: Path | None = None,
    observer: RunObserver | None = None,
) -> RunResult:
    """Take back what ``plan_lost`` found, by the texts that it shows: they are executed.

    Args:
        plan: what somebody was shown, and agreed to.
        database_url: as ``redo``.
        allow_commit: as ``redo``.
        alembic_ini: the project.
        observer: as ``redo``.

    Raises:
        WorkDataHubError: as ``redo``.
    """
    request = _request(_TAKE_BACK_LOST, database_url, observer, allow_commit)
    request.lost = {each.revision: each.text for each in plan.revisions}
    return _run(request, lambda scripts: _TakeBack(scripts, [*request.lost]), alembic_ini)


def _request(
    operation: OwnOnly,
    database_url: str | URL | None,
    observer: RunObserver | None,
    allow_commit: Sequence[str] = (),
) -> Request:
    request = Request.of(database_url, Permissions(allow_commit=tuple(allow_commit)), observer)
    request.own_only = operation
    return request


class _TakeBack:
    """Plans to take revisions back, with all that builds on them; called as Alembic's function."""

    def __init__(self, scripts: ScriptDirectory, revisions: Sequence[str]) -> None:
        self._scripts = scripts
        self._revisions = revisions

    def __call__(self, heads: tuple[str, ...], _: MigrationContext) -> list[RevisionStep]:
        return self._down(heads, self._revisions)

    def _down(self, heads: tuple[str, ...], revisions: Sequence[str]) -> list[RevisionStep]:
        graph, wanted = self._scripts.revision_map, set(revisions)
        applied = [*graph.iterate_revisions(heads, "base")] if heads else []
        for each in reversed(applied):
            if wanted.intersection(each._all_down_revisions):  # noqa: SLF001  # with depends_on
                wanted.add(each.revision)
        return [
            MigrationStep.downgrade_from_script(graph, each)  # type: ignore[arg-type]
            for each in applied
            if each.revision in wanted
        ]


class _Redo(_TakeBack):
    """Plans to take back a revision with all that builds on it, and to go where it was."""

    def __init__(self, scripts: ScriptDirectory, revision: str | None) -> None:
        super().__init__(scripts, ())
        # The plan may be made on another graph, of what was applied.
        self._files = scripts.revision_map
        self._wanted = revision

    def __call__(self, heads: tuple[str, ...], _: MigrationContext) -> list[RevisionStep]:
        down = self._down(heads, [self._meant(heads)])
        left = self._left(heads, {step.revision.revision for step in down})
        self._scripts.revision_map = self._files
        return [*down, *self._scripts._upgrade_revs(heads, left)]  # type: ignore[arg-type]  # noqa: SLF001

    def _meant(self, heads: tuple[str, ...]) -> str:
        if self._wanted is None:
            if not heads:
                raise HistoryError("nothing is applied", hint="run `wdh db upgrade`")
            if len(heads) > 1:
                raise HistoryError(
                    f"several revisions are the newest: {', '.join(heads)}",
                    hint="name one: wdh db redo REVISION",
                )
            return heads[0]
        script = self._scripts.get_revision(self._wanted)
        applied = self._scripts.iterate_revisions(heads, "base")
        if script not in [*applied]:
            raise HistoryError(
                f"{self._wanted} is not applied", hint="`wdh db upgrade` applies what is pending"
            )
        return script.revision

    def _left(self, heads: tuple[str, ...], taken_back: set[str]) -> tuple[str, ...]:
        """Return the revisions that the database is at in between."""
        graph = self._scripts.revision_map
        applied = graph.iterate_revisions(heads, "base")
        left = {each.revision: each for each in applied if each.revision not in taken_back}
        below = {parent for each in left.values() for parent in each._all_down_revisions}  # noqa: SLF001
        return tuple(left.keys() - below)


def _run(
    request: Request,
    steps_of: Callable[[ScriptDirectory], _TakeBack],
    alembic_ini: Path | None,
) -> RunResult:
    def verb(config: Config) -> None:
        scripts = ScriptDirectory.from_config(config)
        # As Alembic's own verbs that move a database: `destination_rev` is what tells them.
        options = {"fn": steps_of(scripts), "destination_rev": None}
        with EnvironmentContext(config, scripts, **options):
            scripts.run_env()

    return commands.run(request, verb, alembic_ini).reported()
