"""What `alembic check` found, in words."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from work_data_hub.errors import CheckFoundError
from work_data_hub.io.schema.alembic_call import command_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.runtime.environment import EnvironmentContext


def report(environment: EnvironmentContext) -> None:
    """List the differences between the tables that are defined and those that there are.

    Only for the command `alembic check`; a program gets Alembic's own exception, with the data.

    Raises:
        CheckFoundError: when there is a difference.
    """
    if command_name(environment.config) != "check":
        return
    generated = environment.context_opts["revision_context"].generated_revisions[-1]
    found = sorted(line for ops in generated.upgrade_ops_list for line in _lines(ops.as_diffs()))
    if found:
        sys.stdout.writelines(f"{line}\n" for line in found)
        raise CheckFoundError(
            f"the database differs from the defined tables in {len(found)} place(s)",
            hint='alembic revision --autogenerate -m "..." writes the revision that is missing',
        )


def _lines(diffs: list[Any]) -> Iterator[str]:
    for diff in diffs:
        if isinstance(diff, list):
            yield from _lines(diff)
        else:
            yield f"{diff[0].replace('_', ' ')}: {_subject(diff)}"


def _subject(diff: tuple[Any, ...]) -> str:
    if diff[0].startswith("modify_"):
        _, schema, table, column, _, old, new = diff
        return f"{_dotted(schema, table, column)} from {_shown(old)} to {_shown(new)}"
    if diff[0].endswith("_column"):
        _, schema, table, column = diff
        return _dotted(schema, table, column.name)
    subject = diff[1]
    table = getattr(subject, "table", None)
    return subject.name if table is None else f"{subject.name} on {table.name}"


def _shown(value: object) -> str:
    """Return a default as its SQL, and anything else as Python shows it."""
    return str(value.arg) if isinstance(value, sa.DefaultClause) else repr(value)


def _dotted(*names: str | None) -> str:
    return ".".join(str(name) for name in names if name is not None)
