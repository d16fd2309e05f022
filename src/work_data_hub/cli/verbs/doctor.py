"""The verb that examines a live database, and mends some of what it finds: doctor."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from work_data_hub.cli import project_config, streams
from work_data_hub.cli.answer import Answer
from work_data_hub.cli.findings import FORMAT, errors, written
from work_data_hub.cli.verb import CONFIRM, YES, argument, verb
from work_data_hub.domain.finding import as_data
from work_data_hub.errors import UsageError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from pathlib import Path

    from work_data_hub.domain.snapshot.checkup import Checkup, Mended, Repair


@verb(
    FORMAT,
    argument(
        "--fix",
        action="store_true",
        help="do what is certain to do no harm: show it, ask, and write it into the journal",
    ),
    YES,
    CONFIRM,
    examples=(
        "wdh db doctor",
        "wdh db doctor --format github   # annotations for GitHub Actions",
        "wdh db doctor --fix --yes",
    ),
    when_interrupted="each statement was done whole, or not at all; of an index that was built anew"
    " something may be left: `wdh db doctor` names it",
)
def doctor(call: Namespace) -> Answer:
    """Name all that is unhealthy about a live database; without --fix nothing is changed.

    Raises:
        RefusedError: nobody agreed to what would be done, or the database may not be mended.
    """
    from work_data_hub.io.schema import migration_runner

    if not call.fix and (call.yes or call.confirm is not None):
        raise UsageError("without --fix there is nothing to agree to", hint="add --fix")
    ini = project_config.find(call.config)
    checkup = migration_runner.doctor(call.database_url, alembic_ini=ini)
    mended: Sequence[Mended] = ()
    if call.fix and checkup.repairs:
        mended = _mended(call, ini, checkup)
        checkup = migration_runner.doctor(call.database_url, alembic_ini=ini)
    return _answer(call, checkup, mended)


def _mended(call: Namespace, ini: Path, checkup: Checkup) -> Sequence[Mended]:
    """Show what would be done, ask, and do it."""
    from work_data_hub.cli.watching import watched
    from work_data_hub.io.schema import migration_runner

    if not (call.quiet and call.yes):
        head = f"This is to be done to {checkup.database}:"
        lines = [head, *(f"  {each.statement}" for each in checkup.repairs)]
        streams.say("".join(f"{line}\n" for line in lines), sys.stderr)
    streams.refuse_unless_agreed("Type yes to do it: ", to="repair", agreed=call.yes)
    with watched(is_quiet=call.quiet) as progress:
        return migration_runner.repair(
            checkup,
            call.database_url,
            confirm=call.confirm,
            alembic_ini=ini,
            observer=progress,
        )


def _answer(call: Namespace, checkup: Checkup, mended: Sequence[Mended]) -> Answer:
    findings = project_config.in_hints(call, checkup.findings)
    failed = [each for each in mended if each.fault]
    data: dict[str, Any] = {
        "database": checkup.database,
        "findings": [as_data(each) for each in findings],
        "repairs": [_repair(each) for each in checkup.repairs],
    }
    if call.fix:
        data["fixed"] = [{**_repair(each.repair), "fault": each.fault} for each in mended]
    lines = [written(each, call.format) for each in findings]
    prose = lines if call.format == "github" else _prose(call, checkup, mended, lines)
    exit_code = 1 if errors(findings) or failed else 0
    return Answer(data, prose, bare=[each.code for each in findings], exit_code=exit_code)


def _prose(
    call: Namespace, checkup: Checkup, mended: Sequence[Mended], lines: Sequence[str]
) -> list[str]:
    said = [
        f"not done: {each.repair.statement}: {each.fault}"
        if each.fault
        else f"done: {each.repair.statement}"
        for each in mended
    ]
    said += lines or [f"{checkup.database} is healthy"]
    if checkup.repairs and not call.fix:
        way = project_config.named(call).in_commands("`wdh db doctor --fix`")
        said.append(f"{way} asks, and does {len(checkup.repairs)} of this: what can do no harm")
    return said


def _repair(repair: Repair) -> dict[str, str]:
    return {"code": repair.code, "statement": repair.statement}
