"""A verb: the function that answers it, and what it is called with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from work_data_hub.cli.answer import Answer

# As argparse's `add_argument` takes it: by position, and by name.
Argument = tuple[tuple[str, ...], dict[str, Any]]


class Verb(NamedTuple):
    """What a verb does, and what it is called with.

    Attributes:
        answer: answers a call; imports what it needs inside, and raises ``WorkDataHubError``.
        arguments: its own.
        examples: commands that work in a fresh project.
        when_interrupted: the state that Ctrl-C leaves the database in, where no run knows better.
    """

    answer: Callable[[argparse.Namespace], Answer]
    arguments: tuple[Argument, ...]
    examples: tuple[str, ...]
    when_interrupted: str


def verb(
    *arguments: Argument, examples: tuple[str, ...], when_interrupted: str = "nothing was changed"
) -> Callable[[Callable[[argparse.Namespace], Answer]], Verb]:
    """Make a verb of the function below; see ``Verb``."""

    def made(answer: Callable[[argparse.Namespace], Answer]) -> Verb:
        return Verb(answer, arguments, examples, when_interrupted)

    return made


def argument(*names: str, **options: Any) -> Argument:
    """Return an argument, as argparse's ``add_argument`` takes it."""
    return names, options


ONLY_WHOLE_STEPS = "only whole steps were committed"
CONFIRM = argument(
    "--confirm", metavar="NAME", help="the database's name, which staging and prod require"
)
RESOLVED = argument(
    "--resolved", metavar="ID", help="an interrupted revision that was put right by hand"
)
ALLOW_COMMIT = argument(
    "--allow-commit",
    action="append",
    default=[],
    metavar="ID",
    help="a released revision that may commit in its middle; may be repeated",
)
CONFIRM_DRIFT = argument(
    "--confirm-drift", action="store_true", help="go on though the schema is not as it should be"
)
YES = argument("--yes", action="store_true", help="do not ask")
OF_EVERY_VERB = (
    argument("--database-url", metavar="URL", help="default: what the settings say"),
    argument(
        "--config",
        metavar="FILE",
        type=Path,
        help="the project's alembic.ini; default: the one in this folder or one above it;"
        " work_data_hub is WorkDataHub's own",
    ),
    argument(
        "--name", "-n", metavar="SECTION", help="the section of alembic.ini (default: alembic)"
    ),
    argument("--json", action="store_true", help="print the result, or fault, as JSON"),
    argument("--quiet", "-q", action="store_true", help="no progress and no prose"),
)
