"""`verify` on real projects: every fault is found without Alembic, the same on both engines."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.own_history import FIRST, VERSIONS, copy_of_the_first_revision

from work_data_hub.io.schema import migration_runner
from work_data_hub.io.schema.authoring.verification import verify, verify_database

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

REPOSITORY = Path(__file__).parents[4]
REVISION = f'"""X."""\nrevision = "{{}}"\ndown_revision = "{FIRST}"\n'
REVISION += "def upgrade():\n    pass\ndef downgrade():\n    pass\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_of_the_first_revision(tmp_path / "project").parent


def found(project: Path) -> dict[str, str]:
    """Return the code of each finding, and where it is."""
    findings = verify(project / "alembic.ini")
    return {each.code: f"{Path(each.path or '').name}:{each.line}" for each in findings}


@pytest.mark.parametrize("name", [".", "examples/bookshop"])
def test_what_is_shipped_is_sound(name: str) -> None:
    assert verify(REPOSITORY / name / "alembic.ini") == ()


def test_each_fault_is_found_with_its_place(project: Path) -> None:
    versions = project / VERSIONS
    (versions / "20260101_0000_x.py").write_text(REVISION.format("20260101_0001"))
    (versions / "names.py").write_text(REVISION.format("20260101_0002"))
    expected = {
        "name-and-id": "20260101_0000_x.py:1",
        "name": "names.py:1",
        "several-heads": "names.py:1",
        "head-file": "heads.txt:1",
    }
    assert found(project) == expected
    (versions / "20260101_0003_y.py").write_text('"""X."""\nrevision = (\n')
    assert found(project)["not-python"] == "20260101_0003_y.py:2"
    (first,) = versions.glob(f"{FIRST}_*.py")
    shutil.copy(first, versions / f"{FIRST}_again.py")
    assert found(project)["duplicate-id"] == f"{first.name}:1"


def test_a_project_without_a_head_file_is_not_asked_for_one(project: Path) -> None:
    (project / "io/schema/migrations/heads.txt").unlink()
    assert found(project) == {}


def test_neither_alembic_nor_sqlalchemy_is_imported() -> None:
    code = (
        "from work_data_hub.io.schema.authoring.verification import verify; verify(); import sys;"
        "print([name for name in ('alembic', 'sqlalchemy', 'pydantic') if name in sys.modules])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert process.stdout == "[]\n"


def test_a_revision_that_was_edited_or_vanished_after_it_was_applied_is_found(
    project: Path, database_url: URL
) -> None:
    ini, url = project / "alembic.ini", database_url.render_as_string(hide_password=False)
    second = project / VERSIONS / "20260101_0000_x.py"
    second.write_text(REVISION.format("20260101_0000"))
    migration_runner.upgrade(url, alembic_ini=ini)
    assert verify_database(url, ini) == ()
    second.write_text("# a comment\n" + second.read_text())
    assert verify_database(url, ini) == ()
    second.write_text(second.read_text().replace("pass", "print()"))
    assert [(each.code, each.severity) for each in verify_database(url, ini)] == [
        ("edited", "error")
    ]
    second.unlink()
    assert {each.code for each in verify_database(url, ini)} == {"ahead", "vanished"}


def test_a_database_that_is_not_there_has_nothing_to_say_and_is_not_made(
    project: Path, tmp_path: Path
) -> None:
    assert verify_database(f"sqlite:///{tmp_path}/none.db", project / "alembic.ini") == ()
    assert not (tmp_path / "none.db").exists()
