"""Who runs this process, where, and with which versions."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from functools import cache
from importlib import metadata


@dataclass(frozen=True)
class Runner:
    """Who runs, where, and with which versions."""

    os_user: str
    host: str
    tool_version: str
    alembic_version: str


@cache
def this_runner() -> Runner:
    """Return who runs this process."""
    return Runner(
        os_user=_as_text(_os_user()),
        host=_as_text(socket.gethostname()),
        tool_version=metadata.version("work-data-hub"),
        alembic_version=metadata.version("alembic"),
    )


def _as_text(name: str) -> str:
    """Return a name as text that can be written: the system's are bytes, of any encoding."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container may run as a number without a name
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
