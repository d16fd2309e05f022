"""The verbs that look at a database and change nothing: status, current, journal, check."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from work_data_hub.cli import project_config, screen
from work_data_hub.cli.answer import Answer
from work_data_hub.cli.verb import argument, verb
from work_data_hub.domain.finding import ERROR

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from work_data_hub.domain.run.plan import Step
    from work_data_hub.hints import Named
    from work_data_hub.io.schema.record.journal import JournalEntry
    from work_data_hub.io.schema.record.status import DatabaseStatus

_SHOWN_PENDING = 10
# What the first schema of the JSON calls a problem, where it is not called by its code.
_KINDS = {"ahead": "ahead-of-the-code", "vanished": "edited"}


def _row_count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows: write 1 or more")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: write 2026-01-31, or 2026-01-31T14:30+01:00"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


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
    from dataclasses import replace

    from work_data_hub.io.schema import migration_runner

    found = migration_runner.status(call.database_url, alembic_ini=ini)
    exit_code = 1 if call.check and not found.is_clear else 0
    named = project_config.named(call)
    found = replace(found, problems=project_config.in_hints(call, found.problems))
    lines = [_when_clear(found)] if call.check and found.is_clear else _lines(found, named)
    return Answer(_data(found), lines, exit_code=exit_code)


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
    way = project_config.named(call).in_commands(
        '`wdh db new --autogenerate "..."` writes the revision that is missing'
    )
    lines = [*found, way] if found else ["the tables of the database are those of the code"]
    return Answer({"differences": [*found]}, lines, bare=found, exit_code=1 if found else 0)


@verb(
    argument("--last", type=_row_count, metavar="N", help="only the last N rows"),
    argument(
        "--since", type=_moment, metavar="TIME", help="from then on: 2026-01-31, or with a time"
    ),
    argument("--until", type=_moment, metavar="TIME", help="before then; without a zone it is UTC"),
    argument("--revision", metavar="ID", help="of this revision, or of those that begin so"),
    argument("--failed", action="store_true", help="only what failed"),
    examples=(
        "wdh db journal",
        "wdh db journal --last 5",
        "wdh db journal --failed --since 2026-01-31",
    ),
)
def journal(call: Namespace) -> Answer:
    """List the steps that were run or tried, the oldest first."""
    from work_data_hub.io.schema import migration_runner

    ini = project_config.find(call.config)
    is_whole = not (call.since or call.until or call.revision or call.failed)
    last = call.last if is_whole else None
    entries = [
        entry
        for entry in migration_runner.journal(call.database_url, last=last, alembic_ini=ini)
        if _is_wanted(entry, call)
    ][-call.last if call.last else 0 :]
    told = {} if call.json or not entries else _descriptions(ini)
    lines = [journal_line(entry, told.get(entry.revision, "")) for entry in entries]
    nothing = "nothing was run yet" if is_whole else "nothing of that is in the journal"
    return Answer(
        {"journal": [_entry(entry) for entry in entries]}, lines or (nothing,), bare=lines
    )


def _is_wanted(entry: JournalEntry, call: Namespace) -> bool:
    return (
        (call.since is None or entry.started_at >= call.since)
        and (call.until is None or entry.started_at < call.until)
        and entry.revision.startswith(call.revision or "")
        and (entry.outcome == "failed" or not call.failed)
    )


def _descriptions(ini: Path) -> dict[str, str]:
    """Return what each revision does, as far as the files can be read."""
    from work_data_hub.errors import WorkDataHubError
    from work_data_hub.io.schema.alembic_bridge import revision_listing

    try:
        return {each.revision: each.description for each in revision_listing.history(ini)}
    except WorkDataHubError:
        return {}


def journal_line(entry: JournalEntry, description: str = "") -> str:
    """Return a row of the journal as a line of text."""
    detail = f": {entry.detail}" if entry.detail else ""
    told = f" {description}" if description else ""
    who = f"{entry.os_user}@{entry.host}"
    if entry.database_user:
        who += f" as {entry.database_user}"
    failed = "bold red" if entry.outcome == "failed" else ""
    return (
        f"{entry.started_at:%Y-%m-%d %H:%M:%S} UTC"
        f" {screen.styled(f'{entry.outcome:<6}', failed, sys.stdout)} {entry.direction}"
        f" {entry.revision}{told} ({entry.duration_ms / 1000:.2f} s, {who}){detail}"
    )


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
        "driver": found.driver.name,
        "replaced_driver": found.driver.replaced,
        "exists": found.exists,
        "session": found.session,
        "heads": list(found.heads),
        "last_runs": [_entry(entry) for entry in found.last_runs],
    }


def _when_clear(found: DatabaseStatus) -> str:
    at = ", ".join(found.versions)
    return f"{found.database} is at {at}: nothing is pending, nothing is wrong"


def _lines(found: DatabaseStatus, named: Named) -> list[str]:
    there = "" if found.exists else ", not there yet"
    at = ", ".join(found.versions) or ("base: it is new" if found.is_new else "base (no revision)")
    lines = [
        f"Database     {found.database}  ({found.source}{there})",
        *([] if found.driver.is_usual else [f"Driver       {found.driver}"]),
        f"Environment  {found.environment or 'not recorded yet'}  (session: {found.session})",
        f"Revision     {at}{' (head)' if found.is_clear else ''}",
        *_pending_lines(found, named),
    ]
    for problem in found.problems:
        if problem.code == "not-recorded" and found.is_new:
            continue  # the first run records it
        wrong = screen.styled("Wrong", "bold red", sys.stdout)
        lines += [f"{wrong}        {problem}", f"  hint       {problem.hint}"]
    return lines


def _pending_lines(found: DatabaseStatus, named: Named) -> list[str]:
    count = len(found.pending)
    if any(problem.code == "ahead" for problem in found.problems):
        return ["Pending      not known: no file has its revision"]
    if not count:
        return ["Pending      nothing"]
    shown = found.pending[:_SHOWN_PENDING]
    said = f"{count} revision{'s' * (count > 1)}"
    way = named.in_commands("`wdh db upgrade` applies them")
    said += f"; {way if _is_ready(found) else 'look first at what is wrong'}"
    lines = [f"Pending      {screen.styled(said, 'yellow', sys.stdout)}"]
    lines += [f"             {step.revision} {step.description}".rstrip() for step in shown]
    if count > len(shown):
        lines.append(f"             and {count - len(shown)} more")
    return [lines[0], *(screen.cut(line, sys.stdout) for line in lines[1:])]


def _is_ready(found: DatabaseStatus) -> bool:
    """Whether a run surely begins: it goes on beside a warning, and records what is new itself."""
    wrong = (each.code for each in found.problems if each.severity == ERROR)
    return all(code == "not-recorded" and found.is_new for code in wrong)


def _step(step: Step) -> dict[str, str]:
    return {"revision": step.revision, "description": step.description}


def _entry(entry: JournalEntry) -> dict[str, Any]:
    from dataclasses import asdict

    times = {name: getattr(entry, name).isoformat() for name in ("started_at", "finished_at")}
    return {**asdict(entry), **times}
