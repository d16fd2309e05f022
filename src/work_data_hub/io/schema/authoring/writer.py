"""New revision files: named by the rule, free of application code, in the head file."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from work_data_hub.domain.revisions.naming import file_description, is_revision_id, new_revision_id
from work_data_hub.errors import UsageError
from work_data_hub.io.schema.revisions.head_file import head_file_of, write_head_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from alembic.autogenerate.api import AutogenContext
    from alembic.script import Script, ScriptDirectory

    from work_data_hub.io.schema.alembic_bridge.configuration import Configuration

# What alembic.util.rev_id() makes when nobody chose an id.
_RANDOM_ID = re.compile(r"[0-9a-f]{12}")
_BOOLEANS: dict[type, Literal["sa.true()", "sa.false()"]] = {
    sa.sql.expression.True_: "sa.true()",
    sa.sql.expression.False_: "sa.false()",
}


def prepare_new_files(
    configuration: Configuration, guard: Callable[[], AbstractContextManager[None]]
) -> None:
    """Make the revisions that the running command writes follow the rule, if the project does.

    Alembic writes the file after env.py has ended, and `alembic merge` offers no other place
    to choose an id: its directives hook is not called.

    Args:
        configuration: of the call of env.py.
        guard: what words the faults of the writing for people.
    """
    scripts, by_the_rule = configuration.environment.script, configuration.follows_the_rule
    generate = scripts.generate_revision

    def generate_and_keep(revid: str, message: str | None, **options: Any) -> Script | None:
        with guard():
            if by_the_rule:
                message, revid = one_line(message), _id(revid, scripts)
                scripts.file_template = f"{revid}_{file_description(message)}"
            made = generate(revid, message, **options)
            keep_head_file(scripts, create=by_the_rule)
            return made

    scripts.generate_revision = generate_and_keep  # type: ignore[method-assign,assignment]


def keep_head_file(scripts: ScriptDirectory, *, create: bool = False) -> None:
    """Make the head file say what the heads are now; without one, only where it is wanted."""
    path = head_file_of(scripts.dir)
    if create or path.exists():
        write_head_file(path, scripts.get_heads())


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


def one_line(message: str | None) -> str:
    """Return the message as the one line that describes the revision.

    Raises:
        UsageError: it has no character that a file could be named by.
    """
    line = " ".join((message or "").split())
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(
            "the message has characters that this terminal's encoding cannot tell",
            hint="set a UTF-8 locale, such as LC_ALL=C.UTF-8, or write the message in ASCII",
        ) from None
    if not file_description(line):
        raise UsageError(
            "a revision needs a message with at least one letter (a-z) or digit",
            hint='alembic revision -m "add orders table"',
        )
    return line


def render_without_application_code(
    kind: str, item: Any, context: AutogenContext
) -> str | Literal[False]:
    """Render what must not import the application (Alembic's ``render_item`` hook).

    A revision must mean the same in ten years: a TypeDecorator is rendered as the types that it
    loads for PostgreSQL and SQLite. JSONB and ARRAY are rendered here because their repr names
    types without their module; boolean defaults because their text differs between the engines.
    """
    if kind == "type" and (_is_application_type(item) or isinstance(item, JSONB | ARRAY)):
        return _type(item, context)
    if kind == "server_default" and isinstance(item, sa.DefaultClause):
        return _BOOLEANS.get(type(item.arg), False)
    return False


def _is_application_type(item: object) -> bool:
    return isinstance(item, sa.TypeDecorator) and not type(item).__module__.startswith(
        "sqlalchemy."
    )


def _type(item: sa.types.TypeEngine[Any], context: AutogenContext) -> str:
    """Render a type and its variants."""
    variants = dict(item._variant_mapping)  # noqa: SLF001  # has no public name
    if isinstance(item, sa.TypeDecorator) and _is_application_type(item):
        native = item.load_dialect_impl(postgresql.dialect())  # type: ignore[no-untyped-call]
        variants.setdefault("sqlite", item.load_dialect_impl(sqlite.dialect()))
        text = _plain_type(native, context)
    else:
        text = _plain_type(item, context)
    rendered = {name: _type(variant, context) for name, variant in variants.items()}
    return text + "".join(
        f".with_variant({other}, {name!r})" for name, other in rendered.items() if other != text
    )


def _plain_type(item: sa.types.TypeEngine[Any], context: AutogenContext) -> str:
    module = type(item).__module__
    if isinstance(item, ARRAY):
        context.imports.add("from sqlalchemy.dialects import postgresql")
        dimensions = f", dimensions={item.dimensions}" if item.dimensions else ""
        return f"postgresql.ARRAY({_type(item.item_type, context)}{dimensions})"
    if not module.startswith("sqlalchemy.dialects."):
        return f"sa.{item!r}"
    dialect = module.split(".")[2]
    if isinstance(item, JSONB):
        text = "JSONB()"
    elif hasattr(getattr(sa.dialects, dialect), type(item).__name__):
        text = repr(item)
    else:  # what a driver makes of a type has no public name
        return f"sa.{item.as_generic()!r}"
    context.imports.add(f"from sqlalchemy.dialects import {dialect}")
    return f"{dialect}.{text}"
