"""Hand Alembic's context to the package, where every guarantee lives."""

from alembic import context

from work_data_hub.io.runs import metadata
from work_data_hub.io.schema.environment import run

run(context, target_metadata=metadata)
