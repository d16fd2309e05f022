"""The verb that examines a live database: doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.cli import project_config
from work_data_hub.cli.answer import Answer
from work_data_hub.cli.findings import FORMAT, errors, written
from work_data_hub.cli.verb import verb
from work_data_hub.domain.finding import as_data

if TYPE_CHECKING:
    from argparse import Namespace


@verb(
    FORMAT,
    examples=(
        "wdh db doctor",
        "wdh db doctor --format github   # annotations for GitHub Actions",
    ),
)
def doctor(call: Namespace) -> Answer:
    """Name all that is unhealthy about a live database; changes nothing, and a replica will do."""
    from work_data_hub.io.schema import migration_runner

    ini = project_config.find(call.config)
    checkup = migration_runner.doctor(call.database_url, alembic_ini=ini)
    findings = project_config.in_hints(call, checkup.findings)
    data = {"database": checkup.database, "findings": [as_data(each) for each in findings]}
    lines = [written(each, call.format) for each in findings]
    if not lines and call.format == "text":
        lines = [f"{checkup.database} is healthy"]
    codes = [each.code for each in findings]
    return Answer(data, lines, bare=codes, exit_code=1 if errors(findings) else 0)
