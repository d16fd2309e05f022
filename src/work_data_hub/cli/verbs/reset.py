"""The verb that drops everything: reset."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from work_data_hub.cli import project_config, streams
from work_data_hub.cli.verb import YES, argument, verb
from work_data_hub.errors import RefusedError

if TYPE_CHECKING:
    from argparse import Namespace

    from work_data_hub.cli.answer import Answer
    from work_data_hub.io.schema.database.reset import ResetPlan

_SHOWN_NAMES = 20


@verb(
    YES,
    argument(
        "--schema",
        action="append",
        default=[],
        metavar="NAME",
        help="PostgreSQL: a further schema to empty; may be repeated",
    ),
    examples=("wdh db reset --yes",),
    when_interrupted="`wdh db status` shows how far it came: either everything is there, or all"
    " of it was dropped and whole steps were built again (of thousands of tables a part may be"
    " dropped: reset it again)",
)
def reset(call: Namespace) -> Answer:
    """Say what will be dropped, ask, drop it and build it again.

    Raises:
        RefusedError: the database may not be reset, or nobody agreed.
    """
    from work_data_hub.cli.verbs.run import answer_of
    from work_data_hub.cli.watching import watched
    from work_data_hub.io.schema import migration_runner

    ini = project_config.find(call.config)
    plan = migration_runner.plan_reset(call.database_url, schemas=call.schema, alembic_ini=ini)
    if not (call.quiet and call.yes):
        streams.say("".join(f"{line}\n" for line in _announcement(plan)), sys.stderr)
    if not call.yes:
        question = f"Type the name of the database ({plan.name}) to go on: "
        if streams.agreement(question, to="reset") != plan.name:
            raise RefusedError("that is not its name: nothing was changed", hint="run it again")
    with watched(is_quiet=call.quiet) as progress:
        result = migration_runner.reset(
            call.database_url,
            schemas=call.schema,
            agreed=plan,
            alembic_ini=ini,
            observer=progress,
        )
    return answer_of(result, progress, dropped=[f"{one.kind} {one.name}" for one in plan.objects])


def _announcement(plan: ResetPlan) -> list[str]:
    where = f", schema {', '.join(plan.schemas)}" if plan.schemas else ""
    lines = [
        f"This drops everything in {plan.database}{where}"
        f" ({plan.environment or 'not recorded yet'}), its journal included, and builds it again."
    ]
    lines += [f"  {one.kind} {one.name}" for one in plan.objects[:_SHOWN_NAMES]]
    if len(plan.objects) > _SHOWN_NAMES:
        lines.append(f"  and {len(plan.objects) - _SHOWN_NAMES} more")
    return lines if plan.objects else [*lines, "  nothing is in it"]
