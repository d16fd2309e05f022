"""Hand Alembic's context to the package, with the application's database."""

import os

from alembic import context
from flask import current_app, has_app_context
from flask.cli import ScriptInfo
from work_data_hub.io.schema.environment import run


def no_empty_revision(context, revision, directives):
    if getattr(context.config.cmd_opts, "autogenerate", False):
        if directives[0].upgrade_ops.is_empty():
            directives[:] = []


if not has_app_context():  # `flask db` has one; `wdh db` and `alembic` do not
    ScriptInfo(os.environ.get("FLASK_APP")).load_app().app_context().push()
migrate = current_app.extensions["migrate"]
options = {"process_revision_directives": no_empty_revision, **migrate.configure_args}
metadata = migrate.db.metadatas[None] if hasattr(migrate.db, "metadatas") else migrate.db.metadata
run(context, target_metadata=metadata, default_url=migrate.db.engine.url, **options)
