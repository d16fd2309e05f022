"""The verbs of `wdh db`: what each is called with.

To add one: an entry in ``VERBS``, and in the room that it names (one room for a family of verbs,
in this folder) a function with the verb's name::

    def upgrade(call: Namespace) -> Answer: ...

It gets the parsed command line (what ``OF_EVERY_VERB`` and its entry declare), imports what it
needs inside, returns an ``Answer`` and raises ``WorkDataHubError``; ``command`` does the rest.
``project_config.find(call.config)`` is the project. A ``-`` in the verb's name is a ``_`` in the
function's.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

# As argparse's `add_argument` takes it: by position, and by name.
Argument = tuple[tuple[str, ...], dict[str, Any]]


class Verb(NamedTuple):
    """What a verb is called with.

    Attributes:
        summary: what it does, beginning with a small letter, without a full stop.
        room: the module of this package that has it.
        examples: commands that work in a fresh project.
        arguments: its own.
        when_interrupted: the state that Ctrl-C leaves the database in, where no run knows better.
    """

    summary: str
    room: str
    examples: tuple[str, ...]
    arguments: tuple[Argument, ...] = ()
    when_interrupted: str = "nothing was changed"


def _argument(*names: str, **options: Any) -> Argument:
    return names, options


def _row_count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows: write 1 or more")
    return int(text)


_ONLY_WHOLE_STEPS = "only whole steps were committed"
_CONFIRM = _argument(
    "--confirm", metavar="NAME", help="the database's name, which staging and prod require"
)
_RESOLVED = _argument(
    "--resolved", metavar="ID", help="an interrupted revision that was put right by hand"
)

OF_EVERY_VERB = (
    _argument("--database-url", metavar="URL", help="default: what the settings say"),
    _argument(
        "--config",
        metavar="FILE",
        type=Path,
        help="the project's alembic.ini; default: the one in this folder or one above it, else"
        " WorkDataHub's own",
    ),
    _argument("--json", action="store_true", help="print the result, or fault, as JSON"),
    _argument("--quiet", "-q", action="store_true", help="no progress and no prose"),
)
VERBS = {
    "status": Verb(
        "show where the database stands, what is pending, and what is wrong",
        "look",
        ("wdh db status", "wdh db status --check   # exit 1 when anything is pending or wrong"),
        (
            _argument(
                "--check",
                action="store_true",
                help="exit with 1 when anything is pending or wrong",
            ),
        ),
    ),
    "upgrade": Verb(
        "apply the pending revisions, each in a transaction of its own",
        "run",
        ("wdh db upgrade", "wdh db upgrade +1", "wdh db upgrade 20251113_000001"),
        (
            _argument(
                "revision",
                nargs="?",
                default="head",
                metavar="REVISION",
                help="an id or its beginning, head, heads, +N (default: head)",
            ),
            _RESOLVED,
            _argument(
                "--accept",
                action="append",
                default=[],
                metavar="ID",
                help="an applied revision whose edited file is accepted; may be repeated",
            ),
        ),
        _ONLY_WHOLE_STEPS,
    ),
    "downgrade": Verb(
        "take back the revisions above one",
        "run",
        ("wdh db downgrade -1", "wdh db downgrade base"),
        (
            _argument("revision", metavar="REVISION", help="an id or its beginning, base, -N"),
            _CONFIRM,
        ),
        _ONLY_WHOLE_STEPS,
    ),
    "stamp": Verb(
        "record that the database is at a revision, without running anything",
        "run",
        ("wdh db stamp head",),
        (
            _argument("revision", metavar="REVISION", help="an id or its beginning, head, base"),
            _CONFIRM,
            _RESOLVED,
        ),
        _ONLY_WHOLE_STEPS,
    ),
    "history": Verb(
        "list the revisions, the newest first; needs no database",
        "files",
        ("wdh db history", "wdh db history --quiet   # ids alone"),
    ),
    "heads": Verb(
        "list the revisions that no other builds on; needs no database",
        "files",
        ("wdh db heads",),
    ),
    "current": Verb(
        "show the revisions that the database is at",
        "look",
        ("wdh db current", "wdh db current --quiet   # ids alone"),
    ),
    "journal": Verb(
        "list the steps that were run or tried on the database, the oldest first",
        "look",
        ("wdh db journal", "wdh db journal --last 5"),
        (_argument("--last", type=_row_count, metavar="N", help="only the last N rows"),),
    ),
    "seed": Verb(
        "load a seed file in one transaction",
        "seed",
        ("wdh db seed", "wdh db seed my_rows.sql"),
        (
            _argument(
                "file",
                nargs="?",
                type=Path,
                metavar="FILE",
                help="SQL; default: the seeds that WorkDataHub ships",
            ),
            _CONFIRM,
        ),
        "all of the file was loaded, or nothing of it",
    ),
    "sql": Verb(
        "print the SQL of an upgrade for those who run it by hand; needs no database",
        "run",
        (
            "wdh db sql",
            "wdh db sql base:head",
            "wdh db sql --downgrade head:base",
        ),
        (
            _argument(
                "revision",
                nargs="?",
                default="head",
                metavar="REVISION|FROM:TO",
                help="from an empty database to REVISION, or from one revision to another",
            ),
            _argument("--downgrade", action="store_true", help="the script of a downgrade"),
        ),
    ),
    "wait": Verb(
        "wait until the database answers and stands at head",
        "wait",
        ("wdh db wait --timeout 60",),
        (
            _argument(
                "--timeout",
                type=float,
                default=60.0,
                metavar="SECONDS",
                help="for how long; then the exit code says why (default: 60)",
            ),
        ),
    ),
    "reset": Verb(
        "drop everything and build it again; only for databases of dev and of tests",
        "reset",
        ("wdh db reset --yes",),
        (
            _argument("--yes", action="store_true", help="do not ask"),
            _argument(
                "--schema",
                action="append",
                default=[],
                metavar="NAME",
                help="PostgreSQL: a further schema to empty; may be repeated",
            ),
        ),
        "`wdh db status` shows how far it came: either everything is there, or all of it was"
        " dropped and whole steps were built again",
    ),
    "verify": Verb(
        "say what is wrong with the revision files; needs no database",
        "revisions",
        (
            "wdh db verify",
            "wdh db verify --format github   # annotations for GitHub Actions",
            "wdh db verify --with-database   # was what it applied edited since?",
        ),
        (
            _argument("--format", choices=("text", "github"), default="text"),
            _argument(
                "--with-database",
                action="store_true",
                help="compare with the settings' database too; --database-url implies it",
            ),
        ),
    ),
    "new": Verb(
        "make a new revision file, named by the project's rule",
        "revisions",
        ('wdh db new "add orders"', 'wdh db new --head 20251113_000001 "a branch"'),
        (
            _argument("message", metavar="MESSAGE", help="what it does, in a few words"),
            _argument(
                "--autogenerate",
                action="store_true",
                help="write what makes the database equal to the tables of the code",
            ),
            _argument("--head", metavar="ID", help="what it builds on (default: the single head)"),
            _argument(
                "--branch-label",
                action="append",
                default=[],
                metavar="NAME",
                help="a name of the branch that starts with it; may be repeated",
            ),
        ),
        "the revision file was written whole, or not at all; no database was changed",
    ),
    "rebase": Verb(
        "put one's own revisions, not released yet, on top of the others'",
        "revisions",
        ("wdh db rebase --yes", "wdh db rebase --onto origin/release --yes"),
        (
            _argument(
                "revisions",
                nargs="*",
                metavar="REVISION",
                help="one's own (default: all that the main branch does not have)",
            ),
            _argument(
                "--onto",
                metavar="BRANCH",
                help="git's main branch (default: that of origin, else main or master)",
            ),
            _argument("--yes", action="store_true", help="do not ask"),
        ),
        "every file is as it was, or all are changed; no database was touched",
    ),
    "init": Verb(
        "make an Alembic project, or an empty folder, use the package",
        "revisions",
        ("wdh db init", "wdh db init my_project --naming-rule"),
        (
            _argument(
                "folder",
                nargs="?",
                type=Path,
                default=Path(),
                metavar="FOLDER",
                help="that of alembic.ini (default: this one)",
            ),
            _argument(
                "--naming-rule",
                action="store_true",
                help="name new revisions of an existing project by their time",
            ),
        ),
        "every file is as it was, or all are changed; no database was touched",
    ),
    "completion": Verb(
        "print what makes a shell complete these commands",
        "completion",
        (
            'eval "$(wdh db completion bash)"',
            "wdh db completion fish > ~/.config/fish/completions/wdh.fish",
        ),
        (_argument("shell", choices=("bash", "zsh", "fish"), metavar="bash|zsh|fish"),),
    ),
}
