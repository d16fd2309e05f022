"""The SQL of a migration as a script, for those who run it by hand."""

from __future__ import annotations

import errno
import io
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

from alembic import command

from work_data_hub.errors import MissingError, UsageError
from work_data_hub.io.schema.alembic_bridge import commands, database_choice
from work_data_hub.io.schema.alembic_bridge.call import plan_of_alembic
from work_data_hub.io.schema.alembic_bridge.request import Request, Script, request_of
from work_data_hub.io.schema.record.status import fault_of, read_status
from work_data_hub.io.schema.run.executor import plan_of
from work_data_hub.io.schema.run.script_statements import FOR_THE_SHELL, ScriptStatements
from work_data_hub.output import abandon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext, MigrationStep
    from sqlalchemy.engine import URL

    from work_data_hub.io.schema.alembic_bridge.configuration import Configuration
    from work_data_hub.io.schema.alembic_bridge.ending import Ending

# Of a database of which no script can be known to do what the run would do.
_NOT_BY_HAND = {"interrupted", "ahead", "record-removed", "record-hidden"}
_OF_OUTPUT = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
_NOTHING = "-- nothing is pending\n"


def sql(
    database_url: str | URL | None = None,
    revision: str = "head",
    *,
    downgrade: bool = False,
    pending: bool = False,
    alembic_ini: Path | None = None,
) -> str:
    """Return the script of an upgrade, or of a downgrade, for `psql` or `sqlite3`; changes nothing.

    It stops at the first error, each revision is a transaction, and none runs on a database that
    is not where it starts. On PostgreSQL the script writes the journal, where the database has one;
    on SQLite where the script is made for what is pending on it: otherwise the next run adopts what
    it finds applied. What a revision reads from the database cannot be known.

    Args:
        database_url: names the kind of database; the settings decide when it is left out.
        revision: where to go from an empty database, or ``FROM:TO``; a downgrade needs both.
        downgrade: go down.
        pending: start where the database is, which is looked at; nothing else needs one.
        alembic_ini: the project.

    Raises:
        UsageError: a downgrade without ``FROM:TO``, or more than one colon.
        HistoryError: a revision is unknown, FROM does not lead to TO, or the database is ahead of
            the code.
        MigrationFailedError: a revision was interrupted: what is pending cannot be told.
        RefusedError: what is recorded was removed, or cannot be read.
    """
    _check_range(revision, downgrade=downgrade)
    request = Request(database_url=database_url, script=Script())
    if pending:
        start = _where_it_is(request, revision, alembic_ini)
        if start is None:
            return _NOTHING
        revision = f"{start}:{revision}"
    verb = command.downgrade if downgrade else command.upgrade
    return _written(request, lambda config: verb(config, revision, sql=True), alembic_ini)


def _written(request: Request, run: Callable[[Config], None], alembic_ini: Path | None) -> str:
    written = io.StringIO()

    def write(config: Config) -> None:
        config.output_buffer = written
        run(config)

    commands.run(request, write, alembic_ini)
    assert request.script is not None
    return request.script.for_the_shell + written.getvalue()


def _check_range(revision: str, *, downgrade: bool) -> None:
    if revision.count(":") > 1:
        raise UsageError("there is more than one colon in the revision", hint="write FROM:TO")
    if downgrade and ":" not in revision:
        raise UsageError(
            "the script of a downgrade needs to know where it starts", hint="write FROM:TO"
        )


def _where_it_is(request: Request, revision: str, alembic_ini: Path | None) -> str | None:
    """Look where the database is; None when nothing is pending."""
    if ":" in revision:
        raise UsageError(
            "what is pending starts where the database is", hint="write the revision alone"
        )
    found = commands.seen(read_status, request.database_url, alembic_ini)
    for problem in found.problems:
        if problem.code in _NOT_BY_HAND:
            raise fault_of(problem)
    if len(found.versions) > 1:
        raise UsageError(
            f"the database is at several revisions: {', '.join(found.versions)}",
            hint="a script starts at one: write FROM:TO",
        )
    if not found.pending:
        return None
    request.script = Script(has_journal=found.environment is not None)
    return found.versions[0] if found.versions else "base"


def print_script(configuration: Configuration, ending: Ending) -> None:
    """Print the SQL of a command of Alembic; no database is looked at.

    Args:
        configuration: of the call of env.py.
        ending: is told which database it is.
    """
    environment = configuration.environment
    choice = database_choice.choose(configuration)
    ending.target, script = choice.target, request_of(environment.config).script
    backend = choice.target.url.get_backend_name()
    options: dict[str, Any] = {}
    if backend in FOR_THE_SHELL:
        if script is not None:
            script.for_the_shell = FOR_THE_SHELL[backend]
        statements = ScriptStatements(
            configuration.version_table,
            configuration.schema,
            choice.settings,
            has_journal=script is not None and script.has_journal,
        )
        options = {
            "fn": _with_checks(statements, plan_of_alembic(environment)),
            "on_version_apply": statements.write_journal,
        }
    configuration.apply(
        url=choice.target.run_url,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        transactional_ddl=True,
        **options,
    )
    config, url = environment.config, choice.target.run_url
    out = environment.get_context().impl.output_buffer
    with (
        _arriving(out),
        database_choice.told(config, url),
        environment.begin_transaction(),
    ):
        configuration.run_migrations()


@contextmanager
def _arriving(out: Any) -> Iterator[None]:
    """See that what is written in the block arrives; a reader that went away has seen enough.

    Raises:
        MissingError: it cannot be written.
    """
    try:
        yield
        out.flush()
    except BrokenPipeError:
        abandon(out)
    except OSError as error:
        if error.errno not in _OF_OUTPUT:
            raise
        abandon(out)
        raise MissingError(
            f"the script cannot be written: {error.strerror}",
            hint="a part of it may be there: write the whole to another place",
        ) from error


def _with_checks(
    statements: ScriptStatements, plan_steps: Callable[..., Any]
) -> Callable[[tuple[str, ...], MigrationContext], Iterator[MigrationStep]]:
    """Have each of Alembic's steps check where the database is, in its own transaction."""

    def steps(heads: tuple[str, ...], context: MigrationContext) -> Iterator[MigrationStep]:
        planned = list(plan_steps(heads, context))
        statements.begin_script(context)
        for step, described in zip(planned, plan_of(heads, planned).steps, strict=True):
            migrate = step.migration_fn

            @wraps(migrate)  # Alembic writes its name into the script
            def check_and_migrate(_migrate: Any = migrate, **given: Any) -> None:
                statements.check_start()
                _migrate(**given)

            statements.begin_step(described, getattr(step, "revision", None), heads)
            step.migration_fn = check_and_migrate
            yield step
            heads = statements.heads_after

    return steps
