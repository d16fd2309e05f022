"""Reads the command line with argparse, from the table of verbs."""

from __future__ import annotations

import argparse
import re
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn

from work_data_hub.cli import screen, streams
from work_data_hub.cli.verb import OF_EVERY_VERB
from work_data_hub.cli.verb_table import NOUNS
from work_data_hub.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from work_data_hub.cli.verb import Verb
    from work_data_hub.cli.verb_table import Entry, Noun

_MORE_HELP = "`wdh help` lists topics, such as exit-codes."
_OF_THE_DATABASE = "--database-url"
_TAKES_VALUE = {name: "action" not in options for names, options in OF_EVERY_VERB for name in names}
# A message of a revision may name a page.
_DATABASE_URL = re.compile(r"\s*(?!https?:)[a-z][\w+.-]*://", re.IGNORECASE)


def parse(argv: Sequence[str], prog: str = "wdh") -> argparse.Namespace:
    """Return what was asked for; ``noun`` and ``verb`` name it (see ``verb_of``).

    Raises:
        UsageError: the call is wrong.
        SystemExit: help or the version was asked for, and has been printed.
    """
    argv = _with_options_last(argv)
    noun, named = (*argv[:2], "", "")[:2]
    refuse_misplaced_url(argv, _that_take_a_url(noun, named))
    if noun == "help":
        _write_help(argv[1:], prog)
    _refuse_unknown(noun, named)
    # Only the verb that is called is built: a parser for each costs more than a quick answer.
    whole = named if noun in NOUNS and named in NOUNS[noun].verbs else None
    call, rest = whole_parser(prog, lambda name: name == whole).parse_known_args(argv)
    asked = " ".join([prog, *(word for word in (noun, whole) if word)])
    if rest:
        raise UsageError(
            f"unrecognized arguments: {' '.join(rest)}",
            hint=f"`{asked} --help` shows how it is called",
        )
    if getattr(call, "verb", None) is None:
        raise UsageError("the verb is missing", hint=f"`{asked or prog} --help` shows the verbs")
    if call.database_url == "":
        raise UsageError("--database-url is empty", hint="write a URL, or leave it out")
    return call


def verb_of(call: argparse.Namespace) -> Verb:
    """Return the verb that was asked for."""
    return NOUNS[call.noun].verbs[call.verb].verb(call.verb)


def refuse_misplaced_url(
    argv: Sequence[str], takers: Collection[str] = (_OF_THE_DATABASE,)
) -> None:
    """Refuse a URL that is not the value of an option which takes one, whatever else takes it.

    It is not repeated: how much of it is a password only whoever wrote it knows.

    Args:
        argv: what was typed.
        takers: the options that take a URL.

    Raises:
        UsageError: with the way to write it.
    """
    before = ""
    for argument in argv:
        name, _, value = ("", "", argument) if _is_url(argument) else argument.partition("=")
        if _is_url(value) and not {before, name}.intersection(takers):
            what = name if name.startswith("-") else "an argument"
            raise UsageError(
                f"{what} holds a URL, which {' or '.join(takers)} alone takes",
                hint=f"write {_OF_THE_DATABASE} URL, before the verb or behind it",
            )
        before = argument


def _that_take_a_url(noun: str, named: str) -> list[str]:
    entry = NOUNS[noun].verbs.get(named) if noun in NOUNS else None
    own = entry.verb(named).arguments if entry is not None else ()
    return [
        name
        for names, options in (*OF_EVERY_VERB, *own)
        for name in names
        if options.get("metavar") == "URL"
    ]


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


def whole_parser(
    prog: str = "wdh", wanted: Callable[[str], bool] = lambda _: True
) -> argparse.ArgumentParser:
    """Return the parser of the verbs that are wanted, by name; of all of them by default."""
    root = _Parser(prog=prog, description="WorkDataHub's database schema.", epilog=_MORE_HELP)
    root.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    nouns = root.add_subparsers(
        metavar="NOUN", dest="noun", title="nouns", parser_class=_NounParser
    )
    for name, noun in NOUNS.items():
        verbs = nouns.add_parser(name, help=noun.summary, noun=noun).add_subparsers(
            dest="verb", prog=f"{prog} {name}", parser_class=_Parser
        )
        for verb_name in filter(wanted, noun.verbs):
            _add_verb(verbs, verb_name, noun.verbs[verb_name])
    return root


