"""The env.py of Flask-Migrate: which texts are its own, and what they become."""

from __future__ import annotations

import ast
import hashlib

FLASK_ENV = '''\
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
'''
# Of what `flask db init` writes, without comments: 3.1, 4.0.0, 4.0.4, and 4.0.7 with 4.1.
_TEMPLATES = {
    *("0c0edfe3573413ab", "9d8c6274178ea376"),
    *("455a1c71a6e8d0c3", "fd521494d170be20"),
}


def is_flask_template(source: bytes) -> bool:
    """Whether an env.py is what `flask db init` writes, with nothing changed but comments."""
    try:
        text = ast.unparse(ast.parse(source))
    except (SyntaxError, ValueError):
        return False
    return hashlib.sha256(text.encode()).hexdigest()[:16] in _TEMPLATES


def is_of_flask(source: bytes) -> bool:
    """Whether an env.py takes its database from Flask-Migrate."""
    return any(name in source for name in (b"extensions['migrate']", b'extensions["migrate"]'))
