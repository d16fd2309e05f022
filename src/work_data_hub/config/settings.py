"""Settings from the environment, a file named by ``WDH_ENV_FILE``, and ``.env``."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from work_data_hub.config.plain_settings import Environment  # noqa: TC001  # pydantic reads it
from work_data_hub.config.project_root import project_root as project_root
from work_data_hub.errors import SettingsError

# Eleven days: what waits longer has been forgotten, and what counts time cannot count for ever.
LONGEST_SECONDS = 1_000_000
Seconds = Annotated[float, Field(ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)]


class DatabaseSettings(BaseModel):
    """What ``WDH_DATABASE__*`` says."""

    uri: SecretStr | None = None


class Settings(BaseSettings):
    """The session's settings. A URL in them is a secret: no repr shows it."""

    model_config = SettingsConfigDict(
        env_prefix="WDH_",
        env_nested_delimiter="__",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    environment: Environment = Field(default="dev", validation_alias="ENVIRONMENT")
    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    database: DatabaseSettings = DatabaseSettings()

    run_lock_wait: Seconds = 60
    """Seconds that a run waits for another run on the same database to end."""
    lock_timeout: Seconds = Field(default=2, gt=0)
    """Seconds that a statement of a revision waits for a lock (PostgreSQL)."""
    lock_deadline: Seconds = 300
    """Seconds for which a revision that did not get its locks is tried again (PostgreSQL)."""
    statement_timeout: Seconds = 0
    """Seconds that a statement of a revision may take (PostgreSQL); 0 is without limit."""
    connect_wait: Seconds = 10
    """Seconds for which a change tries to reach a server that does not answer yet."""
    edited_revisions: Literal["stop", "warn"] = "stop"
    """What happens when an applied revision was edited or has vanished."""
    drift: Literal["auto", "stop", "warn", "off"] = "auto"
    """What an upgrade does when the schema is not as the last run left it: auto stops on prod and
    warns elsewhere. Off, what a run leaves is not recorded either, as of throw-away databases."""
    run_spool: str = "~/.local/state/work-data-hub/runs"
    """The folder that keeps what runs say while their database is away."""

    @property
    def root(self) -> Path:
        """The project's folder, where the default database lies."""
        return project_root()


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process; read once.

    The environment beats the file named by ``WDH_ENV_FILE``, which beats ``.env`` in the
    project's root. ``get_settings.cache_clear()`` makes the next call read again.

    Raises:
        SettingsError: when a value is not valid, or ``WDH_ENV_FILE`` names no readable file.
    """
    files = _env_files()
    try:
        return Settings(_env_file=files)
    except ValidationError as error:
        fault = _invalid(error, files)
    except SourceError as error:
        fault = SettingsError(
            f"the settings are not valid: {str(error).splitlines()[0]}",
            hint="WDH_DATABASE__URI is written with two underscores between DATABASE and URI",
        )
    except (UnicodeDecodeError, OSError) as error:
        fault = SettingsError(
            f"the settings cannot be read: {error.__class__.__name__} in {_listed(files)}",
            hint="the files must be readable UTF-8 text with one NAME=value on a line",
        )
    # Not in the blocks above: what they caught holds the values, and would be the context.
    raise fault


def _env_files() -> tuple[Path, ...]:
    """Return the files to read, the later one winning, as pydantic-settings takes them."""
    files = [project_root() / ".env"]
    if named := os.environ.get("WDH_ENV_FILE"):
        path = Path(named).expanduser()
        if not _is_readable_file(path):
            raise SettingsError(
                f"WDH_ENV_FILE names {path}, which is not a file that can be read",
                hint="correct the path, or unset WDH_ENV_FILE",
            )
        files.append(path)
    return tuple(files)


def _is_readable_file(path: Path) -> bool:
    try:
        return path.is_file() and os.access(path, os.R_OK)
    except OSError:
        return False


def _invalid(error: ValidationError, files: tuple[Path, ...]) -> SettingsError:
    # include_input=False: the input may hold a password.
    faults = error.errors(include_url=False, include_input=False)
    listed = "; ".join(f"{_variable(fault['loc'])}: {fault['msg']}" for fault in faults)
    return SettingsError(
        f"the settings are not valid: {listed} (tried: the environment, {_listed(files)})",
        hint="correct the variable where it is set; .env.example shows every one of them",
    )


def _variable(location: tuple[int | str, ...]) -> str:
    name = "__".join(str(part) for part in location).upper()
    return name if name in {"ENVIRONMENT", "DATABASE_URL"} else f"WDH_{name}"


def _listed(files: tuple[Path, ...]) -> str:
    return ", ".join(str(file) for file in reversed(files))
