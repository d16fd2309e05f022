"""The environment classes of databases and sessions, and which of them go together."""

from __future__ import annotations

from typing import Literal, get_args

EnvironmentClass = Literal["dev", "staging", "prod", "ephemeral"]
ENVIRONMENT_CLASSES: tuple[EnvironmentClass, ...] = get_args(EnvironmentClass)
# Nobody else's work is in them: what was applied there may be taken back freely.
OWN_CLASSES = frozenset({"dev", "ephemeral"})


def go_together(recorded: str, session: str) -> bool:
    """Whether a session of this class may run on a database that is recorded as that class.

    A throw-away database belongs to every session.
    """
    return recorded in {"ephemeral", session}
