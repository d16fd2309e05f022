"""The verbs of `wdh db`: what each is called with.

To add one: an entry in ``VERBS``, and in the room that it names (one room for a family of verbs,
in this folder) a function with the verb's name::

    def upgrade(call: Namespace) -> Answer: ...

It gets the parsed command line (``database_url``, ``config``, ``json``, ``quiet`` and what its
entry declares), imports what it needs inside, returns an ``Answer`` and raises
``WorkDataHubError``; ``command`` does the rest. ``project_config.find(call.config)`` is the
project. A ``-`` in the verb's name is a ``_`` in the function's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple


class Argument(NamedTuple):
    """An argument, as argparse's ``add_argument`` takes it."""

    names: tuple[str, ...]
    options: dict[str, Any]


class Verb(NamedTuple):
    """What a verb is called with.

    Attributes:
        summary: what it does, beginning with a small letter, without a full stop.
        room: the module of this package that has it.
        examples: commands that work in a fresh project.
        arguments: its own; those of every verb come from ``parser``.
        when_interrupted: the state that Ctrl-C leaves the database in, where no run knows better.
    """

    summary: str
    room: str
    examples: tuple[str, ...]
    arguments: tuple[Argument, ...] = ()
    when_interrupted: str = "nothing was changed"


def _argument(*names: str, **options: Any) -> Argument:
    return Argument(names, options)


_ONLY_WHOLE_STEPS = "only whole steps were committed"
_CONFIRM = _argument(
    "--confirm", metavar="NAME", help="the database's name, which staging and prod require"
)
_RESOLVED = _argument(
    "--resolved", metavar="ID", help="an interrupted revision that was put right by hand"
)

VERBS = {
    "status": Verb(
        "show where the database stands, what is pending, and what is wrong",
        "look_verbs",
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
        "run_verbs",
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
        "run_verbs",
        ("wdh db downgrade -1", "wdh db downgrade base"),
        (
            _argument("revision", metavar="REVISION", help="an id or its beginning, base, -N"),
            _CONFIRM,
        ),
        _ONLY_WHOLE_STEPS,
    ),
    "stamp": Verb(
        "record that the database is at a revision, without running anything",
        "run_verbs",
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
        "file_verbs",
        ("wdh db history", "wdh db history --quiet   # ids alone"),
    ),
    "heads": Verb(
        "list the revisions that no other builds on; needs no database",
        "file_verbs",
        ("wdh db heads",),
    ),
    "current": Verb(
        "show the revisions that the database is at",
        "look_verbs",
        ("wdh db current", "wdh db current --quiet   # ids alone"),
    ),
    "journal": Verb(
        "list the steps that were run or tried on the database, the oldest first",
        "look_verbs",
        ("wdh db journal", "wdh db journal --last 5"),
        (_argument("--last", type=int, metavar="N", help="only the last N rows"),),
    ),
    "seed": Verb(
        "load a seed file in one transaction",
        "seed_verbs",
        ("wdh db seed", "wdh db seed my_rows.sql"),
        (
            _argument(
                "file",
                nargs="?",
                type=Path,
                metavar="FILE",
                help="SQL; default: the seeds that WorkDataHub ships",
            ),
        ),
        "all of the file was loaded, or nothing of it",
    ),
    "sql": Verb(
        "print the SQL of an upgrade for those who run it by hand; needs no database",
        "run_verbs",
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
        "wait_verbs",
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
        "reset_verbs",
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
    "completion": Verb(
        "print what makes a shell complete these commands",
        "completion_verbs",
        (
            'eval "$(wdh db completion bash)"',
            "wdh db completion fish > ~/.config/fish/completions/wdh.fish",
        ),
        (_argument("shell", choices=("bash", "zsh", "fish"), metavar="bash|zsh|fish"),),
    ),
}
