"""Hand Alembic's context to the package: one env.py, and a configuration for each database."""

import os
from pathlib import Path

import tables
from alembic import context

from work_data_hub.io.schema.environment import run

name = Path(context.config.config_file_name).stem
run(
    context,
    target_metadata=getattr(tables, name),
    default_url=os.environ.get(f"{name.upper()}_DATABASE"),
)
