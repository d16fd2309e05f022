"""Hand Alembic's context to the package."""

from alembic import context
from bookshop_tables import metadata

from work_data_hub.io.schema.environment import run

run(context, target_metadata=metadata)
