"""Where alembic.ini and pyproject.toml say that the revision files are, as Alembic reads them."""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar

from work_data_hub.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import configparser
    from configparser import ConfigParser
    from typing import Any

NAMING_RULE = "revision_environment"
_SECTION = "alembic"
# The section of alembic.ini that is meant, as `alembic --name` has it; read wherever the file is.
section: ContextVar[str] = ContextVar("section", default=_SECTION)
_SEPARATORS = {"space": " ", "newline": "\n", "os": os.pathsep, ":": ":", ";": ";"}
_HINT = "see https://alembic.sqlalchemy.org/en/latest/tutorial.html#editing-the-ini-file"
_SAVE_AS_TEXT = "correct it: text of sections and options, without a byte order mark"
# What is kept of a configuration: script_location, version_locations, prepend_sys_path,
# recursive_version_locations, sourceless, and whether there is a sqlalchemy.url (not which: it may
# hold a password); a plain tuple, so that it can be cached.
Options = tuple[str, tuple[str, ...], tuple[str, ...], bool, bool, bool]


def read_options(ini: str | None, toml: str | None) -> Options:
    """Return what the configuration says about the revision files.

    Args:
        ini: the path of alembic.ini; what it says goes before the other.
        toml: the path of a pyproject.toml with a ``[tool.alembic]``.

    Raises:
        UsageError: there is no script_location, or a value that Alembic refuses too.
    """
    values = _Values(ini, toml)
    location = values.get("script_location")
    if not isinstance(location, str):
        source = ini or toml or "the configuration"
        others = values.sections_with("script_location")
        hint = f"say which section is meant: --name {' or '.join(others)}" if others else _HINT
        named = "" if section.get() == _SECTION else f" in [{section.get()}]"
        raise UsageError(f"{source} has no script_location{named}", hint=hint)
    if "\0" in location:
        raise UsageError(f"script_location in {ini or toml} holds a NUL", hint=_HINT)
    return (
        location,
        values.paths("version_locations", ", *|(?: +)", "path_separator", "version_path_separator"),
        values.paths("prepend_sys_path", r", *|(?: +)|\:", "path_separator"),
        values.is_set("recursive_version_locations"),
        values.is_set("sourceless"),
        values.has("sqlalchemy.url"),
    )


def names_by_time(ini: str) -> bool:
    """Whether new revisions of a project are named by their time.

    Raises:
        UsageError: the configuration cannot be read.
    """
    return is_on(_Values(ini, None).get(NAMING_RULE))


def lines_of(ini: str, name: str) -> list[str]:
    """Return the lines of an option that has several; none where it is not there.

    Raises:
        UsageError: the configuration cannot be read.
    """
    return str(_Values(ini, None).get(name) or "").splitlines()


def is_on(said: object) -> bool:
    """Whether what a configuration says of ``NAMING_RULE`` switches it on, as Alembic reads it."""
    return str(said).strip().lower() in {"true", "yes", "on", "y", "t", "1"}


def script_folder(options: Options) -> str:
    """Return the absolute path of the folder with env.py.

    Raises:
        UsageError: it, or the package that it is in, is not there.
    """
    folder = _folder(options[0], options[2])
    if not os.path.exists(folder):
        raise UsageError(f"the script location {folder} does not exist", hint="wdh db init")
    refuse_file(folder)
    return folder


def refuse_file(folder: str) -> None:
    """Refuse a script location that is no folder, which Alembic takes until it looks for env.py.

    Raises:
        UsageError: it is a file.
    """
    if not os.path.isdir(folder):
        raise UsageError(
            f"the script location {folder} is no folder", hint="correct script_location"
        )


def version_folders(options: Options) -> list[str]:
    """Return the folders with revision files that there are, absolute, without symbolic links.

    Raises:
        UsageError: the script location, or the package that it is in, is not there.
    """
    folder = script_folder(options)
    _, versions, search, *_ = options
    wanted = [_folder(version, search) for version in versions]
    return [
        os.path.realpath(each)
        for each in wanted or [os.path.join(folder, "versions")]
        if os.path.exists(each)
    ]


