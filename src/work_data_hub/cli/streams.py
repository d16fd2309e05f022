"""The standard streams: one that is closed, full or read no more does not decide how a run ends."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

from work_data_hub.errors import MissingError, RefusedError
from work_data_hub.output import abandon


class OutputError(MissingError):
    """The answer of a command cannot be written."""


def prepare() -> None:
    """Open the streams that whoever started the process has closed (`>&-`), on nothing.

    A database's file would else be opened in their place, and what is printed be written to it.
    A letter that a terminal cannot show, or a name that is none, is no reason to fail.
    """
    # In this order: each takes the lowest number that is free, which is its own.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")


def write(text: str, out: TextIO) -> None:
    """Write a text and see that it arrives; a reader that went away has seen enough.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        abandon(out)
    except OSError as error:
        abandon(out)
        raise OutputError(
            f"the answer cannot be written: {error.strerror}",
            hint="what was asked is done, only its answer is lost; write it somewhere else",
        ) from error


def say(text: str, err: TextIO) -> None:
    """Write a text to standard error, as far as that can be."""
    with suppress(OSError):
        err.write(text)
        err.flush()


def agreement(question: str, *, to: str) -> str:
    """Return what a person types as the answer to a question.

    Args:
        question: what is asked.
        to: what the answer agrees to.

    Raises:
        RefusedError: nobody is there; a pipe cannot agree.
    """
    if not sys.stdin.isatty():
        raise RefusedError(f"nobody is there to agree to the {to}", hint="add --yes")
    say(question, sys.stderr)
    return sys.stdin.readline().strip()


def refuse_unless_agreed(question: str, *, to: str, agreed: bool) -> None:
    """Ask a person to type yes, where that was not said beforehand.

    Args:
        question: what is asked.
        to: what the answer agrees to.
        agreed: whether ``--yes`` was given.

    Raises:
        RefusedError: nobody agreed, or nobody is there.
    """
    if not agreed and agreement(question, to=to) != "yes":
        raise RefusedError("nobody agreed: nothing was changed", hint="run it again, or add --yes")
