"""The checks of a project, as a test runs them."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

import pytest
from tests.testing.checked_project import Project

import work_data_hub

if TYPE_CHECKING:
    from tests.testing.checked_project import Check

    from work_data_hub.testing.databases import MigratedDatabases


@pytest.fixture(scope="module")
def _every_module() -> None:
    """What a run in this process imports is taken back; what stayed would know other classes."""
    for module in pkgutil.walk_packages(work_data_hub.__path__, "work_data_hub."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    return Project(pytester)


@pytest.fixture
def check(
    pytester: pytest.Pytester,
    postgresql_databases: MigratedDatabases,
    monkeypatch: pytest.MonkeyPatch,
    _every_module: None,
) -> Check:
    """Run the checks of those names on both engines, on the server that is running here."""
    server = postgresql_databases.server.render_as_string(hide_password=False)
    monkeypatch.setenv("WDH_TEST_DATABASE_URI", server)

    def run(names: str = "", *more: str, seeds: bool = True) -> pytest.RunResult:
        given = ["--wdh-seeds", "seeds.sql", *more] if seeds else more
        options = ["-p", "no:cacheprovider", "-k", names, "--wdh-engine", "both"]
        return pytester.runpytest_inprocess(*options, *given)  # the last of an option counts

    return run
