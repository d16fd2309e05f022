"""What a verb answers, and how it is written: for people, for scripts, or as JSON."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from work_data_hub.cli import screen, streams

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from work_data_hub.errors import WorkDataHubError

_STYLES = {"error:": "bold red", "hint:": "bold cyan"}
SCHEMA = 1
"""The version of what `--json` prints; raised when a field goes or changes its meaning."""


class Answer(NamedTuple):
    """What a verb found or did.

    Attributes:
        data: the fields of its JSON; they go beside schema, verb, ok and exit_code.
        lines: for people.
        bare: what is left of them with `--quiet`: what a script reads, such as ids.
        exit_code: 0, or 1 when a check found something.
    """

    data: Mapping[str, Any]
    lines: Iterable[str] = ()
    bare: Iterable[str] = ()
    exit_code: int = 0

    def write(self, verb: str, out: TextIO, *, as_json: bool, is_quiet: bool) -> None:
        """Write the answer to the stream of results.

        Raises:
            OutputError: it cannot be written.
        """
        if as_json:
            _write_json(out, verb, self.exit_code, self.data)
        else:
            lines = self.bare if is_quiet else self.lines
            streams.write("".join(f"{line}\n" for line in lines), out)


def write_fault(
    error: WorkDataHubError, verb: str | None, out: TextIO, err: TextIO, *, as_json: bool
) -> None:
    """Write what went wrong: two lines for people, or the same and what was done as JSON."""
    if as_json:
        with suppress(streams.OutputError):
            _write_json(out, verb, error.exit_code, _fault_data(error))
            return
    words = error.for_people()
    for name, style in _STYLES.items():
        if words.startswith(name):
            words = screen.styled(name, style, err) + words.removeprefix(name)
        words = words.replace(f"\n{name}", f"\n{screen.styled(name, style, err)}", 1)
    streams.say(f"{words}\n", err)


def _fault_data(error: WorkDataHubError) -> dict[str, Any]:
    return {
        "error": error.message,
        "hint": error.hint,
        "applied": list(getattr(error, "applied", ())),
        "failed": getattr(error, "failed", None),
        "pending": list(getattr(error, "pending", ())),
    }


def _write_json(out: TextIO, verb: str | None, exit_code: int, data: Mapping[str, Any]) -> None:
    import json  # not needed by those who read the lines

    head = {"schema": SCHEMA, "verb": verb, "ok": exit_code == 0, "exit_code": exit_code}
    streams.write(json.dumps({**head, **data}, indent=2) + "\n", out)
