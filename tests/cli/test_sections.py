"""--name SECTION: an alembic.ini with several histories, as `alembic --name` reads it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from work_data_hub.io.schema import engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

ONE, TWO = "20260101_0000", "20260101_0001"


@pytest.fixture
def project(make_history: Callable[..., Path], revision_body: Callable[..., Any]) -> Path:
    """Two histories of two databases: [one] has a revision, [two] has two."""
    bodies = [f"op.execute('CREATE TABLE t{number} (id INTEGER)')" for number in range(2)]
    folder = make_history([revision_body(body) for body in bodies])
    shutil.move(folder / "io", folder / "two")
    shutil.copytree(folder / "two", folder / "one")
    (folder / "one/schema/migrations/versions/20260101_0001_step_1.py").unlink()
    (folder / "alembic.ini").write_text(
        "".join(
            f"[{name}]\nscript_location = %(here)s/{name}/schema/migrations\n"
            f"sqlalchemy.url = sqlite:///%(here)s/{name}.db\n"
            for name in ("one", "two")
        )
    )
    return folder


def tables(file: Path) -> list[str]:
    with engine.connect(sa.make_url(f"sqlite:///{file}"), read_only=True) as connection:
        return [name for name in sa.inspect(connection).get_table_names() if len(name) == 2]


def test_each_section_is_a_history_with_its_database(
    wdh: Callable[..., Any], project: Path
) -> None:
    for name, ids in (("one", [ONE]), ("two", [TWO])):
        assert wdh("heads", "--name", name, project=project).out.split() == ids
        assert wdh("heads", "-n", name, project=project).out.split() == ids  # from the cache
        assert wdh("upgrade", "--name", name, project=project).exit_code == 0
        assert wdh("current", "-n", name, "--quiet", project=project).out.split() == ids
        assert wdh("verify", "-n", name, project=project).exit_code == 0
        assert wdh("status", "--check", "-n", name, project=project).exit_code == 0
    assert tables(project / "one.db") == ["t0"]
    assert tables(project / "two.db") == ["t0", "t1"]


def test_a_new_revision_goes_where_its_section_says(wdh: Callable[..., Any], project: Path) -> None:
    made = Path(wdh("new", "more", "--quiet", "--name", "one", project=project).out.strip())
    assert made.parent == project / "one/schema/migrations/versions" or "one/" in str(made)
    assert wdh("heads", "--name", "two", project=project).out.split() == [TWO]


@pytest.mark.parametrize("verb", [["upgrade"], ["heads"], ["status"], ["verify"]])
def test_without_a_name_the_sections_that_there_are_are_named(
    wdh: Callable[..., Any], project: Path, verb: list[str]
) -> None:
    said = wdh(*verb, project=project)
    assert said.exit_code == 2
    assert (
        "has no script_location\nhint: say which section is meant: --name one or two\n" in said.err
    )
    wrong = wdh(*verb, "--name", "nosuch", project=project)
    assert wrong.exit_code == 2
    assert "in [nosuch]" in wrong.err
    assert "--name one or two" in wrong.err


def test_a_section_is_meant_by_one_call_alone(
    wdh: Callable[..., Any], project: Path, make_history: Callable[..., Path], sqlite_url: URL
) -> None:
    assert wdh("heads", "--name", "one", project=project).exit_code == 0
    assert wdh("heads", project=project).exit_code == 2


def test_init_takes_no_section(wdh: Callable[..., Any], project: Path) -> None:
    before = (project / "alembic.ini").read_text()
    said = wdh("init", "--name", "one", project=project)
    assert said.exit_code == 2
    assert (project / "alembic.ini").read_text() == before
