from __future__ import annotations

from pathlib import Path

import pytest

from work_data_hub.domain.project.env_file import EnvFile, read_env_file

ROOT = Path(__file__).parents[3]
IMPORTS = (
    "from alembic import context\nfrom work_data_hub.io.schema.environment import run\n"
    "from shop import metadata\n"
)


def test_the_projects_own_env_files_are_understood() -> None:
    ours = (ROOT / "io/schema/migrations/env.py").read_bytes()
    assert read_env_file(ours) == EnvFile(True, True, imports_foreign_code=False)
    example = (ROOT / "examples/bookshop/migrations/env.py").read_bytes()
    assert read_env_file(example) == EnvFile(True, True, imports_foreign_code=True)


@pytest.mark.parametrize(
    "source",
    [
        IMPORTS + "run(context)",
        IMPORTS + "run(context, target_metadata=metadata)",
        IMPORTS + "run(context, target_metadata=metadata.tables)",
        IMPORTS + "run(context, target_metadata=None)",
        '"""Why."""\nfrom __future__ import annotations\n' + IMPORTS + "run(context)  # why\n",
        "import alembic\nimport work_data_hub.io.schema.environment\nimport shop\n"
        "work_data_hub.io.schema.environment.run(alembic.context)",
        "import shop.tables as t\nfrom alembic import context as c\n"
        "from work_data_hub.io.schema import environment as e\n"
        "e.run(c, target_metadata=t.metadata)",
    ],
)
def test_the_few_lines_are_understood_however_they_are_written(source: str) -> None:
    assert read_env_file(source.encode()) == EnvFile(True, True, imports_foreign_code=True)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "def",
        "\0",
        IMPORTS,
        IMPORTS + "run(context, version_table='mine')",
        IMPORTS + "run(context, version_table_schema='mine')",
        IMPORTS + "run(context, **options)",
        IMPORTS + "run(*arguments)",
        IMPORTS + "run(context, metadata)",
        IMPORTS + "run(metadata)",
        IMPORTS + "run(context, target_metadata=metadata())",
        IMPORTS + "x = 1\nrun(context)",
        IMPORTS + "if x:\n    run(context)",
        IMPORTS + "run(context)\nrun(context)",
        IMPORTS + "import os\nos.environ['DATABASE_URL'] = 'x'\nrun(context)",
        IMPORTS + "from shop import run\nrun(context)",
        IMPORTS + "from shop import *\nrun(context)",
        "from alembic import context\ncontext.configure(url='x')",
        "from alembic import context\nfrom .shop import run\nrun(context)",
    ],
)
def test_what_may_do_something_else_is_not_taken_for_the_few_lines(source: str) -> None:
    assert not read_env_file(source.encode()).does_nothing_else


@pytest.mark.parametrize(
    "source",
    [
        IMPORTS + "run(context, version_table='mine')",
        IMPORTS + "if x:\n    run(context)",
        "def main():\n    from work_data_hub.io.schema.environment import run as r\n    r(c)",
        "from work_data_hub.io.schema import environment\nx = environment.run",
        "import work_data_hub.io.schema.environment as e\nx = 1\ne.run(*y)",
        "try:\n    from work_data_hub.io.schema.environment import run\n"
        "except ImportError:\n    from shop import run\nrun(context)",
    ],
)
def test_an_env_py_that_uses_run_hands_over_whatever_it_does_besides(source: str) -> None:
    assert read_env_file(source.encode()).hands_over


@pytest.mark.parametrize(
    "source",
    [
        "",
        "def",
        "\0",
        IMPORTS,
        "from work_data_hub.io.schema import migration_runner\nmigration_runner.upgrade()",
        "from alembic import context\ncontext.configure(url='x')",
        "from shop import run\nrun(context)",
    ],
)
def test_an_env_py_that_does_not_use_run_keeps_the_run_to_itself(source: str) -> None:
    assert not read_env_file(source.encode()).hands_over
