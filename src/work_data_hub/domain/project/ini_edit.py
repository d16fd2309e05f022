"""Changes single options in the text of an alembic.ini; every other line stays as it is."""

from __future__ import annotations

import re

_SECTION = re.compile(r"\s*\[(?P<name>[^\]]+)\]")


def disable_option(text: str, name: str) -> tuple[str, str | None]:
    """Return the text with an option of ``[alembic]`` made a comment, and the value it had."""
    lines = text.splitlines(keepends=True)
    found = _find(lines, name)
    if found is None:
        return text, None
    start, end = found
    value = "".join(lines[start:end]).partition("=")[2].strip()
    lines[start:end] = [f"# {line}" for line in lines[start:end]]
    return "".join(lines), value


def set_option(text: str, name: str, value: str) -> str:
    """Return the text with an option of ``[alembic]`` set: where it was, or below its first one."""
    lines = text.splitlines(keepends=True)
    found = _find(lines, name) or _find(lines, "script_location")
    assert found is not None, "read_options has found a script_location"
    start, end = found
    ending = "\r\n" if lines[start].endswith("\r\n") else "\n"
    if _find(lines, name) is None:
        start = end
        lines[end - 1] = lines[end - 1].rstrip("\r\n") + ending
    lines[start:end] = [f"{name} = {value}{ending}"]
    return "".join(lines)


def has_option(text: str, name: str) -> bool:
    """Whether ``[alembic]`` has an option."""
    return _find(text.splitlines(keepends=True), name) is not None


def add_options(text: str, options: list[str]) -> str:
    """Return the text with lines at the beginning of ``[alembic]``, made where there is none."""
    lines = text.splitlines(keepends=True)
    headers = [_SECTION.match(line) for line in lines]
    found = [number for number, each in enumerate(headers) if each and each["name"] == "alembic"]
    start = found[0] + 1 if found else 0
    header = [] if found else ["[alembic]\n"]
    lines[start:start] = [*header, *(f"{option}\n" for option in options)]
    return "".join(lines)


def _find(lines: list[str], name: str) -> tuple[int, int] | None:
    """Return the lines of an option, with those that continue it."""
    option = re.compile(rf"{re.escape(name)}\s*[=:]", re.IGNORECASE)
    section = ""
    for number, line in enumerate(lines):
        if header := _SECTION.match(line):
            section = header["name"]
        elif section == "alembic" and option.match(line):
            end = number + 1
            while end < len(lines) and lines[end][:1] in {" ", "\t"} and lines[end].strip():
                end += 1
            return number, end
    return None
