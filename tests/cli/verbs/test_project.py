"""init and eject as a person calls them: first to see, then to do, then to take out again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.domain.record.record import NAMES
from work_data_hub.io.schema.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "hunter2"
ENV = f"""
from alembic import context
from sqlalchemy import create_engine, text
URL = "postgresql://u:{SECRET}@h/x"

def migrate(connection):
    context.configure(connection=connection, version_table="of_it", target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()

with create_engine(URL).connect() as connection:
    migrate(connection)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "theirs"
    (folder / "migrations/versions").mkdir(parents=True)
    (folder / "alembic.ini").write_text(
        "[alembic]\nscript_location = %(here)s/migrations\npath_separator = os\n"
        f"sqlalchemy.url = sqlite:///{tmp_path}/theirs.db\n"
    )
    (folder / "migrations/env.py").write_text(ENV)
    (folder / "migrations/script.py.mako").write_text("")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["theirs", "new"])
def test_check_says_what_init_does_and_writes_nothing(
    name: str, project: Path, tmp_path: Path, wdh: Callable[..., Any]
) -> None:
    before = contents(tmp_path)
    said = wdh("init", str(tmp_path / name), "--check", "--json", project=tmp_path)
    assert (said.exit_code, contents(tmp_path)) == (0, before)
    assert said.data["done"]
    assert "nothing was written" in wdh("init", name, "--check", project=tmp_path).out
    done = wdh("init", str(tmp_path / name), "--json", project=tmp_path)
    assert done.data["done"] == said.data["done"]
    assert contents(tmp_path) != before
    assert project.exists()


def test_init_says_what_comes_next_and_never_a_password(
    project: Path, tmp_path: Path, wdh: Callable[..., Any]
) -> None:
    said = wdh("init", project=project)
    assert (said.exit_code, SECRET in said.out) == (0, False)
    assert "version_table='of_it'" in said.out
    assert "next: `wdh db status`" in said.out
    assert "for .gitignore" in said.out
    assert "name the database" not in said.out
    new = wdh("init", "new", project=tmp_path)
    assert "next: name the database, in DATABASE_URL or by --database-url" in new.out
    named = wdh("init", "named", project=tmp_path, url="sqlite:///named.db")
    assert "next: `wdh db status" in named.out
    assert "name the database" not in named.out


def test_a_refusal_has_every_reason_and_the_lines_to_begin_with_and_no_password(
    project: Path, wdh: Callable[..., Any]
) -> None:
    env = project / "migrations/env.py"
    lines = (
        "    connection.execute(text('SET ROLE owner'))\n    connection.execute(text('SELECT 1'))"
    )
    env.write_text(ENV.replace("    migrate(connection)", f"{lines}\n    migrate(connection)"))
    before = contents(project)
    said = wdh("init", project=project)
    assert (said.exit_code, said.out) == (4, "")
    assert "  line 12: is executed on the connection" in said.err
    assert "  line 13: is executed on the connection" in said.err
    assert "run(context, target_metadata=None, version_table='of_it', default_url=URL)" in said.err
    assert SECRET not in said.err
    assert contents(project) == before
    data = wdh("init", "--json", project=project).data
    assert (data["exit_code"], SECRET in str(data)) == (4, False)


def test_eject_gives_the_old_env_py_back_and_drops_nothing(
    project: Path, tmp_path: Path, wdh: Callable[..., Any]
) -> None:
    before = contents(project)
    url = sa.make_url(f"sqlite:///{tmp_path}/theirs.db")
    assert wdh("init", project=project).exit_code == 0
    assert wdh("upgrade", url=url, project=project).exit_code == 0
    said = wdh("eject", project=project)
    assert said.exit_code == 0
    assert all(f"DROP TABLE {name};" in said.out for name in NAMES)
    assert {name: text for name, text in contents(project).items() if "pycache" not in name} == (
        before
    )
    with connect(url) as connection:
        assert {*NAMES} <= {*sa.inspect(connection).get_table_names()}
    again = wdh("eject", project=project)
    assert (again.exit_code, again.out) == (4, "")


def test_what_init_replaced_and_somebody_changed_is_written_anew_and_nothing_is_lost(
    project: Path, wdh: Callable[..., Any]
) -> None:
    assert wdh("init", project=project).exit_code == 0
    env = project / "migrations/env.py"
    env.write_text(env.read_text().replace("'of_it'", "'of_another'"))
    assert "written from the guarded one" in wdh("eject", project=project).out
    assert "version_table='of_another'," in env.read_text()
    assert "work_data_hub" not in env.read_text()
    assert (project / "migrations/env.py.before-wdh").exists()


@pytest.mark.parametrize("addition", ["\nrun(context)\n", "\nprint(run)\nrun(**{})\n"])
def test_what_does_more_than_to_hand_over_is_not_ejected(
    addition: str, project: Path, wdh: Callable[..., Any]
) -> None:
    assert wdh("init", project=project).exit_code == 0
    env = project / "migrations/env.py"
    env.write_text(env.read_text() + addition)
    before = contents(project)
    said = wdh("eject", project=project)
    assert (said.exit_code, contents(project)) == (4, before)
    assert "write the plain one by hand" in said.err


def test_a_configuration_of_another_name_is_the_one_that_is_meant(
    project: Path, tmp_path: Path, wdh: Callable[..., Any]
) -> None:
    """A project with several databases has one for each, and perhaps no alembic.ini."""
    (project / "alembic.ini").rename(project / "orders.ini")
    before = contents(project)
    unnamed = wdh("init", project=project)
    assert (unnamed.exit_code, contents(project)) == (4, before)
    assert "`wdh db init --config FILE`" in unnamed.err
    both = wdh("init", ".", "--config", "orders.ini", project=project)
    assert (both.exit_code, contents(project)) == (2, before)
    missing = wdh("init", "--config", "nosuch.ini", project=project)
    assert (missing.exit_code, contents(project)) == (2, before)
    done = wdh("init", "--config", "orders.ini", project=project)
    assert done.exit_code == 0
    assert "orders.ini: sqlalchemy.url" in done.out
    url = f"sqlite:///{tmp_path}/theirs.db"
    assert wdh("upgrade", "--config", "orders.ini", url=url, project=project).exit_code == 0
    assert wdh("eject", "--config", "orders.ini", project=project).exit_code == 0
    assert {name: text for name, text in contents(project).items() if "pycache" not in name} == (
        before
    )
