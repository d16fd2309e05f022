"""The verb that makes a shell complete the others: completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from work_data_hub.cli.answer import Answer
from work_data_hub.cli.parser import whole_parser

if TYPE_CHECKING:
    from argparse import Namespace


def completion(call: Namespace) -> Answer:
    """Print the completion of a shell."""
    import shtab

    script = shtab.complete(whole_parser(), shell=call.shell)
    lines = script.splitlines()
    return Answer({"shell": call.shell, "script": script}, lines, bare=lines)