def _add_verb(verbs: Any, name: str, entry: Entry) -> None:
    verb = entry.verb(name)
    parser = verbs.add_parser(
        name,
        help=entry.summary,
        description=f"{entry.summary[0].upper()}{entry.summary[1:]}.",
        epilog="\n".join(["examples:", *(f"  {example}" for example in verb.examples)]),
    )
    for names, options in verb.arguments:
        parser.add_argument(*names, **options)
    common = parser.add_argument_group("of every verb")
    for names, options in OF_EVERY_VERB:
        common.add_argument(*names, **options)


def _refuse_unknown(noun: str, named: str) -> None:
    known = NOUNS[noun].verbs if noun in NOUNS else None
    if known is None and (not noun or noun.startswith("-")):
        return
    if known is not None and (not named or named.startswith("-") or named in known):
        return
    import difflib  # only for whoever mistyped

    calls = [f"wdh {n} {v}" for n, entry in NOUNS.items() for v in entry.verbs]
    if known is None:
        what, asked, choices = f"there is no noun {noun!r}", f"wdh db {noun}", [*calls, "wdh help"]
        prefix = "wdh"
    else:
        what, asked, prefix = f"there is no verb {named!r}", f"wdh {noun} {named}", f"wdh {noun}"
        choices = [call for call in calls if call.startswith(f"{prefix} ")]
    near = difflib.get_close_matches(asked, choices, 1, 0.8)
    raise UsageError(
        what,
        hint=f"did you mean `{near[0]}`?" if near else f"`{prefix} --help` shows what there is",
    )


def _write_help(words: Sequence[str], prog: str) -> NoReturn:
    """Write the list of topics, a topic, or a verb's own help, and end.

    Raises:
        UsageError: there is no such topic.
        SystemExit: it was written.
    """
    from work_data_hub.cli import topics

    name = words[-1] if words else ""
    if name in topics.TOPICS:
        topics.write_topic(name)
    elif not words:
        streams.write(topics.listed(prog), sys.stdout)
    else:
        nouns = [noun for noun, entry in NOUNS.items() if name in entry.verbs]
        if name not in NOUNS and not nouns:
            raise UsageError(f"there is no topic {name!r}", hint=f"`{prog} help` lists the topics")
        parse([*nouns[:1], name, "--help"], prog)
    raise SystemExit(0)


class _Parser(argparse.ArgumentParser):
    """Raises what argparse would print, so that it is said as every other fault is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, formatter_class=_HelpFormatter, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"`{self.prog} --help` shows how it is called")

    def _print_message(self, message: str, file: Any = None) -> None:
        # Help and the version are answers too; argparse leaves them to a buffer.
        streams.write(message, file or sys.stdout)


class _NounParser(_Parser):
    """The parser of a noun, whose help groups the verbs: argparse has no groups of them."""

    def __init__(self, *, noun: Noun, **options: Any) -> None:
        super().__init__(description=noun.description, **options)
        self._noun = noun

    def format_help(self) -> str:
        lines = [f"usage: {self.prog} VERB [ARGUMENT ...]", "", self._noun.description]
        width = max(map(len, self._noun.verbs))
        for title, verbs in self._noun.groups.items():
            lines += ["", f"{title}:"]
            for name, entry in verbs.items():
                lines += _in_columns(f"  {name:<{width}}  ", entry.summary)
        return "\n".join(
            [*lines, "", f"`{self.prog} VERB --help` says more of one.", f"{_MORE_HELP}\n"]
        )


def _in_columns(before: str, text: str) -> list[str]:
    """Return a text behind what stands before it, in lines that no terminal breaks in a word."""
    import textwrap  # for help alone

    width = max(screen.columns(sys.stdout), 2 * len(before))
    behind = " " * len(before)
    return textwrap.wrap(text, width, initial_indent=before, subsequent_indent=behind)


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Finds out its width without shutil: argparse makes one for every argument it is given."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=screen.columns(sys.stdout) - 2)


class _Version(argparse.Action):
    """Looks the version up when it is asked for: that costs more than all the rest."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        streams.write(f"wdh {version('work-data-hub')}\n", sys.stdout)
        parser.exit()
