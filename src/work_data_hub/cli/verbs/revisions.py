"""The verbs that are about revision files and the project: verify, new, merge, rebase."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from work_data_hub.cli import project_config, streams
from work_data_hub.cli.answer import Answer
from work_data_hub.cli.findings import FORMAT, errors, shown, written
from work_data_hub.cli.verb import YES, argument, verb
from work_data_hub.domain.finding import as_data

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from work_data_hub.domain.revisions.naming import RevisionInfo
    from work_data_hub.io.schema.authoring.rebase import RebasePlan

_WRITTEN_WHOLE = "the revision file was written whole, or not at all; no database was changed"
_BRANCH_LABEL = argument(
    "--branch-label",
    action="append",
    default=[],
    metavar="NAME",
    help="a name of the branch that starts with it; may be repeated",
)
_ALL_OR_NOTHING = "every file is as it was, or all are changed; `wdh db status` shows the database"


@verb(
    FORMAT,
    argument(
        "--with-database",
        action="store_true",
        help="compare with the settings' database too; --database-url implies it",
    ),
    examples=(
        "wdh db verify",
        "wdh db verify --format github   # annotations for GitHub Actions",
        "wdh db verify --with-database   # was what it applied edited since?",
    ),
)
def verify(call: Namespace) -> Answer:
    """Say what is wrong with the revision files, and whether a database agrees with them."""
    from work_data_hub.io.schema.authoring import verification

    ini = project_config.find(call.config)
    findings = verification.verify(ini)
    wants_database = call.with_database or call.database_url is not None
    # The run could not tell either what the database has that files in error do not say.
    asks_database = wants_database and not errors(findings)
    if asks_database:
        findings += verification.verify_database(call.database_url, ini)
    findings = project_config.in_hints(call, findings)
    lines = [written(each, call.format) for each in findings]
    is_read = verification.is_read_as_text(ini)
    data = {
        "findings": [as_data(each) for each in findings],
        "database": asks_database,
        "read_as_text": is_read,
    }
    prose = [*lines] if lines or call.format != "text" else ["nothing is wrong"]
    if not is_read and call.format == "text":
        prose.append("a run executes every revision file: these cannot all be told by their text")
    if wants_database and not asks_database and call.format == "text":
        prose.append("the database was not asked: correct the files first")
    return Answer(data, prose, bare=lines, exit_code=1 if errors(findings) else 0)


@verb(
    argument("message", metavar="MESSAGE", help="what it does, in a few words"),
    argument(
        "--autogenerate",
        action="store_true",
        help="write what makes the database equal to the tables of the code",
    ),
    argument("--head", metavar="ID", help="what it builds on (default: the single head)"),
    _BRANCH_LABEL,
    examples=('wdh db new "add orders"', 'wdh db new --head 20251113_000001 "a branch"'),
    when_interrupted=_WRITTEN_WHOLE,
)
def new(call: Namespace) -> Answer:
    """Make a new revision file."""
    from work_data_hub.io.schema.authoring.new_revision import make_revision

    made = make_revision(
        call.message,
        autogenerate=call.autogenerate,
        head=call.head,
        branch_labels=call.branch_label,
        database_url=call.database_url,
        alembic_ini=project_config.find(call.config),
    )
    return _made(made)


@verb(
    argument("revisions", nargs="*", metavar="REVISION", help="which (default: all heads)"),
    argument("--message", "-m", metavar="TEXT", help='(default: "merge" and the ids)'),
    _BRANCH_LABEL,
    examples=('wdh db merge -m "join the two"', "wdh db merge heads"),
    when_interrupted=_WRITTEN_WHOLE,
)
def merge(call: Namespace) -> Answer:
    """Join several heads by a new revision file."""
    from work_data_hub.io.schema.authoring.new_revision import merge

    ini = project_config.find(call.config)
    made = merge(call.revisions, call.message, branch_labels=call.branch_label, alembic_ini=ini)
    return _made([made]) if made else Answer({"revisions": []}, ["there is nothing to merge"])


def _made(revisions: Sequence[RevisionInfo]) -> Answer:
    """Return what was written."""
    data = [
        {
            "revision": each.revision,
            "down_revisions": list(each.down_revisions),
            "path": str(each.path),
        }
        for each in revisions
    ]
    lines = [
        f"{shown(str(each.path))}: on {', '.join(each.down_revisions) or 'nothing: the first'}"
        for each in revisions
    ]
    return Answer({"revisions": data}, lines, bare=[str(each.path) for each in revisions])


@verb(
    argument(
        "revisions",
        nargs="*",
        metavar="REVISION",
        help="one's own (default: all that the main branch does not have)",
    ),
    argument(
        "--onto",
        metavar="BRANCH",
        help="git's main branch (default: that of origin, else main or master)",
    ),
    YES,
    examples=("wdh db rebase --yes", "wdh db rebase --onto origin/release --yes"),
    when_interrupted=_ALL_OR_NOTHING,
)
def rebase(call: Namespace) -> Answer:
    """Show what puts one's own revisions on top of the others', ask, and do it.

    Raises:
        RefusedError: a revision was released, or nobody agreed.
    """
    from work_data_hub.io.schema.authoring import rebase as rebasing

    plan = rebasing.plan_rebase(
        call.revisions,
        onto=call.onto,
        database_url=call.database_url,
        alembic_ini=project_config.find(call.config),
    )
    if not plan.changes:
        return Answer(_plan_data(plan), ["there is nothing to rebase", *_notes(plan)])
    if not (call.quiet and call.yes):
        streams.say("".join(f"{line}\n" for line in _plan_lines(plan)), sys.stderr)
    streams.refuse_unless_agreed("Type yes to do it: ", to="rebase", agreed=call.yes)
    if plan.applied:
        _take_back(plan, call)
    rebasing.rebase(plan)
    done = project_config.named(call).in_commands(
        "done; `git add --all` takes it, and `wdh db verify` looks at it"
    )
    return Answer(_plan_data(plan), [done], bare=[move.new_revision for move in plan.moves])


def _take_back(plan: RebasePlan, call: Namespace) -> None:
    """Take back, by the files as they are, what would be rewritten under a database's feet."""
    from work_data_hub.cli.watching import watched
    from work_data_hub.io.schema import migration_runner

    ini = project_config.find(call.config)
    with watched(is_quiet=call.quiet) as progress:
        migration_runner.take_back(plan.applied, alembic_ini=ini, observer=progress)


