<%
    import re

    summary = message.replace("\\", "\\\\").replace('"', '\\"')
    summary += "" if summary[-1] in ".!?" else "."
    # `alembic merge` passes neither code nor imports.
    code = "\n".join(context.get(name, "") or "" for name in ("upgrades", "downgrades"))
    types = context.get("imports", "")
    is_merge = isinstance(down_revision, (tuple, list))
    changes = bool(re.search(r"^ *(op|batch_op|with)\b", code, re.MULTILINE))
    quoted = lambda value: repr(value).replace("'", '"')
%>\
"""${summary}

Why: say here what needs this change.

Revision ID: ${up_revision}
Revises: ${down_revision or "-" | comma,n}
Create Date: ${create_date.isoformat(sep=" ", timespec="seconds")}
"""

from __future__ import annotations
% if not is_merge:

% if "sa." in code:
import sqlalchemy as sa
% endif
from alembic import op
% if types:
${types}
% endif
% endif

revision: str = ${quoted(up_revision)}
down_revision: str | tuple[str, ...] | None = ${quoted(down_revision)}
branch_labels: str | tuple[str, ...] | None = ${quoted(branch_labels)}
depends_on: str | tuple[str, ...] | None = ${quoted(depends_on)}


def upgrade() -> None:
    ${upgrades if changes else '"""Make the change by `op`; `import sqlalchemy as sa` has the types."""'}


def downgrade() -> None:
    ${downgrades if changes else '"""Take it back, or raise an error that says why that cannot be done."""'}
