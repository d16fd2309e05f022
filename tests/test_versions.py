"""The versions that pyproject.toml allows are versions that were tested."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]


def pins(name: str) -> dict[str, str]:
    lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
    parts = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in parts}


def needed() -> list[Requirement]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = [*project["dependencies"], *project["optional-dependencies"]["testing"]]
    return [Requirement(line) for line in listed]


def test_the_oldest_versions_that_are_allowed_are_those_that_are_tested() -> None:
    floors = {
        canonicalize_name(one.name): floor.version for one in needed() for floor in one.specifier
    }
    assert "sqlalchemy" in floors
    assert {name: pins("constraints-oldest.txt")[name] for name in floors} == floors


def test_the_versions_that_were_tested_together_are_allowed() -> None:
    together = pins("constraints.txt")
    for one in needed():
        assert together[canonicalize_name(one.name)] in one.specifier, one