class _Values:
    """The options of alembic.ini, and behind them those of pyproject.toml."""

    def __init__(self, ini: str | None, toml: str | None) -> None:
        self._path = ini
        self._section = section.get()
        self._ini = _read_ini(ini)
        self._toml = _read_toml(toml)
        self._toml_here = {"here": _here(toml)}

    def get(self, name: str) -> Any:
        text = self._from_ini(name)
        return self._from_toml(name) if text is None else text

    def has(self, name: str) -> bool:
        return self._ini.has_option(self._section, name) or name in self._toml

    def sections_with(self, name: str) -> list[str]:
        """Return the sections that have an option; one that all have tells nothing of them."""
        own = "sqlalchemy.url" if name in self._ini.defaults() else name
        return [each for each in self._ini.sections() if self._ini.has_option(each, own)]

    def is_set(self, name: str) -> bool:
        text = self._from_ini(name)
        if text is not None:
            return text == "true"
        value = self._toml.get(name, False)
        if not isinstance(value, bool):
            raise UsageError(f"{name} in pyproject.toml is neither true nor false", hint=_HINT)
        return value

    def paths(self, name: str, legacy: str, *separators: str) -> tuple[str, ...]:
        """Return a list of paths; ``legacy`` splits it where no separator is named."""
        import re

        text = self._from_ini(name)
        if not text:
            return tuple(self._from_toml(name) or ())
        named = [self._from_ini(each) for each in separators]
        chosen = next((each for each in named if each is not None), None)
        if chosen is None:
            return tuple(re.split(legacy, text))
        if chosen not in _SEPARATORS:
            raise UsageError(f"{chosen!r} is no path_separator", hint=_HINT)
        return tuple(part.strip() for part in text.split(_SEPARATORS[chosen]) if part)

    def _from_ini(self, name: str) -> str | None:
        import configparser

        try:
            return self._ini.get(self._section, name, fallback=None)
        except configparser.Error:
            pass  # it holds the value, and would be the context of what is raised here
        raise UsageError(
            f"{name} in {self._path} cannot be read: a % in it stands alone, or %(...)s names no"
            " option",
            hint="write %% for %, and %(here)s for the file's folder",
        )

    def _from_toml(self, name: str) -> Any:
        value = self._toml.get(name)
        try:
            if isinstance(value, list):
                return [part % self._toml_here for part in value]
            return value % self._toml_here if isinstance(value, str) else value
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{name} in pyproject.toml: {error}", hint=_HINT) from None


def _here(path: str | None) -> str:
    """Return what ``%(here)s`` means in a file."""
    return os.path.dirname(os.path.abspath(path)).replace(os.sep, "/") if path else "."


def _read_ini(path: str | None) -> ConfigParser:
    # Imported here: what was read is cached, and then nobody pays for the import.
    import configparser

    parser = configparser.ConfigParser({"here": _here(path)})
    try:
        parser.read([path] if path else [], encoding="locale")
    except UnicodeDecodeError as error:
        why = f"byte {error.start} is not {error.encoding}"
    except configparser.Error as error:
        why = _what_is_wrong(error)
    else:
        return parser
    # Not in the blocks above: what they caught holds lines of the file, which may hold a password.
    raise UsageError(f"{path} cannot be read: {why}", hint=_SAVE_AS_TEXT)


def _what_is_wrong(error: configparser.Error) -> str:
    """Return what is wrong with the text of an ini file, without any of it."""
    import configparser

    if isinstance(error, configparser.MissingSectionHeaderError):
        is_mark = error.line.startswith("\ufeff")
        what = "begins with a byte order mark" if is_mark else "stands before the first [section]"
        return f"line {error.lineno} {what}"
    if isinstance(error, configparser.DuplicateOptionError):
        return f"line {error.lineno} sets the option {error.option} once more"
    if isinstance(error, configparser.DuplicateSectionError):
        return f"line {error.lineno} begins the section [{error.section}] once more"
    lines = [str(number) for number, *_ in getattr(error, "errors", ())]
    return f"line {', '.join(lines) or '?'} is neither an option nor a section"


def _read_toml(path: str | None) -> dict[str, Any]:
    if path is None or not os.path.exists(path):
        return {}
    import tomllib

    try:
        with open(path, "rb") as file:
            options = tomllib.load(file).get("tool", {}).get(_SECTION, {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", hint=_HINT) from None
    if not isinstance(options, dict):
        raise UsageError(f"[tool.alembic] of {path} is no table", hint=_HINT)
    return options


def _folder(location: str, search: tuple[str, ...]) -> str:
    """Return the absolute path of a location; ``package:folder`` is inside of a package."""
    if os.path.isabs(location) or ":" not in location:
        return os.path.abspath(location)
    package, *parts = location.split(":")
    path: list[str] | None = [*search, *sys.path]
    for name in _parents(package):
        path = _package_path(name, path)
        if not path:
            raise UsageError(
                f"the package {package} of {location} is not there",
                hint="install it, or name its parent folder in prepend_sys_path",
            )
    assert path
    return os.path.abspath(os.path.join(path[0], *parts))


def _parents(package: str) -> list[str]:
    names = package.split(".")
    return [".".join(names[: count + 1]) for count in range(len(names))]


def _package_path(name: str, path: list[str] | None) -> list[str]:
    """Return where a package's files are, without importing it."""
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec(name, path)
    if spec is None:  # an editable installation may bring a finder of its own
        found = (finder.find_spec(name, None) for finder in sys.meta_path)
        spec = next((each for each in found if each is not None), None)
    return list(spec.submodule_search_locations or ()) if spec is not None else []
