"""Hand Alembic's context to the package, where every guarantee lives."""

from alembic import context
from work_data_hub.io.schema.environment import run

import models
from sqlmodel import SQLModel

run(context, target_metadata=SQLModel.metadata)
