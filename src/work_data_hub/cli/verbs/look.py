"""The verbs that look at a database and change nothing: status, current, journal, check."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from work_data_hub.cli import project_config
from work_data_hub.cli.answer import Answer
from work_data_hub.cli.verb import argument, verb

if TYPE_CHECKING:
    from argparse import Namespace

    from work_data_hub.domain.run.plan import Step
    from work_data_hub.io.schema.first_look.verdict import Standing
    from work_data_hub.io.schema.record.journal import JournalEntry
    from work_data_hub.io.schema.record.status import DatabaseStatus

# What the first schema of the JSON calls a problem, where it is not called by its code.
_KINDS = {"ahead": "ahead-of-the-code", "vanished": "edited"}


def _row_count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows: write 1 or more")
    return int(text)


@verb(
    argument("--check", action="store_true", help="exit with 1 when anything is pending or wrong"),
    examples=(
        "wdh db status",
        "wdh db status --check   # exit 1 when anything is pending or wrong",
    ),
)
def status(call: Namespace) -> Answer:
    """Show where the database stands, what is pending, and what is wrong."""
    ini = project_config.find(call.config)
    if call.check:
        from work_data_hub.io.schema.first_look.verdict import look

        standing = look(ini, call.database_url, "head")
        if standing is not None:
            return _settled(standing)
    from work_data_hub.io.schema import migration_runner

    found = migration_runner.status(call.database_url, alembic_ini=ini)
    exit_code = 1 if call.check and not found.is_clear else 0
    return Answer(_data(found), _lines(found), exit_code=exit_code)


@verb(
    argument(
        "--check-heads", action="store_true", help="exit with 1 when these are not all the heads"
    ),
    examples=(
        "wdh db current",
        "wdh db current --quiet   # ids alone",
        "wdh db current --check-heads",
    ),
)
def current(call: Namespace) -> Answer:
    """Show the revisions that the database is at."""
    from work_data_hub.io.schema import migration_runner

    ini = project_config.find(call.config)
    found = migration_runner.current(call.database_url, alembic_ini=ini)
    data: dict[str, Any] = {"revisions": list(found)}
    lines = [*found] or ["base (no revision)"]
    if call.check_heads:
        data["heads"] = [*migration_runner.heads(ini)]
        data["is_at_heads"] = {*found} == {*data["heads"]}
        if not data["is_at_heads"]:
            lines.append(f"not at head: {', '.join(data['heads']) or 'no revision'}")
    return Answer(data, lines, bare=found, exit_code=0 if data.get("is_at_heads", True) else 1)


@verb(examples=("wdh db check || echo differs",))
def check(call: Namespace) -> Answer:
    """Compare the tables of the database with those of the code, as autogenerate does."""
    from work_data_hub.io.schema import migration_runner

    ini = project_config.find(call.config)
    found = migration_runner.check(call.database_url, alembic_ini=ini)
    way = '`wdh db new --autogenerate "..."` writes the revision that is missing'
    lines = [*found, way] if found else ["the tables of the database are those of the code"]
    return Answer({"differences": [*found]}, lines, bare=found, exit_code=1 if found else 0)


@verb(
    argument("--last", type=_row_count, metavar="N", help="only the last N rows"),
    examples=("wdh db journal", "wdh db journal --last 5"),
)
def journal(call: Namespace) -> Answer:
    """List the steps that were run or tried, the oldest first."""
    from work_data_hub.io.schema import migration_runner

    ini = project_config.find(call.config)
    entries = migration_runner.journal(call.database_url, last=call.last, alembic_ini=ini)
    lines = [journal_line(entry) for entry in entries]
    data = [_entry(entry) for entry in entries]
    return Answer({"journal": data}, lines or ("nothing was run yet",), bare=lines)


def journal_line(entry: JournalEntry) -> str:
    """Return a row of the journal as a line of text."""
    detail = f": {entry.detail}" if entry.detail else ""
    return (
        f"{entry.started_at:%Y-%m-%d %H:%M:%S} UTC {entry.outcome:<6} {entry.direction} "
        f"{entry.revision} ({entry.duration_ms / 1000:.2f} s, {entry.os_user}@{entry.host}){detail}"
    )


def _settled(standing: Standing) -> Answer:
    database, versions = standing.address.masked(), list(standing.versions)
    data = {
        "database": database,
        "decided_by": standing.source,
        "environment": standing.environment,
        "revisions": versions,
        "pending": [],
        "problems": [],
        "is_clear": True,
    }
    line = f"{database} is at {', '.join(versions)}: nothing is pending, nothing is wrong"
    return Answer(data, (line,))


def _data(found: DatabaseStatus) -> dict[str, Any]:
    from work_data_hub.domain.finding import as_data

    return {
        "database": found.database,
        "decided_by": found.source,
        "environment": found.environment,
        "revisions": list(found.versions),
        "pending": [_step(step) for step in found.pending],
        "problems": [
            {"kind": _KINDS.get(each.code, each.code), **as_data(each)} for each in found.problems
        ],
        "is_clear": found.is_clear,
        "exists": found.exists,
        "session": found.session,
        "heads": list(found.heads),
        "last_runs": [_entry(entry) for entry in found.last_runs],
    }


def _lines(found: DatabaseStatus) -> list[str]:
    there = "" if found.exists else ", not there yet"
    at_head = " (head)" if found.is_clear else ""
    lines = [
        f"Database     {found.database}  ({found.source}{there})",
        f"Environment  {found.environment or 'not recorded yet'}  (session: {found.session})",
        f"Revision     {', '.join(found.versions) or 'base (no revision)'}{at_head}",
    ]
    lines += [f"Pending      {step.revision} {step.description}".rstrip() for step in found.pending]
    if not found.pending:
        lines.append("Pending      nothing")
    lines += [f"Run          {journal_line(entry)}" for entry in found.last_runs]
    for problem in found.problems:
        lines += [f"Wrong        {problem}", f"  hint       {problem.hint}"]
    return lines


def _step(step: Step) -> dict[str, str]:
    return {"revision": step.revision, "description": step.description}


def _entry(entry: JournalEntry) -> dict[str, Any]:
    from dataclasses import asdict

    times = {name: getattr(entry, name).isoformat() for name in ("started_at", "finished_at")}
    return {**asdict(entry), **times}
