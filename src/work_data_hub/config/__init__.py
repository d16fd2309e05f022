"""Settings, and the one decision which database they mean."""

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
