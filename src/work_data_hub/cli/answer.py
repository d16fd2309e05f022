"""What a verb answers, and how it is written: for people, for scripts, or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from work_data_hub.errors import WorkDataHubError

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
        """Write the answer to the stream of results."""
        if as_json:
            _write_json(out, verb, self.exit_code, self.data)
        else:
            out.writelines(f"{line}\n" for line in (self.bare if is_quiet else self.lines))


def write_fault(
    error: WorkDataHubError, verb: str | None, out: TextIO, err: TextIO, *, as_json: bool
) -> None:
    """Write what went wrong: two lines for people, or the same and what was done as JSON."""
    if not as_json:
        err.write(f"{error.for_people()}\n")
        return
    data = {
        "error": error.message,
        "hint": error.hint,
        "applied": list(getattr(error, "applied", ())),
        "failed": getattr(error, "failed", None),
        "pending": list(getattr(error, "pending", ())),
    }
    _write_json(out, verb, error.exit_code, data)


def _write_json(out: TextIO, verb: str | None, exit_code: int, data: Mapping[str, Any]) -> None:
    import json  # not needed by those who read the lines

    head = {"schema": SCHEMA, "verb": verb, "ok": exit_code == 0, "exit_code": exit_code}
    out.write(json.dumps({**head, **data}, indent=2) + "\n")
