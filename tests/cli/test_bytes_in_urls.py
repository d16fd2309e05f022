"""A byte that is not UTF-8: in the URL of a server it is a fault in words, a file may have it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from work_data_hub.config import get_settings
from work_data_hub.errors import SettingsError
from work_data_hub.io.schema import migration_runner

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.warm_python import WarmPythons

REPOSITORY = Path(__file__).parents[2]
URLS = [
    "postgresql://hub:hunter2@127.0.0.1:1/x\udcff",
    "postgresql://hub:hunt\udcffer2@127.0.0.1:1/x",
]
DOORS = {
    "alembic": ["-m", "alembic", "upgrade", "head"],
    "wdh": ["-m", "work_data_hub", "db", "upgrade"],
    "looking": ["-m", "work_data_hub", "db", "status"],
    "db_setup": [str(REPOSITORY / "scripts/db_setup.py")],
}


@pytest.fixture
def call(
    warm_pythons: WarmPythons, clean_environment: dict[str, str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Call a door on a URL, which any byte may stand in."""

    def run(door: str, url: str) -> subprocess.CompletedProcess[str]:
        environment = {**clean_environment, "DATABASE_URL": url}
        return warm_pythons.run(*DOORS[door], cwd=REPOSITORY, env=environment, timeout=120)

    return run


@pytest.mark.parametrize("url", URLS, ids=["database", "password"])
@pytest.mark.parametrize("door", DOORS)
def test_every_door_says_it_in_two_lines(
    door: str, url: str, call: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    process = call(door, url)
    assert (process.returncode, process.stdout) == (2, "")
    assert [line.partition(":")[0] for line in process.stderr.splitlines()] == ["error", "hint"]
    assert "DATABASE_URL is not a database URL: it holds a byte that is not UTF-8" in process.stderr
    assert "hunt" not in process.stderr


@pytest.mark.parametrize("url", URLS, ids=["database", "password"])
def test_a_program_is_told_too_and_nothing_of_the_url_is_in_what_it_came_from(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    get_settings.cache_clear()
    for explicit in (None, url):
        with pytest.raises(SettingsError, match="not UTF-8") as refused:
            migration_runner.upgrade(explicit)
        assert "hunt" not in f"{refused.value!r}{refused.value.__cause__}"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize("door", DOORS)
def test_the_name_of_a_file_may_hold_any_byte(
    door: str, tmp_path: Path, call: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    file = tmp_path / "a\udcff.db"
    for _ in range(2):  # and once more, when there is nothing to do
        process = call(door, f"sqlite:///{file}")
        assert process.returncode == 0, process.stderr
    assert file.exists() is (door != "looking")
