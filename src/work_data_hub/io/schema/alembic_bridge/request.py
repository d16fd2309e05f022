"""What the package's own front door asks of a run, and what it gets back."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.config.choice import Said, said
from work_data_hub.config.database_url import mask
from work_data_hub.domain.run.plan import RunResult
from work_data_hub.errors import RefusedError
from work_data_hub.io.schema.alembic_bridge.observer import LogObserver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from alembic.config import Config
    from sqlalchemy.engine import URL

    from work_data_hub.domain.record.target import EnvironmentClass
    from work_data_hub.domain.run.plan import Plan, Progress, Step
    from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
    from work_data_hub.io.schema.alembic_bridge.observer import RunObserver


REQUEST = "work_data_hub.request"


@dataclass(frozen=True)
class Permissions:
    """What the caller confirmed, or asked for beside the run itself.

    Attributes:
        confirm: the name of the database, for what is destructive on staging or prod.
        record_environment: the environment class that shall be recorded.
        resolved: an interrupted revision that a person has put right.
        accept: applied revisions whose edited or vanished file is accepted.
        allow_commit: revisions that may commit in their middle.
        confirm_drift: a schema that is not as the last run left it may be built on.
        ephemeral: a database that is not recorded yet is a throw-away one.
        dry_run: the run is taken back.
    """

    confirm: str | None = None
    record_environment: EnvironmentClass | None = None
    resolved: str | None = None
    accept: tuple[str, ...] = ()
    allow_commit: tuple[str, ...] = ()
    ephemeral: bool = False
    confirm_drift: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class Loading:
    """Rows that shall be loaded.

    Attributes:
        name: of the file.
        load: loads them.
    """

    name: str
    load: Callable[[DatabaseView], None]


class OwnOnly(NamedTuple):
    """What is done to databases of one's own alone.

    Attributes:
        name: in words.
        way_out: what is done elsewhere instead.
    """

    name: str
    way_out: str


@dataclass
class Script:
    """A script that shall be written.

    Attributes:
        has_journal: whether its database is known to have a journal.
        for_the_shell: written by the run: what `psql` or `sqlite3` must be told first.
    """

    has_journal: bool = False
    for_the_shell: str = ""


@dataclass
class Request:
    """What the package's own front door asks of a run, and what it gets back.

    Attributes:
        database_url: the caller's explicit choice, if any.
        preview: plan, and change nothing.
        permissions: what the caller confirmed.
        observer: is told how the run goes.
        look: is given the database, where a command only reads it.
        empty: empties the database, where a reset was asked for.
        said: what the environment said when it was asked, before env.py ran.
        loading: what is loaded into it, and nothing else is done.
        mend: mends what is unhealthy about it under the run lock, and nothing else is done.
        script: the script that is asked for, and written to Alembic's output buffer.
        place: makes the place of the database, and nothing else is done.
        own_only: what it is, where it is done to databases of one's own alone.
        lost: the texts of revisions that have no file, for a plan that takes them back.
        plan: written by the run.
        untried: written by a dry run: the steps that it could not try.
        result: written by the run when it ends.
    """

    database_url: str | URL | None = None
    preview: bool = False
    permissions: Permissions = Permissions()
    observer: RunObserver = field(default_factory=LogObserver)
    look: Callable[[DatabaseView], None] | None = None
    empty: Callable[[DatabaseView], None] | None = None
    loading: Loading | None = None
    mend: Callable[[DatabaseView], None] | None = None
    script: Script | None = None
    place: Callable[[URL], None] | None = None
    own_only: OwnOnly | None = None
    lost: Mapping[str, bytes] = field(default_factory=dict)
    said: Said = field(default_factory=lambda: said(os.environ))
    plan: Plan | None = None
    untried: tuple[Step, ...] = ()
    result: RunResult | None = None

    @classmethod
    def of(
        cls,
        database_url: str | URL | None,
        permissions: Permissions,
        observer: RunObserver | None,
    ) -> Request:
        """Return a request whose observer is the log where none is given."""
        return cls(database_url, permissions=permissions, observer=observer or LogObserver())

    def report(self, progress: Progress, url: URL, after: tuple[str, ...] = ()) -> None:
        """Write down what the run did, for the front door.

        Args:
            progress: how far it got.
            url: the database.
            after: the revisions that the database is at now, where that was looked at.
        """
        self.plan, steps = (plan := progress.plan), tuple(progress.finished)
        beside = (plan.adopted, plan.accepted, plan.confirmed)
        self.result = RunResult(mask(url), plan.current, after, steps, *beside)

    def reported(self) -> RunResult:
        """Return what env.py reported.

        Raises:
            RefusedError: it reported nothing.
        """
        if self.result is None:
            raise RefusedError(
                "env.py did not hand over to the package, so nothing is known of what it did",
                hint="it must call work_data_hub.io.schema.environment.run",
            )
        return self.result


def request_of(config: Config) -> Request:
    """Return the front door's request, or an empty one when Alembic itself is the door."""
    request = config.attributes.get(REQUEST)
    return request if isinstance(request, Request) else Request()
