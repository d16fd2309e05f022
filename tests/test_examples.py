"""examples/ holds whole projects; each is run here as it stands."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.authoring.eject import eject
from work_data_hub.io.schema.authoring.project_setup import set_up
from work_data_hub.io.schema.database.row_counts import row_counts
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from sqlalchemy.engine import URL
    from tests.warm_python import WarmPythons

    Alembic = Callable[..., subprocess.CompletedProcess[str]]

ADOPTED = ("flask_shop", "async_shop", "sqlmodel_shop")
EXAMPLES = Path(__file__).parents[1] / "examples"
HEAD = "e05a6b3c2f17"
REVISIONS = {"3f1c0a9b7d21", "8d2e5c4410aa", "91bb07de6c53", "c7704f1e98d2", HEAD}
PLAIN_ENV = """
import os
import sqlalchemy as sa
from alembic import context
from bookshop_tables import metadata

with sa.create_engine(os.environ["DATABASE_URL"], poolclass=sa.NullPool).connect() as connection:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
"""


@pytest.fixture
def bookshop(tmp_path: Path) -> Path:
    folder = tmp_path / "bookshop"
    shutil.copytree(EXAMPLES / "bookshop", folder)
    return folder


def rows(url: URL) -> dict[str, int]:
    with connect(url) as connection:
        return row_counts(connection)


def test_another_project_gets_every_guarantee_by_the_same_few_lines(
    bookshop: Path, alembic: Alembic, database_url: URL
) -> None:
    up = alembic("upgrade", "head", url=database_url, cwd=bookshop)
    assert up.returncode == 0, up.stderr
    assert rows(database_url) == {"authors": 1, "books": 0}
    entries = migration_runner.journal(database_url)
    assert {(e.revision, e.direction) for e in entries} == {(r, "upgrade") for r in REVISIONS}
    assert migration_runner.identity(database_url) is not None
    assert alembic("check", url=database_url, cwd=bookshop).returncode == 0
    prod = {"ENVIRONMENT": "staging"}
    assert alembic("downgrade", "-1", url=database_url, cwd=bookshop, env=prod).returncode == 4
    down = alembic("downgrade", "base", url=database_url, cwd=bookshop)
    assert down.returncode == 0, down.stderr
    assert rows(database_url) == {}


def test_its_new_revisions_keep_their_own_names(
    bookshop: Path, alembic: Alembic, sqlite_url: URL
) -> None:
    assert alembic("upgrade", "head", url=sqlite_url, cwd=bookshop).returncode == 0
    made = alembic("revision", "--autogenerate", "-m", "more", url=sqlite_url, cwd=bookshop)
    assert made.returncode == 0, made.stderr
    (new,) = (bookshop / "migrations/versions").glob("*_more.py")
    assert len(new.name.split("_")[0]) == 12


def test_a_database_that_it_managed_before_is_taken_over(
    bookshop: Path, alembic: Alembic, database_url: URL
) -> None:
    env = bookshop / "migrations" / "env.py"
    guarded = env.read_text(encoding="utf-8")
    env.write_text(PLAIN_ENV, encoding="utf-8")
    before = alembic("upgrade", "c7704f1e98d2", url=database_url, cwd=bookshop)
    assert before.returncode == 0, before.stderr
    assert migration_runner.journal(database_url) == ()
    env.write_text(guarded, encoding="utf-8")
    after = alembic("upgrade", "head", url=database_url, cwd=bookshop)
    assert after.returncode == 0, after.stderr
    entries = {e.revision: e.direction for e in migration_runner.journal(database_url)}
    assert entries == {**dict.fromkeys(REVISIONS, "adopt"), HEAD: "upgrade"}
    assert rows(database_url) == {"authors": 1, "books": 0}


def test_it_has_no_default_database(bookshop: Path, alembic: Alembic) -> None:
    refused = alembic("upgrade", "head", cwd=bookshop)
    assert refused.returncode == 2
    assert "no database is named" in refused.stderr
    assert not list(bookshop.rglob("*.db"))


def test_its_own_tests_pass_on_both_engines(
    bookshop: Path, warm_pythons: WarmPythons, clean_environment: dict[str, str]
) -> None:
    # Hypothesis, which they do not use, needs a second for its imports.
    command = ("-m", "pytest", "-q", "-p", "no:hypothesispytest")
    tests = warm_pythons.run(*command, cwd=bookshop, env=clean_environment, timeout=300)
    assert tests.returncode == 0, tests.stdout
    assert "12 passed" in tests.stdout


def copied(name: str, folder: Path) -> Path:
    project = folder / name
    shutil.copytree(EXAMPLES / name, project, ignore=shutil.ignore_patterns("*.db*", "__pycache__"))
    return project


@pytest.mark.parametrize("name", ADOPTED)
def test_what_was_adopted_is_what_init_writes_and_eject_takes_out(
    name: str, tmp_path: Path
) -> None:
    project = copied(name, tmp_path)
    env = project / "migrations/env.py"
    guarded = env.read_bytes()
    assert set_up(project).done == ()
    assert eject(project / "alembic.ini").is_original
    assert b"work_data_hub" not in env.read_bytes()
    assert set_up(project).left == ()
    assert env.read_bytes() == guarded


@pytest.mark.parametrize("name", ADOPTED)
def test_an_adopted_project_is_guarded_on_both_engines(
    name: str, alembic: Alembic, database_url: URL, tmp_path: Path
) -> None:
    project = copied(name, tmp_path)
    for arguments in (("upgrade", "head"), ("check",)):
        done = alembic(*arguments, url=database_url, cwd=project)
        assert done.returncode == 0, done.stderr
    assert rows(database_url) == {"books": 0}
    assert [entry.direction for entry in migration_runner.journal(database_url)] == ["upgrade"]


@pytest.mark.parametrize(
    ("name", "config"),
    [
        *((name, "alembic.ini") for name in ("bookshop", *ADOPTED)),
        *(("two_databases", f"{name}.ini") for name in ("orders", "billing")),
    ],
)
def test_the_database_of_an_example_is_healthy(
    name: str,
    config: str,
    warm_pythons: WarmPythons,
    clean_environment: dict[str, str],
    database_url: URL,
    tmp_path: Path,
) -> None:
    project = copied(name, tmp_path)
    text = database_url.render_as_string(hide_password=False)
    seeds = [("seed", str(file)) for file in project.glob("seeds.sql")]
    for verb in (("upgrade", "heads"), *seeds, ("doctor",)):
        command = ("work_data_hub", "db", *verb, "--config", config, "--database-url", text)
        done = warm_pythons.run("-m", *command, cwd=project, env=clean_environment, timeout=120)
        assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(" is healthy\n")


@pytest.mark.parametrize("name", ADOPTED)
def test_an_adopted_project_means_its_own_database(
    name: str, alembic: Alembic, tmp_path: Path
) -> None:
    project = copied(name, tmp_path)
    done = alembic("upgrade", "head", cwd=project)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in project.rglob("*.db")] == ["shop.db"]


def test_the_doors_of_flask_and_of_wdh_lead_to_one_database(
    warm_pythons: WarmPythons, clean_environment: dict[str, str], database_url: URL, tmp_path: Path
) -> None:
    project = copied("flask_shop", tmp_path)
    text = database_url.render_as_string(hide_password=False)
    environment = {**clean_environment, "SHOP_DATABASE": text}
    environment.pop("PYTHONWARNINGS")  # Flask-Migrate's own
    for command in (
        ("flask", "db", "upgrade"),
        ("work_data_hub", "db", "status", "--check"),
        ("work_data_hub", "db", "downgrade", "-1"),
        ("flask", "db", "upgrade"),
    ):
        done = warm_pythons.run("-m", *command, cwd=project, env=environment, timeout=120)
        assert done.returncode == 0, (command, done.stderr)
    entries = [entry.direction for entry in migration_runner.journal(database_url)]
    assert entries == ["upgrade", "downgrade", "upgrade"]
    assert not list(project.rglob("*.db"))


def test_each_of_several_databases_is_guarded_for_itself(
    alembic: Alembic, make_url: Callable[[], URL], tmp_path: Path
) -> None:
    project = copied("two_databases", tmp_path)
    tables = {"orders": "orders", "billing": "invoices"}
    urls = {name: make_url() for name in tables}
    said = {f"{name.upper()}_DATABASE": u.render_as_string(False) for name, u in urls.items()}
    for name in tables:
        for arguments in (("upgrade", "head"), ("check",)):
            done = alembic("-c", f"{name}.ini", *arguments, cwd=project, env=said)
            assert done.returncode == 0, done.stderr
    for name, table in tables.items():
        assert rows(urls[name]) == {table: 0}
        (entry,) = migration_runner.journal(urls[name])
        assert entry.direction == "upgrade"
        assert migration_runner.identity(urls[name]) is not None
    assert not list(project.rglob("*.db"))
