"""What goes wrong in the files of another project: two lines that name the line, no traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from work_data_hub.errors import HistoryError, MigrationFailedError, UsageError, WorkDataHubError
from work_data_hub.io.schema import migration_runner

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

_RUN = "from work_data_hub.io.schema.environment import run\n"
ENV = f"from alembic import context\n{_RUN}run(context, target_metadata=None)\n"
REVISION = """
revision, down_revision = "a1", None
def upgrade():
    pass
"""


class Broken(NamedTuple):
    """A project of which one file is broken: which one, where, and what is said of it."""

    files: dict[str, str]
    fault: type[WorkDataHubError]
    place: str
    said: str
    location: str = "%(here)s/migrations"


BROKEN = {
    "env.py imports what is not there": Broken(
        {"migrations/env.py": "import os\nimport nosuch_of_env\n"},
        UsageError,
        "migrations/env.py:2",
        "cannot be executed: ModuleNotFoundError",
    ),
    "env.py raises": Broken(
        {"migrations/env.py": "\n\nraise ValueError('why')\n"},
        UsageError,
        "migrations/env.py:3",
        "ValueError: why",
    ),
    "env.py is no Python": Broken(
        {"migrations/env.py": "import os\ndef f(:\n"},
        UsageError,
        "migrations/env.py:2",
        "cannot be executed: SyntaxError",
    ),
    "what env.py imports raises": Broken(
        {"migrations/env.py": "import raising_app\n", "raising_app.py": "\n1 / 0\n"},
        UsageError,
        "migrations/env.py:1",
        "raising_app.py:2",
    ),
    "what env.py passes raises": Broken(
        {
            "migrations/env.py": f"from alembic import context\n{_RUN}def url():\n    1 / 0\n"
            "run(context, default_url=url())\n"
        },
        UsageError,
        "migrations/env.py:4",
        "ZeroDivisionError",
    ),
    "the package of the files is not there": Broken(
        {}, UsageError, "nosuch_package:migrations", "is not there", "nosuch_package:migrations"
    ),
    "the package of the files raises": Broken(
        {"raising_package/__init__.py": "\n1 / 0\n", "raising_package/migrations/env.py": ENV},
        UsageError,
        "raising_package/__init__.py:2",
        "ZeroDivisionError",
        "raising_package:migrations",
    ),
    "a revision file elsewhere cannot be executed": Broken(
        {"elsewhere/a1.py": f"import os\nx = 1 / 0\n{REVISION}"},
        HistoryError,
        "elsewhere/a1.py:2",
        "cannot be read: ZeroDivisionError",
    ),
    "a revision file elsewhere fails": Broken(
        {"elsewhere/a1.py": REVISION.replace("pass", "1 / 0")},
        MigrationFailedError,
        "elsewhere/a1.py:4",
        "rolled back",
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name, text in {"migrations/env.py": ENV, "elsewhere/a1.py": REVISION}.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
    return folder


def _write(folder: Path, location: str) -> Path:
    ini = folder / "alembic.ini"
    ini.write_text(
        f"[alembic]\nscript_location = {location}\nversion_locations = %(here)s/elsewhere\n"
        "path_separator = os\nprepend_sys_path = %(here)s\n"
    )
    return ini


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_broken_is_named_with_its_line(how: str, folder: Path, sqlite_url: URL) -> None:
    broken = BROKEN[how]
    ini = _write(folder, broken.location)
    for name, text in broken.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with pytest.raises(WorkDataHubError) as failed:
        migration_runner.upgrade(sqlite_url, alembic_ini=ini)
    assert type(failed.value) is broken.fault
    told = failed.value.for_people()
    assert [line.partition(":")[0] for line in told.splitlines()] == ["error", "hint"]
    assert broken.place in told
    assert broken.said in told


def test_a_bug_of_the_package_is_not_put_down_to_env_py(
    folder: Path, sqlite_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("work_data_hub.io.schema.environment.kind_of", broken)
    with pytest.raises(ZeroDivisionError, match="of ours"):
        migration_runner.upgrade(sqlite_url, alembic_ini=_write(folder, "%(here)s/migrations"))


def test_the_project_may_be_named_by_text(folder: Path, sqlite_url: URL) -> None:
    ini = str(_write(folder, "%(here)s/migrations"))
    assert migration_runner.upgrade(sqlite_url, alembic_ini=ini).after == ("a1",)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="there is no Alembic configuration"):
        migration_runner.upgrade(sqlite_url, alembic_ini=f"{ini}.not")  # type: ignore[arg-type]
