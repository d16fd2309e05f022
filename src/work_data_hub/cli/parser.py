"""Reads the command line with argparse, from the table of verbs."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from work_data_hub.cli import streams
from work_data_hub.cli.verb_table import VERBS
from work_data_hub.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from work_data_hub.cli.verb_table import Verb

_USUAL_COLUMNS = 80
EXIT_CODES = (
    "exit codes: 0 done or nothing to do; 1 a check found something; 2 usage or settings;"
    " 3 history;\n4 refused for safety; 5 locked; 6 a migration failed; 7 something is missing;"
    " 130 interrupted"
)


def parse(argv: Sequence[str], prog: str = "wdh") -> argparse.Namespace:
    """Return what was asked for; ``verb`` names it.

    Raises:
        UsageError: the call is wrong.
        SystemExit: help or the version was asked for, and has been printed.
    """
    # Only the verb that is called is built: a parser for each costs more than a quick answer.
    named = argv[1] if len(argv) > 1 and argv[0] == "db" else None
    _refuse_unknown(named)
    parser = whole_parser(prog, VERBS if named not in VERBS else (named,))
    call = parser.parse_args(argv)
    if getattr(call, "verb", None) is None:
        raise UsageError("the verb is missing", hint="`wdh db --help` shows the verbs")
    if call.database_url == "":
        raise UsageError("--database-url is empty", hint="write a URL, or leave it out")
    return call


def whole_parser(prog: str = "wdh", names: Iterable[str] = VERBS) -> argparse.ArgumentParser:
    """Return the parser of these verbs."""
    root = _Parser(prog=prog, description="WorkDataHub's database schema.")
    root.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    groups = root.add_subparsers(metavar="GROUP", title="groups")
    database = groups.add_parser(
        "db",
        help="the schema of a database",
        description="Look at a database's schema and change it.",
        epilog=EXIT_CODES,
    )
    verbs = database.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for name in names:
        verb = VERBS[name]
        described = verbs.add_parser(
            name,
            help=verb.summary,
            description=f"{verb.summary[0].upper()}{verb.summary[1:]}.",
            epilog=_epilog(verb),
        )
        _add_arguments(described, verb)
    return root


def _add_arguments(parser: argparse.ArgumentParser, verb: Verb) -> None:
    for names, options in verb.arguments:
        parser.add_argument(*names, **options)
    common = parser.add_argument_group("of every verb")
    common.add_argument("--database-url", metavar="URL", help="default: what the settings say")
    common.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help="the project's alembic.ini; default: the one in this folder or one above it, else"
        " WorkDataHub's own",
    )
    common.add_argument("--json", action="store_true", help="print the result, or fault, as JSON")
    common.add_argument("--quiet", "-q", action="store_true", help="no progress and no prose")


def _epilog(verb: Verb) -> str:
    return "\n".join(["examples:", *(f"  {example}" for example in verb.examples)])


def _refuse_unknown(named: str | None) -> None:
    if named is None or named.startswith("-") or named in VERBS:
        return
    import difflib  # only for whoever mistyped

    near = difflib.get_close_matches(named, VERBS, 1, 0.5)
    raise UsageError(
        f"there is no verb {named!r}",
        hint=f"did you mean `wdh db {near[0]}`?" if near else "`wdh db --help` shows the verbs",
    )


class _Parser(argparse.ArgumentParser):
    """Raises what argparse would print, so that it is said as every other fault is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, formatter_class=_HelpFormatter, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"`{self.prog} --help` shows how it is called")

    def _print_message(self, message: str, file: Any = None) -> None:
        # Help and the version are answers too; argparse leaves them to a buffer.
        streams.write(message, file or sys.stdout)


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Finds out its width without shutil: argparse makes one for every argument it is given."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    try:
        return int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        pass
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _USUAL_COLUMNS
    except (AttributeError, ValueError, OSError):
        return _USUAL_COLUMNS


class _Version(argparse.Action):
    """Looks the version up when it is asked for: that costs more than all the rest."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        streams.write(f"wdh {version('work-data-hub')}\n", sys.stdout)
        parser.exit()
