"""The sampler of mutations makes programs, and each is another one."""

from __future__ import annotations

import ast
import importlib.util
import random
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def mutants() -> Any:
    spec = importlib.util.spec_from_file_location("mutants_script", REPOSITORY / "tests/mutants.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_every_mutation_is_another_program_that_can_be_read(mutants: Any) -> None:
    every = mutants.mutations(REPOSITORY)
    assert len(every) > 2000
    for mutation in random.Random("mutants").sample(every, 120):
        source = (REPOSITORY / mutation.path).read_bytes()
        changed = mutation.applied(source)
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source)), str(mutation)


def test_every_wing_that_carries_promises_is_mutated(mutants: Any) -> None:
    paths = {str(mutation.path) for mutation in mutants.mutations(REPOSITORY)}
    for wing in mutants.WINGS:
        assert any(f"/{wing}/" in path for path in paths), wing
