"""Ctrl-C while the run is still being imported: nothing has been done, and that is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

REPOSITORY = Path(__file__).parents[4]
# As if the signal came at the very moment at which this module is looked for.
INTERRUPTED_AT = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize(
    "module",
    [
        "work_data_hub.io.schema.run.change",
        "work_data_hub.io.schema.run.executor",
        "work_data_hub.io.schema.run.guard",
        "work_data_hub.config.database",
    ],
)
@pytest.mark.parametrize("door", [["alembic", "upgrade", "head"], ["wdh", "db", "upgrade"]])
def test_ctrl_c_while_importing_is_worded(
    clean_environment: dict[str, str], sqlite_url: URL, tmp_path: Path, door: list[str], module: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED_AT.format(module))
    name, *arguments = door
    process = subprocess.run(
        [str(Path(sys.executable).with_name(name)), *arguments],
        cwd=REPOSITORY,
        env={
            **clean_environment,
            "DATABASE_URL": sqlite_url.render_as_string(),
            "PYTHONPATH": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 130
    assert process.stderr.startswith("error: interrupted")
    assert process.stderr.count("\n") == 2
    assert not Path(str(sqlite_url.database)).exists()
