"""Plain `alembic upgrade head` with nothing to do: it ends at the first look, as `wdh db` does.

What a run needs takes longer to import than it takes to see that there is nothing to run.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from work_data_hub.io.schema.alembic_bridge.call import (
    command_name,
    from_command_line,
    x_arguments,
)
from work_data_hub.io.schema.alembic_bridge.overruling import refuse_overruled
from work_data_hub.io.schema.alembic_bridge.revision_map import history_of

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

    from work_data_hub.io.schema.first_look.verdict import Standing

log = logging.getLogger(__name__)


def is_settled(environment: EnvironmentContext) -> bool:
    """Whether an `alembic upgrade head` has nothing to do, nothing to ask and nothing to refuse.

    Args:
        environment: Alembic's context of any call; a call that asks for more is not settled.

    Raises:
        RefusedError: env.py overruled what the shell says.
        UsageError: an ``-x`` argument that there is not.
    """
    standing = _standing(environment) if _asks_for_heads_alone(environment) else None
    if standing is not None:
        versions = ", ".join(standing.versions)
        log.info("%s is at %s: nothing to do", standing.address.masked(), versions)
    return standing is not None


def _asks_for_heads_alone(environment: EnvironmentContext) -> bool:
    config, options = environment.config, environment.context_opts
    return (
        from_command_line(config)
        and command_name(config) == "upgrade"
        and not options.get("as_sql")
        and options.get("tag") is None
        and not config.attributes
        and x_arguments(environment).keys() <= {"database_url"}
    )


def _standing(environment: EnvironmentContext) -> Standing | None:
    # Imported for those who ask for it: no other call pays for it.
    from work_data_hub.io.schema.first_look.verdict import Project, look_at

    config, url = environment.config, x_arguments(environment).get("database_url")
    if config.config_file_name is None:
        return None
    refuse_overruled(environment, is_explicit=url is not None)
    history = history_of(environment.script)
    if history is None:
        return None
    project = Project(
        ini=Path(config.config_file_name),
        folder=environment.script.dir,
        history=history,
        names_database=_names_database(config),
    )
    return look_at(project, url, str(environment.context_opts["destination_rev"]))


def _names_database(config: Config) -> bool:
    """Whether the configuration has a URL, which is not read: a fault in it would repeat it."""
    option = "sqlalchemy.url"
    is_in_ini = config.file_config.has_option(config.config_ini_section, option)
    return is_in_ini or option in config.toml_alembic_config
