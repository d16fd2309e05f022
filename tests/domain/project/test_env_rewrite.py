from __future__ import annotations

import pytest

from work_data_hub.domain.project.env_file import read_env_file
from work_data_hub.domain.project.env_rewrite import IrreplaceableEnvError, new_env, rewrite_env

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
    local = {"a": "app."}
    engine = engine_from_config(config.get_section("alembic"), poolclass=pool.NullPool)
    with engine.connect() as connection:
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
    render_as_batch=True,
    include_object=include_object,
    compare_type=True,
    user_module_prefix={'a': 'app.'}['a'],
    default_url=url,
)
'''
    )
    assert made.left == (
        "line 29: compare_type=False, for --sql only",
        "line 41: transaction_per_migration: the package decides it",
    )
    assert read_env_file(made.text.encode()).hands_over
    assert not read_env_file(ENV.encode()).hands_over


def test_metadata_that_is_put_together_keeps_its_name() -> None:
    source = b"from app import a\ntarget_metadata = [a.x, a.y]\nfrom alembic import context\n"
    made = rewrite_env(
        source + b"context.configure(connection=a.e.connect(), target_metadata=target_metadata)\n"
    )
    assert "target_metadata = [a.x, a.y]\n" in made.text
    assert made.text.endswith(
        "run(context, target_metadata=target_metadata, default_url=a.e.url)\n"
    )


def test_a_name_of_the_projects_own_that_is_run_is_respected() -> None:
    source = b"from app import run, m, e\ncontext.configure(e.connect(), target_metadata=m)\n"
    made = rewrite_env(source).text
    assert "import run as run_guarded\n" in made
    assert made.endswith("run_guarded(context, target_metadata=m, default_url=e.url)\n")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("context.configure(upgrade_token='x')", "several databases"),
        ("print()", r"does not call context\.configure"),
        ("def", "not Python"),
    ],
)
def test_what_is_of_no_known_shape_is_said(source: str, reason: str) -> None:
    with pytest.raises(IrreplaceableEnvError, match=reason):
        rewrite_env(source.encode())


def test_a_new_project_has_no_tables_yet() -> None:
    assert new_env().endswith("\nrun(context, target_metadata=None)\n")


def test_what_fills_the_metadata_by_other_statements_is_kept() -> None:
    filling = (
        "for name in ('a', 'b'):\n    importlib.import_module(name)\n",
        "try:\n    import models.t\nexcept ImportError:\n    pass\n",
        "models.metadata.naming_convention = {}\n",
    )
    source = (
        f"import importlib, models\n{''.join(filling)}from alembic import context\n"
        "context.configure(models.engine.connect(), target_metadata=models.metadata)\n"
    )
    made = rewrite_env(source.encode())
    assert [text for text in filling if text not in made.text] == []
    assert made.left == ()


@pytest.mark.parametrize(
    ("option", "carried"),
    [
        ("url=os.environ['DATABASE_URL']", None),
        ("url=config.get_main_option('sqlalchemy.url')", None),
        ("url=app.URL.replace('%', '%%')", "app.URL"),
    ],
)
def test_a_url_is_carried_where_nothing_else_says_it(option: str, carried: str | None) -> None:
    source = (
        "import os, app\nfrom alembic import context\nfrom sqlalchemy import create_engine\n"
        f"config = context.config\nwith create_engine({option}).connect() as c:\n"
        "    context.configure(connection=c)\n"
    )
    made = rewrite_env(source.encode()).text
    assert ("default_url=" in made) is (carried is not None)
    assert carried is None or f"default_url={carried})" in made


def test_a_url_whose_percent_signs_are_doubled_elsewhere_is_refused() -> None:
    source = (
        "import app\nfrom alembic import context\nurl = app.url.replace('%', '%%') + ''\n"
        "context.config.set_main_option('sqlalchemy.url', url)\n"
        "context.configure(connection=app.c)\n"
    )
    with pytest.raises(IrreplaceableEnvError, match="line 4: the URL has its % doubled"):
        rewrite_env(source.encode())
