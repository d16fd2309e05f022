"""Hand Alembic's context to the package, where every guarantee lives."""

from alembic import context
from work_data_hub.io.schema.environment import run

from shop import URL, Base

run(context, target_metadata=Base.metadata, default_url=URL)
