"""The verbs that run revisions or print what would be run: upgrade, stamp, sql."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from work_data_hub.cli import project_config
from work_data_hub.cli.answer import Answer
from work_data_hub.cli.verb import (
    ALLOW_COMMIT,
    CONFIRM,
    CONFIRM_DRIFT,
    ONLY_WHOLE_STEPS,
    RESOLVED,
    argument,
    verb,
)
from work_data_hub.errors import UsageError

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from work_data_hub.cli.progress import Progress
    from work_data_hub.domain.run.plan import RunResult


@verb(
    argument(
        "revision",
        nargs="?",
        default="head",
        metavar="REVISION",
        help="an id or its beginning, head, heads, +N (default: head)",
    ),
    RESOLVED,
    argument(
        "--accept",
        action="append",
        default=[],
        metavar="ID",
        help="an applied revision whose edited file is accepted; may be repeated",
    ),
    ALLOW_COMMIT,
    CONFIRM_DRIFT,
    argument(
        "--dry-run", action="store_true", help="run it and take it back; says what cannot be tried"
    ),
    examples=(
        "wdh db upgrade",
        "wdh db upgrade --dry-run",
        "wdh db upgrade +1",
        "wdh db upgrade 20251113_000001",
    ),
    when_interrupted=ONLY_WHOLE_STEPS,
)
def upgrade(call: Namespace) -> Answer:
    """Apply the pending revisions."""
    ini = project_config.find(call.config)
    if call.resolved is None and not (call.accept or call.confirm_drift):
        from work_data_hub.io.schema.first_look.verdict import look

        standing = look(ini, call.database_url, call.revision)
        if standing is not None:
            versions = standing.versions
            return _done(standing.address.masked(), versions, versions, [], _beside((), ()))
    if call.dry_run:
        return _try(call, ini)
    return run_verb(
        call,
        ini,
        resolved=call.resolved,
        accept=call.accept,
        allow_commit=call.allow_commit,
        confirm_drift=call.confirm_drift,
    )


def _try(call: Namespace, ini: Path) -> Answer:
    """Run what is pending, take it back, and say what was tried.

    Raises:
        UsageError: a permission was given, which a dry run does not take.
    """
    from work_data_hub.cli.watching import watched
    from work_data_hub.io.schema import migration_runner

    if call.resolved is not None or call.accept or call.confirm_drift:
        raise UsageError(
            "--dry-run does not go together with --accept, --confirm-drift or --resolved",
            hint="leave them out: it changes nothing that could be accepted",
        )
    with watched(is_quiet=call.quiet) as progress:
        trial = migration_runner.dry_run(
            call.database_url,
            call.revision,
            allow_commit=call.allow_commit,
            alembic_ini=ini,
            observer=progress,
        )
    count = len(trial.tried)
    how = "on a copy, which is gone" if trial.on_a_copy else "and rolled back"
    lines = [f"{trial.database}: {count} step{'s' * (count != 1)} tried {how}; nothing was changed"]
    if trial.untried:
        rest = f", and {len(trial.untried) - 1} behind it" if trial.untried[1:] else ""
        lines.append(f"not tried: {trial.untried[0]}, which leaves its transaction{rest}")
    data = {
        "database": trial.database,
        "before": list(trial.versions),
        "after": list(trial.versions),
        "steps": _steps(progress),
        "dry_run": True,
        "on_a_copy": trial.on_a_copy,
        "untried": [step.revision for step in trial.untried],
    }
    return Answer(data, lines)


@verb(
    argument("revision", metavar="REVISION", help="an id or its beginning, head, base"),
    CONFIRM,
    CONFIRM_DRIFT,
    RESOLVED,
    argument(
        "--purge",
        action="store_true",
        help="forget what was recorded first, such as a revision whose file is gone",
    ),
    examples=("wdh db stamp head", "wdh db stamp --purge head"),
    when_interrupted=ONLY_WHOLE_STEPS,
)
def stamp(call: Namespace) -> Answer:
    """Record that the database is at a revision."""
    ini = project_config.find(call.config)
    given = {"resolved": call.resolved, "confirm_drift": call.confirm_drift}
    done = run_verb(call, ini, confirm=call.confirm, purge=call.purge, **given)
    if not call.purge or done.data["steps"]:
        return done
    # A purge is no step of its own.
    said = f"{done.data['database']} is at base (no revision): what was recorded is forgotten"
    return done._replace(lines=(said,))


def run_verb(call: Namespace, ini: Path, **permissions: Any) -> Answer:
    """Run the front door's verb of the same name, and show how it goes."""
    from work_data_hub.cli.watching import watched
    from work_data_hub.io.schema import migration_runner

    run = getattr(migration_runner, call.verb)
    with watched(is_quiet=call.quiet) as progress:
        result: RunResult = run(
            call.database_url, call.revision, alembic_ini=ini, observer=progress, **permissions
        )
    return answer_of(result, progress)


@verb(
    argument(
        "revision",
        nargs="?",
        default="head",
        metavar="REVISION|FROM:TO",
        help="from an empty database to REVISION, or from one revision to another",
    ),
    argument("--downgrade", action="store_true", help="the script of a downgrade"),
    argument("--pending", action="store_true", help="start where the database is: looks at it"),
    examples=(
        "wdh db sql",
        "wdh db sql --pending",
        "wdh db sql base:head",
        "wdh db sql --downgrade head:base",
    ),
)
def sql(call: Namespace) -> Answer:
    """Print the SQL of an upgrade or of a downgrade: secrets in it as the revisions have them."""
    from work_data_hub.io.schema import migration_runner

    script = migration_runner.sql(
        call.database_url,
        call.revision,
        downgrade=call.downgrade,
        pending=call.pending,
        alembic_ini=project_config.find(call.config),
    )
    lines = script.splitlines()
    return Answer({"sql": script}, lines, bare=lines)


def answer_of(result: RunResult, progress: Progress, **further: Any) -> Answer:
    """Return what a run did, with the seconds that each step took.

    Args:
        result: of the run.
        progress: watched it.
        further: fields of the verb's own.
    """
    beside = {**_beside(result.adopted, result.accepted), **further}
    return _done(
        result.database, result.before, result.after, _steps(progress), beside, result.journalled
    )


def _beside(adopted: tuple[str, ...], accepted: tuple[str, ...]) -> dict[str, Any]:
    return {"adopted": list(adopted), "accepted": list(accepted)}


def _steps(progress: Progress) -> list[dict[str, Any]]:
    return [
        {
            "revision": step.revision,
            "direction": step.direction,
            "description": step.description,
            "seconds": round(seconds, 3),
        }
        for step, seconds in progress.finished_steps
    ]


def _done(
    database: str,
    before: tuple[str, ...],
    after: tuple[str, ...],
    steps: list[dict[str, Any]],
    further: dict[str, Any],
    journalled: tuple[str, ...] = (),
) -> Answer:
    at = ", ".join(after) or "base (no revision)"
    did = [f"{len(steps)} step{'s' * (len(steps) != 1)}"] if steps else []
    said = ", ".join([*did, *journalled]) or "nothing had to be done"
    data = {"database": database, "before": list(before), "after": list(after), "steps": steps}
    return Answer({**data, **further}, (f"{database} is at {at}: {said}",))
