"""New revision files: named by the rule, free of application code."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from work_data_hub.domain.revision import is_revision_id, new_revision_id
from work_data_hub.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from alembic.autogenerate.api import AutogenContext
    from alembic.script import Script, ScriptDirectory

# What alembic.util.rev_id() makes when nobody chose an id.
_RANDOM_ID = re.compile(r"[0-9a-f]{12}")


def name_by_the_rule(
    scripts: ScriptDirectory, guard: Callable[[], AbstractContextManager[None]]
) -> None:
    """Make every revision that this ``ScriptDirectory`` writes follow the naming rule.

    Alembic writes the file after env.py has ended, and `alembic merge` offers no other place
    to choose an id: its directives hook is not called.

    Args:
        scripts: the directory of the running command.
        guard: what words the faults of the writing for people.
    """
    generate = scripts.generate_revision

    def generate_by_the_rule(revid: str, message: str | None, **options: Any) -> Script | None:
        with guard():
            return generate(_id(revid, scripts), _line(message), **options)

    scripts.generate_revision = generate_by_the_rule  # type: ignore[method-assign,assignment]


def _id(revid: str, scripts: ScriptDirectory) -> str:
    if _RANDOM_ID.fullmatch(revid):
        taken = {script.revision for script in scripts.walk_revisions()}
        return new_revision_id(datetime.now(UTC), taken)
    if is_revision_id(revid):
        return revid
    raise UsageError(
        f"the revision id {revid!r} is not a time such as 20251113_0930",
        hint="leave --rev-id out: the id is made from the time, in UTC",
    )


def _line(message: str | None) -> str:
    """Return the message as the one line that names the revision."""
    line = " ".join((message or "").split())
    if not re.search(r"[A-Za-z0-9]", line):
        raise UsageError(
            "a revision needs a message with at least one letter (a-z) or digit",
            hint='alembic revision -m "add orders table"',
        )
    return line


def render_without_application_code(
    kind: str, item: object, context: AutogenContext
) -> str | Literal[False]:
    """Render a TypeDecorator as the type it decorates (Alembic's ``render_item`` hook).

    A revision must mean the same in ten years: it imports nothing that may change. JSONB is
    rendered here because its repr names ``Text()``, which the revision does not import.
    """
    if kind != "type":
        return False
    if isinstance(item, JSONB):
        context.imports.add("from sqlalchemy.dialects import postgresql")
        variants = item._variant_mapping.items()  # noqa: SLF001  # has no public name
        return "postgresql.JSONB()" + "".join(
            f".with_variant(sa.{type(variant).__name__}(), {dialect!r})"
            for dialect, variant in variants
        )
    if not isinstance(item, sa.TypeDecorator):
        return False
    plain = item.impl_instance
    if type(plain).__module__.startswith("sqlalchemy.dialects."):
        dialect = type(plain).__module__.split(".")[2]
        context.imports.add(f"from sqlalchemy.dialects import {dialect}")
        return f"{dialect}.{plain!r}"
    return f"sa.{plain!r}"
