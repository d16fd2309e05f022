"""The verbs that take revisions back: downgrade, redo."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from work_data_hub.cli import project_config, streams
from work_data_hub.cli.answer import Answer
from work_data_hub.cli.verb import ALLOW_COMMIT, CONFIRM, ONLY_WHOLE_STEPS, YES, argument, verb
from work_data_hub.cli.verbs.run import answer_of, run_verb
from work_data_hub.errors import UsageError

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from work_data_hub.io.schema.record.lost import LostPlan


@verb(
    argument("revision", nargs="?", metavar="REVISION", help="an id or its beginning, base, -N"),
    CONFIRM,
    ALLOW_COMMIT,
    argument(
        "--lost",
        action="store_true",
        help="take back what the database has and no file declares (dev and tests):"
        " shows the text that was applied, asks, and runs it",
    ),
    YES,
    examples=("wdh db downgrade -1", "wdh db downgrade base", "wdh db downgrade --lost"),
    when_interrupted=ONLY_WHOLE_STEPS,
)
def downgrade(call: Namespace) -> Answer:
    """Take back the revisions above one.

    Raises:
        UsageError: neither a revision nor --lost was given, or both.
    """
    ini = project_config.find(call.config)
    if (call.revision is None) != call.lost:
        raise UsageError(
            "--lost and a revision do not go together"
            if call.lost
            else "downgrade needs a REVISION: where to stop",
            hint="`wdh db downgrade -1` takes back the newest, `--lost` what has no file any more",
        )
    if call.lost:
        return _take_back_lost(call, ini)
    return run_verb(call, ini, confirm=call.confirm, allow_commit=call.allow_commit)


@verb(
    argument(
        "revision",
        nargs="?",
        metavar="REVISION",
        help="which, with all that builds on it (default: the newest that is applied)",
    ),
    ALLOW_COMMIT,
    examples=("wdh db redo", "wdh db redo 20251113_000001"),
    when_interrupted=ONLY_WHOLE_STEPS,
)
def redo(call: Namespace) -> Answer:
    """Take back a revision as it was applied, and apply it as its file is now (dev and tests)."""
    return run_verb(call, project_config.find(call.config), allow_commit=call.allow_commit)


def _take_back_lost(call: Namespace, ini: Path) -> Answer:
    """Show the texts that will be executed, ask, and take back what they did.

    Raises:
        RefusedError: nobody agreed, or the database is staging or prod.
    """
    from work_data_hub.cli.watching import watched
    from work_data_hub.io.schema import migration_runner

    plan = migration_runner.plan_lost(call.database_url, alembic_ini=ini)
    if not plan.revisions:
        return Answer(
            {"database": plan.database, "lost": [], "steps": []},
            [f"{plan.database}: nothing is lost, every revision that it has has its file"],
        )
    if not (call.quiet and call.yes):
        streams.say("".join(f"{line}\n" for line in _announcement(plan)), sys.stderr)
    question = "Type yes to run their downgrade: "
    streams.refuse_unless_agreed(question, to="downgrade", agreed=call.yes)
    with watched(is_quiet=call.quiet) as progress:
        result = migration_runner.take_back_lost(
            plan,
            call.database_url,
            allow_commit=call.allow_commit,
            alembic_ini=ini,
            observer=progress,
        )
    return answer_of(result, progress, lost=[each.revision for each in plan.revisions])


def _announcement(plan: LostPlan) -> list[str]:
    lines = [f"{plan.database} has revisions that no file declares. They are taken back by these:"]
    for each in plan.revisions:
        doubt = "" if each.is_what_was_applied else "; nothing tells whether it was applied so"
        lines += [f"{each.revision} ({each.found}{doubt}):"]
        lines += [f"    {line}" for line in each.text.decode("utf-8", "replace").splitlines()]
    return lines
