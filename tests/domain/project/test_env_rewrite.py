from __future__ import annotations

import pytest

from work_data_hub.domain.project.env_file import read_env_file
from work_data_hub.domain.project.env_rewrite import UnusualEnvError, new_env, rewrite_env

ENV = """
import os
import sys
from logging.config import fileConfig

from alembic import context
from sqlalchemy import engine_from_config, pool

sys.path.insert(0, os.path.dirname(__file__))

import app.models  # noqa
from app.db import Base, SKIPPED
from app.settings import url

config = context.config
fileConfig(config.config_file_name)
config.set_main_option("sqlalchemy.url", url)
target_metadata = Base.metadata
LIMIT = 3


def include_object(object, name, type_, reflected, compare_to):
    # Why it is so.
    return name not in SKIPPED and len(name) > LIMIT


def run_migrations_offline():
    context.configure(url=url, target_metadata=target_metadata, literal_binds=True,
                      compare_type=False)
    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online():
    local = {"a": 1}
    with engine_from_config({}, poolclass=pool.NullPool).connect() as connection:
        context.configure(connection=connection, target_metadata=target_metadata,
                          render_as_batch=True, include_object=include_object,
                          compare_type=True, user_module_prefix=local["a"],
                          transaction_per_migration=False)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
"""


def test_the_metadata_the_options_and_what_they_need_are_kept() -> None:
    made = rewrite_env(ENV.encode())
    assert (
        made.text
        == '''"""Hand Alembic's context to the package, where every guarantee lives."""

from alembic import context
from work_data_hub.io.schema.environment import run

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))

import app.models  # noqa
from app.db import Base, SKIPPED
from app.settings import url

LIMIT = 3

def include_object(object, name, type_, reflected, compare_to):
    # Why it is so.
    return name not in SKIPPED and len(name) > LIMIT

run(
    context,
    target_metadata=Base.metadata,
    compare_type=True,
    render_as_batch=True,
    include_object=include_object,
)
'''
    )
    assert made.left == (
        "line 17: config.set_main_option('sqlalchemy.url', url)",
        "line 39: user_module_prefix=local['a']",
        "line 40: transaction_per_migration: the package decides it",
    )
    assert read_env_file(made.text.encode()).hands_over
    assert not read_env_file(ENV.encode()).hands_over


def test_metadata_that_is_put_together_keeps_its_name() -> None:
    source = b"from app import a\ntarget_metadata = [a.x, a.y]\nfrom alembic import context\n"
    made = rewrite_env(source + b"context.configure(target_metadata=target_metadata)\n")
    assert "target_metadata = [a.x, a.y]\n" in made.text
    assert made.text.endswith("run(context, target_metadata=target_metadata)\n")


def test_a_name_of_the_projects_own_that_is_run_is_respected() -> None:
    source = b"from app import run, m\ncontext.configure(target_metadata=m)\n"
    made = rewrite_env(source).text
    assert "import run as run_guarded\n" in made
    assert made.endswith("run_guarded(context, target_metadata=m)\n")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("context.configure(upgrade_token='x')", "several databases"),
        ("print()", r"does not call context\.configure"),
        ("def", "not Python"),
    ],
)
def test_what_is_of_no_known_shape_is_said(source: str, reason: str) -> None:
    with pytest.raises(UnusualEnvError, match=reason):
        rewrite_env(source.encode())


def test_a_new_project_has_no_tables_yet() -> None:
    assert new_env().endswith("\nrun(context, target_metadata=None)\n")


def test_what_fills_the_metadata_by_other_statements_is_named() -> None:
    source = (
        b"import importlib, models\n"
        b"for name in ('a', 'b'):\n    importlib.import_module(name)\n"
        b"try:\n    import models.t\nexcept ImportError:\n    pass\n"
        b"models.metadata.naming_convention = {}\n"
        b"from alembic import context\n"
        b"context.configure(target_metadata=models.metadata)\n"
    )
    made = rewrite_env(source)
    assert [line.partition(":")[0] for line in made.left] == ["line 2", "line 4", "line 8"]
