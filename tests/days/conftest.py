"""People at their shells, each with a database, and a repository that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.days.day import Person

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import URL
    from tests.warm_python import WarmPythons


@pytest.fixture
def make_person(
    warm_pythons: WarmPythons,
    clean_environment: dict[str, str],
    make_url: Callable[[], URL],
    tmp_path: Path,
) -> Callable[..., Person]:
    """Make somebody with a folder, a new database, and git's settings of their own."""

    def make(name: str, url: URL | None = None, **further: str) -> Person:
        chosen = (url or make_url()).render_as_string(hide_password=False)
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        environment = {
            **clean_environment,
            "DATABASE_URL": chosen,
            "XDG_STATE_HOME": str(tmp_path / f"state-of-{name}"),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_EDITOR": "true",
            **{
                f"GIT_{role}_{what}": value
                for role in ("AUTHOR", "COMMITTER")
                for what, value in (("NAME", name), ("EMAIL", f"{name}@example.org"))
            },
            **further,
        }
        return Person(folder, environment, warm_pythons)

    return make
