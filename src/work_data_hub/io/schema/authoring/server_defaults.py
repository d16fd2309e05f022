"""How autogenerate compares server defaults: one with a quote as text, as Alembic itself cannot."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

try:
    from alembic.runtime.plugins import Plugin
    from alembic.util import DispatchPriority, PriorityDispatchResult
except ImportError:  # before Alembic 1.18
    HAS_PLUGINS = False
else:
    HAS_PLUGINS = True

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import AlterColumnOp
    from alembic.runtime.migration import MigrationContext

_NAME = "work_data_hub.server_defaults"


def comparing() -> dict[str, Any]:
    """Return what Alembic is configured with where env.py says nothing else.

    With a hook, Alembic from 1.18 on fails at a column that is computed, or an identity: it takes
    it for one with a default before it asks. A comparator of a plugin is asked before that.
    """
    if not HAS_PLUGINS:
        return {"compare_server_default": _hook}
    return {
        "compare_server_default": True,
        "autogenerate_plugins": ["alembic.autogenerate.*", _NAME],
    }


def _differs(column: sa.Column[Any], inspected: str | None) -> bool | None:
    """Compare a text default as text; None leaves it to Alembic.

    Alembic asks PostgreSQL, with a statement that a quote in the default breaks, and does not
    double the quote for SQLite.
    """
    clause = column.server_default
    text = clause.arg if isinstance(clause, sa.DefaultClause) else None
    if not isinstance(text, str) or inspected is None or not re.search("['%]", text):
        return None
    quoted = "'" + text.replace("'", "''") + "'"
    return re.sub(r"::[\w .\"()\[\]]+$", "", inspected) != quoted


def _hook(
    _context: MigrationContext,
    _inspected_column: Any,
    metadata_column: sa.Column[Any],
    inspected_default: str | None,
    _metadata_default: Any,
    _rendered_default: str | None,
) -> bool | None:
    """Be Alembic's ``compare_server_default``."""
    return _differs(metadata_column, inspected_default)


def _compare(  # what Alembic calls it with
    context: AutogenContext,
    operation: AlterColumnOp,
    _schema: str | None,
    _table: str,
    _name: str,
    there: sa.Column[Any],
    wanted: sa.Column[Any],
) -> PriorityDispatchResult:
    """Be Alembic's comparator of server defaults, where they are compared and texts."""
    default = there.server_default
    if context.opts.get("compare_server_default") is not True:
        return PriorityDispatchResult.CONTINUE
    if isinstance(wanted.server_default, sa.Identity) and not _has_identities(context):
        return PriorityDispatchResult.STOP  # Alembic would find it missing, each time
    if not isinstance(default, sa.DefaultClause):
        return PriorityDispatchResult.CONTINUE
    differs = _differs(wanted, getattr(default.arg, "text", None))
    if differs is None:
        return PriorityDispatchResult.CONTINUE
    operation.existing_server_default = default
    if differs:
        operation.modify_server_default = wanted.server_default
    return PriorityDispatchResult.STOP


def _has_identities(context: AutogenContext) -> bool:
    return context.dialect.supports_identity_columns


if HAS_PLUGINS:
    with contextlib.suppress(ValueError):  # a module that was imported before has registered it
        Plugin(_NAME).add_autogenerate_comparator(
            _compare, "column", "server_default", priority=DispatchPriority.FIRST
        )
