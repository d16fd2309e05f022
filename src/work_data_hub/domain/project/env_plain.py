"""Makes an env.py that hands over to the package a plain one of Alembic again."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from work_data_hub.domain.project.env_file import ENVIRONMENT
from work_data_hub.domain.project.env_syntax import calls, keywords

if TYPE_CHECKING:
    from collections.abc import Iterable

_IMPORTS = """\
import os
import sqlalchemy as sa
from alembic import context
"""
# What a run of the package passes where env.py does not.
_DEFAULTS = {"render_as_batch": "True"}
_RUN = """\
def run_migrations_offline():
    context.configure(
        url=database_url(),
        literal_binds=True,
{offline}    )
    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online():
    engine = sa.create_engine(database_url(), poolclass=sa.NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
{connected}        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
"""


def plain_env(source: bytes) -> str | None:
    """Return the plain env.py that migrates as the text does, and guards nothing.

    Returns:
        None when it does more than import, bind names and call ``run`` once.
    """
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    imported = {
        one.asname or one.name
        for node in module.body
        if isinstance(node, ast.ImportFrom) and node.module == ENVIRONMENT
        for one in node.names
    }
    is_run = {
        id(node): isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) in imported
        for node in module.body
    }
    runs = [node for node in module.body if is_run[id(node)]]
    uses = [call for call in calls(module.body) if ast.unparse(call.func) in imported]
    if len(runs) != 1 or len(uses) != 1 or any(each.arg is None for each in uses[0].keywords):
        return None
    kept = [node for node in module.body if not is_run[id(node)] and not _is_replaced(node)]
    return _text(kept, keywords(uses[0]))


def _text(kept: Iterable[ast.stmt], options: dict[str, ast.expr]) -> str:
    default = options.pop("default_url", None)
    said = "None" if default is None else ast.unparse(default)
    passed = {**_DEFAULTS, **{name: ast.unparse(value) for name, value in options.items()}}
    lines = [f"{name}={value},\n" for name, value in passed.items()]
    offline, connected = (
        "".join(f"{indent}{line}" for line in lines) for indent in (" " * 8, " " * 12)
    )
    code = "".join(f"{ast.unparse(node)}\n" for node in kept)
    return (
        f"{_IMPORTS}{code}\n\n"
        "def database_url():\n"
        f"    url = os.environ.get('DATABASE_URL') or {said}\n"
        "    return url or context.config.get_main_option('sqlalchemy.url')\n\n\n"
        f"{_RUN.format(offline=offline, connected=connected)}"
    )


def _is_replaced(node: ast.stmt) -> bool:
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_docstring or (
        isinstance(node, ast.ImportFrom)
        and node.module in {ENVIRONMENT, "alembic", "__future__"}
        and (node.module != "alembic" or [one.name for one in node.names] == ["context"])
    )
