"""What the pages show of tests, pasted into a project that was made a minute ago."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.days.day import Person

REPOSITORY = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLE = "pipeline_executions"
COLUMNS = """
    sa.Column("execution_id", sa.Uuid(), primary_key=True),
    sa.Column("pipeline_name", sa.String(100), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
"""


def blocks(document: str, text: str) -> str:
    """Return the program of a page that has this text."""
    page = (REPOSITORY / "docs" / document).read_text(encoding="utf-8")
    (found,) = [code for code in BLOCK.findall(page) if text in code]
    return str(found)


def fixture(name: str) -> str:
    """Return the fixture of tests/conftest.py that the guide names, as somebody copies it."""
    text = (REPOSITORY / "tests/conftest.py").read_text(encoding="utf-8")
    (found,) = [
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    return "@pytest.fixture\n" + str(ast.get_source_segment(text, found))


@pytest.mark.parametrize("make_url", ["sqlite"], indirect=True)
def test_the_tests_of_the_pages_pass_in_a_new_project(make_person: Callable[..., Person]) -> None:
    """On both engines: the plugin brings them, whatever the project's own database is."""
    newcomer = make_person("newcomer", CI="true")  # no server stays for whoever looks
    newcomer.types("wdh db init")
    newcomer.types('wdh db new "add runs"', at="2026-01-05 09:00")
    newcomer.writes(
        "*_add_runs.py", f"op.create_table('{TABLE}', {COLUMNS})", f"op.drop_table('{TABLE}')"
    )
    for name, text in {
        "conftest.py": "import pytest\nfrom sqlalchemy.engine import URL\n"
        "from work_data_hub.config import get_settings\n\n" + fixture("test_db_with_migrations"),
        "test_guide.py": blocks("database-migrations.md", "test_db_with_migrations"),
        "test_page.py": blocks("test-databases.md", "test_no_other_test_is_seen"),
        "test_migrations.py": blocks("test-databases.md", "testing.checks"),
    }.items():
        (newcomer.folder / name).write_text(text, encoding="utf-8")
    pytest_of_both = "python -m pytest -q -p no:hypothesispytest --wdh-engine both"
    told = newcomer.types(pytest_of_both, exits=1).out
    assert "hint: pass target_metadata=... there" in told
    assert "4 failed, 11 passed" in told  # the two checks of the models, for each engine
    models = f"import sqlalchemy as sa\nall = sa.MetaData()\nsa.Table('{TABLE}', all, {COLUMNS})\n"
    (newcomer.folder / "models.py").write_text(models, encoding="utf-8")
    env = newcomer.folder / "migrations/env.py"
    text = env.read_text(encoding="utf-8")
    text = text.replace("target_metadata=None", "target_metadata=models.all")
    env.write_text(f"import models\n{text}", encoding="utf-8")
    assert " failed" not in newcomer.types(pytest_of_both).out