def _plan_lines(plan: RebasePlan) -> list[str]:
    lines = [f"Others' revisions are those of {plan.main}."] if plan.main else []
    for move in plan.moves:
        parents = ", ".join(move.down_revisions) or "nothing"
        lines.append(f"{move.revision}: on {move.new_parent} instead of {parents}")
        if move.path != move.new_path:
            lines.append(f"  {shown(move.path)} -> {shown(move.new_path)}")
        lines += [f"  line {e.line}: {e.before} -> {e.after}" for e in plan.edits[move.path]]
    moved = {move.path for move in plan.moves}
    lines += [
        f"{shown(str(change.path))}: will hold the heads"
        for change in plan.changes
        if str(change.path) not in moved
    ]
    return [*lines, *_notes(plan)]


def _notes(plan: RebasePlan) -> list[str]:
    return [f"note: {note}" for note in plan.notes]


def _plan_data(plan: RebasePlan) -> dict[str, object]:
    moves = [
        {
            **move._asdict(),
            "down_revisions": list(move.down_revisions),
            "edits": [edit._asdict() for edit in plan.edits[move.path]],
        }
        for move in plan.moves
    ]
    changed = [str(change.new_path) for change in plan.changes]
    return {
        "main": plan.main,
        "moves": moves,
        "changed": changed,
        "taken_back": list(plan.applied),
        "notes": list(plan.notes),
    }
