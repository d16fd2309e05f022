"""A project that is checked: sound, until a test breaks it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    Check = Callable[..., pytest.RunResult]

SWITCHED_ON = "from work_data_hub.testing.checks import *  # noqa: F403\n"
INI = """
[alembic]
script_location = %(here)s/migrations
prepend_sys_path = %(here)s
path_separator = os
revision_environment = true
"""
HANDS_OVER = """
from alembic import context
from tables import metadata
from work_data_hub.io.schema.environment import run

run(context, target_metadata=metadata)
"""
WITHOUT_TABLES = HANDS_OVER.replace("target_metadata=metadata", "")
OF_ITS_OWN = """
import sqlalchemy as sa
from alembic import context
from tables import metadata

engine = sa.create_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=sa.NullPool)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table="our_versions",
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
"""
TABLES = """
import sqlalchemy as sa

metadata = sa.MetaData()
sa.Table(
    "items",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50)),
    sa.Column("size", sa.Integer),
)
sa.Table("marks", metadata, sa.Column("mark", sa.Integer))
"""
SEEDS = "INSERT INTO items (id, name) VALUES (1, 'one'), (2, 'two');INSERT INTO marks VALUES (7);"
FIRST, SECOND = "20260101_0000", "20260101_0001"
CREATE = (
    "op.create_table('items', sa.Column('id', sa.Integer, primary_key=True),"
    " sa.Column('name', sa.String(50)))\n"
    "op.create_table('marks', sa.Column('mark', sa.Integer))"
)
DROP = "op.drop_table('marks')\nop.drop_table('items')"
ADD = "op.add_column('items', sa.Column('size', sa.Integer))"
REMOVE = "op.drop_column('items', 'size')"
NAME_AGAIN = "op.add_column('items', sa.Column('name', sa.String(50)))"
ON_SQLITE = "--wdh-engine=sqlite"
ON_POSTGRESQL = "--wdh-engine=postgresql"
TABLE = "CREATE TABLE more (a INT)"
UNDO_TABLE = "op.drop_table('more')"


class Project:
    """A project in pytest's own folder: sound, until a test breaks it."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.folder = pytester.path
        self.write("alembic.ini", INI)
        self.write("tables.py", TABLES)
        self.write("seeds.sql", SEEDS)
        self.write("migrations/env.py", HANDS_OVER)
        self.write("test_migrations.py", SWITCHED_ON)
        self.revision(FIRST, None, CREATE, DROP)
        self.revision(SECOND, FIRST, ADD, REMOVE)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def revision(
        self,
        id_: str,
        below: str | tuple[str, ...] | None,
        upgrade: str = "pass",
        downgrade: str = "pass",
        *,
        depends_on: str | None = None,
        name: str = "",
    ) -> None:
        text = (
            f"import sqlalchemy as sa\nfrom alembic import op\n\nrevision = {id_!r}\n"
            f"down_revision = {below!r}\ndepends_on = {depends_on!r}\n\n\n"
            f"def upgrade():\n{textwrap.indent(upgrade, '    ')}\n\n\n"
            f"def downgrade():\n{textwrap.indent(downgrade, '    ')}\n"
        )
        self.write(f"migrations/versions/{name or f'{id_}_step.py'}", text)


def statements(sql: str) -> str:
    """Return the body of a direction that executes some statements, one a line."""
    return "\n".join(f"op.execute({line!r})" for line in sql.splitlines()) or "pass"
