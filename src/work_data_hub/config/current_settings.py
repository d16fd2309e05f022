"""The settings of a run: those that the program has read, or else what they say now."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from work_data_hub.config.plain_settings import PlainSettings, read_plain_settings
from work_data_hub.config.project_root import project_root

if TYPE_CHECKING:
    from work_data_hub.config.settings import Settings


def plain(settings: Settings) -> PlainSettings:
    """Return the full settings as plain values."""
    url, uri = settings.database_url, settings.database.uri
    return PlainSettings(
        settings.environment,
        None if url is None else url.get_secret_value(),
        None if uri is None else uri.get_secret_value(),
        settings.root,
        settings.run_lock_wait,
        settings.lock_timeout,
        settings.lock_deadline,
        settings.statement_timeout,
        settings.connect_wait,
        settings.edited_revisions,
        settings.drift,
    )


def current_settings() -> PlainSettings:
    """Return the settings of a run: what ``get_settings`` has read, or else what it would read now.

    Raises:
        SettingsError: as ``get_settings``.
    """
    if not _are_read():
        found = read_plain_settings(os.environ, project_root())
        if found is not None:
            return found
    from work_data_hub.config.settings import get_settings

    return plain(get_settings())


def forget() -> None:
    """Read again what ``get_settings`` has read, when it is asked for next."""
    if _are_read():
        from work_data_hub.config.settings import get_settings

        get_settings.cache_clear()


def _are_read() -> bool:
    full = sys.modules.get("work_data_hub.config.settings")
    return full is not None and bool(full.get_settings.cache_info().currsize)
