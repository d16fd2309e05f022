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


def test_what_an_import_runs_concerns_every_test_that_reaches_the_file(mutants: Any) -> None:
    path = Path("src/work_data_hub/domain/room.py")
    source = b"LIMIT = 5\ndef over(n):\n    return n > LIMIT\n"
    visitor = mutants._Mutations(path, source)
    visitor.visit(ast.parse(source))
    of_import = next(each for each in visitor.found if each.is_of_import)
    of_call = next(each for each in visitor.found if not each.is_of_import)
    assert (of_import.line, of_call.line) == (1, 3)
    first, second = "tests/domain/test_room.py::first", "tests/domain/test_room.py::second"
    reached = {(str(path), 1): frozenset({first}), (str(path), 3): frozenset({second})}
    tests = mutants.Tests({first: 0.1, second: 0.2}, reached)
    assert mutants.chosen_tests(of_import, tests)[0] == [first, second]
    assert mutants.chosen_tests(of_call, tests)[0] == [second]
