"""The verb that makes a shell complete the others: completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.cli.answer import Answer
from work_data_hub.cli.parser import whole_parser
from work_data_hub.cli.verb import argument, verb

if TYPE_CHECKING:
    from argparse import Namespace


@verb(
    argument("shell", choices=("bash", "zsh", "fish"), metavar="bash|zsh|fish"),
    examples=(
        'eval "$(wdh db completion bash)"',
        "wdh db completion fish > ~/.config/fish/completions/wdh.fish",
    ),
)
def completion(call: Namespace) -> Answer:
    """Print the completion of a shell."""
    import shtab

    script = shtab.complete(whole_parser(), shell=call.shell)
    lines = script.splitlines()
    return Answer({"shell": call.shell, "script": script}, lines, bare=lines)
