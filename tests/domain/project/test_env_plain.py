"""An env.py of the few lines gets the plain one that does the same; any other is left alone."""

from __future__ import annotations

import pytest

from work_data_hub.domain.project.env_plain import plain_env

IMPORTS = (
    "from alembic import context\nfrom work_data_hub.io.schema.environment import run\n"
    "from shop import metadata, options, url\n"
)


def test_what_is_passed_to_run_is_passed_to_alembic_twice() -> None:
    passed = "target_metadata=metadata, compare_type=False, default_url=url"
    made = plain_env(f"{IMPORTS}LIMIT = 3\nprint(LIMIT)\nrun(context, {passed})\n".encode())
    assert made is not None
    assert made.count("target_metadata=metadata,\n") == made.count("compare_type=False,\n") == 2
    assert "os.environ.get('DATABASE_URL') or url\n" in made
    assert "LIMIT = 3\nprint(LIMIT)\n" in made
    assert "work_data_hub" not in made
    compile(made, "env.py", "exec")


def test_another_name_of_run_is_as_good() -> None:
    source = IMPORTS.replace("import run", "import run as go") + "go(context)\n"
    assert plain_env(source.encode()) is not None


@pytest.mark.parametrize(
    "source",
    [
        "def",
        "\0",
        IMPORTS,
        f"{IMPORTS}run(context)\nrun(context)",
        f"{IMPORTS}run(context)\nprint(run(context))",
        f"{IMPORTS}if metadata:\n    run(context)",
        f"{IMPORTS}x = run(context)",
        f"{IMPORTS}run(context, **options)",
        "from alembic import context\nfrom shop import run\nrun(context)",
    ],
)
def test_what_does_more_than_call_run_once_is_left_alone(source: str) -> None:
    assert plain_env(source.encode()) is None
