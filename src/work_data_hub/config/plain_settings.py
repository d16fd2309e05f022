"""The settings of a run as plain values, read without pydantic, which takes long to import.

The sources and their order are those of ``settings``; a test holds the two together. What is not
plain is not judged here: then ``get_settings`` reads it, and words the fault.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal, NamedTuple, cast, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Environment = Literal["dev", "staging", "prod"]
_ENVIRONMENTS = frozenset(get_args(Environment))
_CHOICES = {"wdh_edited_revisions": {"stop", "warn"}, "wdh_drift": {"auto", "stop", "warn", "off"}}
# Seconds that nobody can read in two ways; 0 is left to the full settings, not all allow it.
_PLAIN_SECONDS = re.compile(r"(?!0+(?:\.|\Z))\d{1,6}(?:\.\d{1,6})?", re.ASCII)
_SECONDS = {
    "wdh_run_lock_wait",
    "wdh_lock_timeout",
    "wdh_lock_deadline",
    "wdh_statement_timeout",
    "wdh_connect_wait",
}
_MAY_BE_ZERO = _SECONDS - {"wdh_lock_timeout"}
_FILE = "wdh_env_file"
_KNOWN = {
    *(_FILE, "wdh_database__uri", "wdh_edited_revisions", "wdh_drift", "wdh_run_spool"),
    "wdh_test_database_uri",  # no setting of a run, which need not take it for a mistyped one
    *_SECONDS,
}


class PlainSettings(NamedTuple):
    """What ``Settings`` says to a run. The URLs are secrets.

    Attributes:
        environment: dev, staging or prod.
        database_url, database_uri: what DATABASE_URL and WDH_DATABASE__URI say.
        root: the folder of the default database.
        run_lock_wait: and the others, in seconds, as in ``Settings``.
        edited_revisions: stop or warn.
        drift: auto, stop, warn or off.
    """

    environment: Environment
    database_url: str | None
    database_uri: str | None
    root: Path
    run_lock_wait: float = 60
    lock_timeout: float = 2
    lock_deadline: float = 300
    statement_timeout: float = 0
    connect_wait: float = 10
    edited_revisions: str = "stop"
    drift: str = "auto"

    def __repr__(self) -> str:
        """Return nothing of the URLs."""
        return f"PlainSettings(environment={self.environment!r}, root={self.root!r})"


def read_plain_settings(environ: Mapping[str, str], root: Path) -> PlainSettings | None:
    """Return the settings, or None when they are not plain: then ``get_settings`` decides.

    Args:
        environ: the environment of the process.
        root: the project's folder, where ``.env`` may be.
    """
    given = _from_files(environ, root)
    inherited = _meant(environ)
    if given is None or inherited is None:
        return None
    given.update(inherited)
    environment = given.get("environment", "dev")
    are_plain = environment in _ENVIRONMENTS and all(map(_is_plain, given, given.values()))
    if not are_plain:
        return None
    seconds = {name.removeprefix("wdh_"): float(given[name]) for name in _SECONDS & given.keys()}
    return PlainSettings(
        cast("Environment", environment),
        given.get("database_url"),
        given.get("wdh_database__uri"),
        root,
        edited_revisions=given.get("wdh_edited_revisions", "stop"),
        drift=given.get("wdh_drift", "auto"),
        **seconds,
    )


def _from_files(environ: Mapping[str, str], root: Path) -> dict[str, str] | None:
    """Return what ``.env`` says, overruled by the file that ``WDH_ENV_FILE`` names."""
    given: dict[str, str] = {}
    for file in filter(None, (os.fspath(root / ".env"), environ.get("WDH_ENV_FILE"))):
        if not os.path.lexists(file):
            if file == environ.get("WDH_ENV_FILE"):
                return None
            continue
        values = _from_file(os.path.expanduser(file))  # noqa: PTH111  # as the full settings do
        if values is None:
            return None
        given.update(values)
    return given


def _from_file(file: str) -> dict[str, str] | None:
    from dotenv import dotenv_values  # only where there is a file: it takes as long as all else

    try:
        return _meant(dotenv_values(file, encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _meant(values: Mapping[str, str | None]) -> dict[str, str] | None:
    """Return our variables in lower case; None when one is written twice or is not known.

    An empty value counts as none.
    """
    found: dict[str, str] = {}
    for name, value in values.items():
        key = name.lower()
        if value == "" or not key.startswith(("environment", "database_url", "wdh_")):
            continue
        if key in {"environment", "database_url"} or key in _KNOWN:
            if key in found or value is None:
                return None
            found[key] = value
        elif key.startswith("wdh_"):
            return None
    return found


def _is_plain(key: str, value: str) -> bool:
    if key in _SECONDS:
        is_zero = value == "0" and key in _MAY_BE_ZERO
        return is_zero or _PLAIN_SECONDS.fullmatch(value) is not None
    return value in _CHOICES.get(key, {value})
