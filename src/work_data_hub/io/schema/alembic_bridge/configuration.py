"""How a call of env.py configures Alembic: what it passes itself, and what the package decides."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from work_data_hub.domain.record.record import NAMES, VERSION_TABLE
from work_data_hub.io.schema.alembic_bridge.database_view import DatabaseView
from work_data_hub.io.schema.alembic_bridge.model_differences import refuse_without_tables
from work_data_hub.io.schema.revisions.script_locations import NAMING_RULE, is_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alembic.runtime.environment import EnvironmentContext
    from sqlalchemy.engine import URL, Connection

    from work_data_hub.io.schema.alembic_bridge.database_choice import DatabaseChoice


class Configuration:
    """What one call of env.py works with.

    Args:
        environment: Alembic's context of the call.
        options: for ``EnvironmentContext.configure``; what the package decides overrules them.
        default_url: the project's own database, where nobody chooses another.
        arguments: of the functions of every revision.
    """

    def __init__(
        self,
        environment: EnvironmentContext,
        options: Mapping[str, Any],
        default_url: str | URL | None = None,
        arguments: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.environment = environment
        self.default_url = default_url
        self._options = options
        self._arguments = arguments

    @property
    def version_table(self) -> str:
        """The name of the version table."""
        return str(self._options.get("version_table", VERSION_TABLE))

    @property
    def schema(self) -> str | None:
        """The schema that env.py gave for it, if any."""
        schema = self._options.get("version_table_schema")
        return None if schema is None else str(schema)

    @property
    def follows_the_rule(self) -> bool:
        """Whether new revisions of this project are named by their time."""
        return is_on(self.environment.config.get_alembic_option(NAMING_RULE))

    def view(self, connection: Connection, choice: DatabaseChoice) -> DatabaseView:
        """Return what was decided on, for those who work on the database."""
        return DatabaseView(
            connection,
            self.environment.script,
            choice.target,
            choice.settings,
            self.version_table,
            self.schema,
            self.environment.config.config_file_name,
            is_ours=choice.connection is None,
        )

    def apply(self, **decided: Any) -> None:
        """Configure Alembic.

        Args:
            decided: options that the package decides in this kind of call.

        Raises:
            UsageError: there are no tables to compare with.
        """
        refuse_without_tables(self.environment, self._options.get("target_metadata"))
        self.environment.configure(
            **{**self._options, "include_name": self._without_our_tables, **decided}
        )

    def run_migrations(self) -> None:
        """Run Alembic's loop over the steps."""
        self.environment.run_migrations(**self._arguments)

    def _without_our_tables(self, name: str | None, kind: str, parents: Any) -> bool:
        """Hide the framework's tables from autogenerate and check."""
        if kind == "table" and name in {*NAMES, self.version_table}:
            return False
        include = self._options.get("include_name")
        return include is None or bool(include(name, kind, parents))
