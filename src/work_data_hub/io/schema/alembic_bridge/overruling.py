"""What the shell says stays: env.py may say what it does not, and overrules nothing of it.

Every door has the settings as env.py left them, so that `alembic` and `wdh db` of one shell mean
one database. That env.py said something else is seen where it is known what was said before: by the
front door, and on Linux by the `alembic` command. Elsewhere its text tells, as far as it does.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from work_data_hub.config.choice import Said, said
from work_data_hub.config.current_settings import current_settings, forget
from work_data_hub.domain.project.env_variables import variables_set
from work_data_hub.errors import RefusedError
from work_data_hub.io.schema.alembic_bridge.call import from_command_line
from work_data_hub.io.schema.alembic_bridge.request import REQUEST, request_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

    from work_data_hub.config.plain_settings import PlainSettings


# What a process was started with: nothing that it sets later is in it.
_STARTED_WITH = Path("/proc/self/environ")


def settings_left(environment: EnvironmentContext, *, is_explicit: bool) -> PlainSettings:
    """Return the settings of the session, as they are when env.py has spoken.

    Args:
        environment: Alembic's context of the call.
        is_explicit: whether the caller chose the database: then no variable decides on it.

    Raises:
        RefusedError: env.py overruled what the shell says.
        SettingsError: a setting is not valid.
    """
    if refuse_overruled(environment, is_explicit=is_explicit):
        forget()
    return current_settings()


def refuse_overruled(environment: EnvironmentContext, *, is_explicit: bool) -> bool:
    """Refuse what env.py overruled of the shell; return whether it said anything at all.

    Args:
        environment: Alembic's context of the call.
        is_explicit: whether the caller chose the database: then no variable decides on it.

    Raises:
        RefusedError: env.py overruled what the shell says.
    """
    before, after = _said_before(environment.config), said(os.environ)
    names = _set_by_text(environment, after) if before is None else before.overruled_by(after)
    if overruled := names - ({"DATABASE_URL"} if is_explicit else set()):
        raise _refused(overruled)
    return before is not None and before != after


def _said_before(config: Config) -> Said | None:
    """Return what the environment said before env.py ran; None where nobody can know."""
    if REQUEST in config.attributes:
        return request_of(config).said
    command = Path(sys.argv[0])
    is_command = "alembic" in {command.stem, command.parent.name} and from_command_line(config)
    return _started_with() if is_command else None


def _started_with() -> Said | None:
    try:
        entries = _STARTED_WITH.read_bytes().split(b"\0")
    except OSError:
        return None
    pairs = (os.fsdecode(entry).partition("=") for entry in entries)
    return said({name: value for name, _, value in pairs})


def _set_by_text(environment: EnvironmentContext, after: Said) -> frozenset[str]:
    return variables_set(Path(environment.script.env_py_location).read_bytes(), after.names)


def _refused(names: Iterable[str]) -> RefusedError:
    return RefusedError(
        f"env.py, or what it imports, overrules {', '.join(sorted(names))} of the shell: other"
        " commands would take another database",
        hint="let it say only what the shell does not: os.environ.setdefault(...), load_dotenv()"
        " without override; or name the database: -x database_url=URL, --database-url URL",
    )
