"""Whoever makes a revision as the guide says keeps the suite green: it asks what there is."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.repository_copy import RepositoryCopy

TABLES = "src/work_data_hub/io/runs/tables.py"
# What follows the last column of its table.
AFTER_COLUMNS = '    sa.Index(None, "execution_id"),'
NEW_COLUMN = (
    'sa.Column("unit", sa.String(20), nullable=False, server_default="1", comment="Its unit")'
)
# Those that speak of the project's own revisions, tables and seeds, as far as they are quick.
TESTS = (
    *("cli/test_command.py", "cli/verbs/test_look.py", "cli/verbs/test_run.py"),
    *("io/runs/test_tables.py", "io/schema/record", "io/schema/test_migration_runner.py"),
    *("io/schema/test_migrations.py", "scripts"),
)


def make(copy: RepositoryCopy, message: str, up: str = "pass", down: str = "pass") -> None:
    path = copy.folder / copy.run("wdh", "db", "new", "--quiet", message).strip()
    text = path.read_text(encoding="utf-8")
    for name, body in (("upgrade", up), ("downgrade", down)):
        text, count = re.subn(rf"(def {name}\(\) -> None:\n    ).*", rf"\1{body}", text)
        assert count == 1
    types = "import sqlalchemy as sa\n" if "sa." in up else ""
    text = text.replace("from alembic import op", f"{types}from alembic import op")
    path.write_text(text, encoding="utf-8")


def test_a_column_and_an_empty_revision_leave_the_suite_green(copy: RepositoryCopy) -> None:
    tables = copy.folder / TABLES
    text = tables.read_text(encoding="utf-8")
    assert text.count(AFTER_COLUMNS) == 1
    with_column = text.replace(AFTER_COLUMNS, f"    {NEW_COLUMN},\n{AFTER_COLUMNS}")
    tables.write_text(with_column, encoding="utf-8")
    make(
        copy,
        "say the unit of a metric",
        f'op.add_column("data_quality_metrics", {NEW_COLUMN})',
        'op.drop_column("data_quality_metrics", "unit")',
    )
    make(copy, "an empty one")
    quick = ("--wdh-engine", "sqlite", "-k", "not postgresql", "-m", "not hypothesis")
    paths = [str(copy.folder / "tests" / each) for each in TESTS]
    copy.run(sys.executable, "-m", "pytest", "-q", *quick, *paths)
