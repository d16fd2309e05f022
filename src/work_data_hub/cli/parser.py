"""Reads the command line with argparse, from the table of verbs."""

from __future__ import annotations

import argparse
import os
import re
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn

from work_data_hub.cli import streams
from work_data_hub.cli.verb_table import OF_EVERY_VERB, VERBS
from work_data_hub.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from work_data_hub.cli.verb_table import Verb

_USUAL_COLUMNS = 80
_TAKES_VALUE = {name: "action" not in options for names, options in OF_EVERY_VERB for name in names}
# A message of a revision may name a page.
_DATABASE_URL = re.compile(r"\s*(?!https?:)[a-z][\w+.-]*://", re.IGNORECASE)
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
    refuse_misplaced_url(argv)
    argv = _with_options_last(argv)
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


def refuse_misplaced_url(argv: Sequence[str]) -> None:
    """Refuse a URL that is not the value of ``--database-url``, whatever else takes it.

    It is not repeated: how much of it is a password only whoever wrote it knows.

    Raises:
        UsageError: with the way to write it.
    """
    before = ""
    for argument in argv:
        name, _, value = ("", "", argument) if _is_url(argument) else argument.partition("=")
        if _is_url(value) and "--database-url" not in (before, name):
            what = name if name.startswith("-") else "an argument"
            raise UsageError(
                f"{what} holds a URL, which --database-url alone takes",
                hint="write --database-url URL, before the verb or behind it",
            )
        before = argument


def _is_url(text: str) -> bool:
    return _DATABASE_URL.match(text) is not None


def _with_options_last(argv: Sequence[str]) -> list[str]:
    """Return the arguments with the options of every verb, where they come before it, behind it."""
    options: list[str] = []
    words: list[str] = []
    left = iter(argv)
    for argument in left:
        name, equals, _ = argument.partition("=")
        if name in _TAKES_VALUE:
            options.append(argument)
            if _TAKES_VALUE[name] and not equals:
                options += islice(left, 1)
        elif argument.startswith("-"):  # argparse knows what it is, or says that it is none
            return [*words, argument, *left]
        else:
            words.append(argument)
            if len(words) == len(("db", "VERB")):
                return [*words, *options, *left]
    return words


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
    for names, options in OF_EVERY_VERB:
        common.add_argument(*names, **options)


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
