"""Settings, and the one decision which database they mean.

What is named here is imported when it is asked for: pydantic and SQLAlchemy take longer to import
than it takes to find out that there is nothing to do.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from work_data_hub.config.database import (
        DatabaseTarget,
        choose_database,
        get_database_connection_string,
    )
    from work_data_hub.config.settings import Settings, get_settings

__all__ = [
    "DatabaseTarget",
    "Settings",
    "choose_database",
    "get_database_connection_string",
    "get_settings",
]


def __getattr__(name: str) -> object:
    """Import one of the names above when it is first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = "settings" if name in {"Settings", "get_settings"} else "database"
    found: object = getattr(import_module(f"{__name__}.{room}"), name)
    globals()[name] = found
    return found
