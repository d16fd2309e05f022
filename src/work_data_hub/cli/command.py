"""The command `wdh`: runs one verb, writes what it answers, and ends with its exit code.

Results go to standard output, everything else to standard error. Importing this room, `--help`
and a usage error cost no more than argparse; a verb imports what it needs when it runs.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from work_data_hub import patience
from work_data_hub.cli import streams
from work_data_hub.cli.answer import write_fault
from work_data_hub.cli.parser import parse, verb_of
from work_data_hub.cli.streams import OutputError
from work_data_hub.errors import RunInterrupted, RunInterruptedError, WorkDataHubError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from work_data_hub.cli.answer import Answer


def main(argv: Sequence[str] | None = None, prog: str = "wdh") -> int:
    """Run the command in this process and return its exit code.

    Args:
        argv: the arguments behind the command's name; those of the process when left out.
        prog: the name under which it was called, for its help.
    """
    given = sys.argv[1:] if argv is None else list(argv)
    call: argparse.Namespace | None = None
    as_json = "--json" in given
    fault: WorkDataHubError
    try:
        call = parse(given, prog)
        as_json = call.json
        with patience.listening(_say_quietly if call.quiet else _say):
            answer = _answer(call)
        answer.write(call.verb, sys.stdout, as_json=as_json, is_quiet=call.quiet)
    except SystemExit as end:  # help and version
        return int(end.code or 0)
    except OutputError as error:
        fault, as_json = error, False
    except WorkDataHubError as error:
        fault = error
    except KeyboardInterrupt as error:
        fault = _interruption(error, call)
    else:
        return answer.exit_code
    fault.hint = _in_commands(fault.hint, call)
    write_fault(fault, call.verb if call else None, sys.stdout, sys.stderr, as_json=as_json)
    return fault.exit_code


def run(prog: str = "wdh") -> None:
    """Be the process: the console command's entry point."""
    streams.prepare()
    sys.exit(main(prog=prog))


def _answer(call: argparse.Namespace) -> Answer:
    if call.name is None:
        return verb_of(call).answer(call)
    from work_data_hub.io.schema.revisions.script_locations import section

    before = section.set(call.name)
    try:
        return verb_of(call).answer(call)
    finally:
        section.reset(before)


def _say(what: str) -> None:
    streams.say(f"{what} ...\n", sys.stderr)


def _say_quietly(_what: str) -> None:
    """Say nothing."""


def _interruption(error: KeyboardInterrupt, call: argparse.Namespace | None) -> WorkDataHubError:
    """Say what state the database is in; a run that knows it has put it on the error."""
    if isinstance(error, RunInterrupted):
        return error.fault
    state = verb_of(call).when_interrupted if call else "nothing was changed"
    state = _in_commands(state, call)
    return RunInterruptedError(f"interrupted: {state}", hint="run the command again")


def _in_commands(text: str, call: argparse.Namespace | None) -> str:
    """Return a text whose commands name the project and the database that the call named."""
    if call is None:
        return text
    from work_data_hub.cli import project_config  # not for help

    return project_config.named(call).in_commands(text)
