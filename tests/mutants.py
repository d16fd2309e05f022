"""Draw small mutations of the rooms that carry promises, and see whether a test notices.

Each is made in a clone of what is committed, with a virtual environment of its own, so that the
processes that tests start are mutated too. The tests that reach the mutated line are run, those of
its own wing first, until one fails. What survives is written down: each is a missing test, or
means the same program.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REPOSITORY = Path(__file__).parents[1]
PACKAGE = Path("src/work_data_hub")
WINGS = (
    *("io/schema/run", "io/schema/locks", "io/schema/record", "io/schema/sqlite"),
    *("io/schema/first_look", "io/schema/database", "io/runs", "domain"),
)
WORKERS = 2
_TIMES = "times.xml"
SECONDS_OF_TESTS = 240.0
"""How much of the tests that reach a line is run, by what they took unmutated, workers together."""

_COMPARISONS = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}


@dataclass(frozen=True)
class Mutation:
    """A piece of a file, and what stands there instead.

    Attributes:
        is_of_import: whether an import runs it: every test that reaches the file depends on it.
    """

    path: Path
    line: int
    start: int
    end: int
    text: str
    instead: str
    is_of_import: bool = False

    def applied(self, source: bytes) -> bytes:
        """Return the file with the mutation in it."""
        return source[: self.start] + self.instead.encode() + source[self.end :]

    def __str__(self) -> str:
        """Return it on one line."""
        before, after = (" ".join(text.split()) for text in (self.text, self.instead))
        return f"{self.path}:{self.line}: `{before}` -> `{after}`"


class _Mutations(ast.NodeVisitor):
    """Collects what can be mutated in one file: no annotations, docstrings and sentences."""

    def __init__(self, path: Path, source: bytes) -> None:
        self._path, self._source = path, source
        starts = [0]
        for line in source.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        self._starts = starts
        self.found: list[Mutation] = []
        self._is_in_function = False

    def _text(self, node: ast.expr | ast.stmt) -> str:
        return self._source[slice(*self._place(node))].decode()

    def _place(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _add(self, node: ast.expr | ast.stmt, instead: str) -> None:
        start, end = self._place(node)
        text = self._text(node)
        self.found.append(
            Mutation(self._path, node.lineno, start, end, text, instead, not self._is_in_function)
        )

    def visit_Compare(self, node: ast.Compare) -> None:
        if len(node.ops) == 1:
            left, right = self._text(node.left), self._text(node.comparators[0])
            self._add(node, f"({left} {_COMPARISONS[type(node.ops[0])]} {right})")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        parts = [f"({self._text(value)})" for value in node.values]
        word = " or " if isinstance(node.op, ast.And) else " and "
        self._add(node, f"({word.join(parts)})")
        same = " and " if isinstance(node.op, ast.And) else " or "
        for left_out in range(len(parts)):
            kept = same.join(part for n, part in enumerate(parts) if n != left_out)
            self._add(node, f"({kept})")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._add(node, f"bool({self._text(node.operand)})")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        for one in (node.body, node.orelse):
            self._add(node, f"({self._text(one)})")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._add(node, str(not value))
        elif isinstance(value, int | float):
            self._add(node, repr(value + 1))
        elif isinstance(value, str) and value and " " not in value:
            self._add(node, repr(f"XX{value}XX"))

    def _visit_members(self, node: ast.Set | ast.Tuple | ast.List | ast.Dict) -> None:
        members = node.keys if isinstance(node, ast.Dict) else node.elts
        if len(members) > 2 and all(isinstance(one, ast.Constant) for one in members):
            opening, closing = self._text(node)[0], self._text(node)[-1]
            texts = (
                [
                    f"{self._text(key)}: {self._text(value)}"
                    for key, value in zip(node.keys, node.values, strict=True)
                    if key is not None
                ]
                if isinstance(node, ast.Dict)
                else [self._text(one) for one in node.elts]
            )
            for left_out in range(len(texts)):
                kept = ", ".join(text for n, text in enumerate(texts) if n != left_out)
                if opening in "({[":
                    self._add(node, f"{opening}{kept}{closing}")
        self.generic_visit(node)

    def visit_Set(self, node: ast.Set) -> None:
        self._visit_members(node)

    def visit_Tuple(self, node: ast.Tuple) -> None:
        self._visit_members(node)

    def visit_List(self, node: ast.List) -> None:
        self._visit_members(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        self._visit_members(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Leave sentences alone."""

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return  # a docstring
        if isinstance(node.value, ast.Call):
            self._add(node, "pass")
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._add(node, "pass")

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not isinstance(node.value, ast.Constant):
            self._add(node, "return None")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if all(isinstance(target, ast.Attribute) for target in node.targets):
            self._add(node, "pass")
        # What a program may import is no behaviour of it.
        bare = {"__slots__", "__all__"}
        if not any(isinstance(one, ast.Name) and one.id in bare for one in node.targets):
            self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._add(node, "pass")

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        """Leave annotations alone."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(default)
        before, self._is_in_function = self._is_in_function, True
        for statement in node.body:
            self.visit(statement)
        self._is_in_function = before

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._add(node.test, f"not ({self._text(node.test)})")
        self.generic_visit(node)


def mutations(repository: Path) -> list[Mutation]:
    """Return everything that can be mutated, each as likely to be drawn as the others."""
    found: list[Mutation] = []
    for wing in WINGS:
        for path in sorted((repository / PACKAGE / wing).rglob("*.py")):
            source = path.read_bytes()
            visitor = _Mutations(path.relative_to(repository), source)
            visitor.visit(ast.parse(source))
            found += visitor.found
    assert found
    return found


class Tests(NamedTuple):
    """Which tests there are: what each takes, and which lines of the package it reaches."""

    seconds: dict[str, float]
    reached: dict[tuple[str, int], frozenset[str]]

    def reaching(self, path: Path) -> frozenset[str]:
        """Return the tests that reach a file."""
        return frozenset().union(
            *(names for (file, _), names in self.reached.items() if file == str(path))
        )


class Clone:
    """A clone of the repository with an environment of its own.

    Args:
        folder: where it is, or will be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self) -> None:
        """Make it, and learn which tests reach which lines: one run of the suite, measured."""
        if not (self.folder / ".git").exists():
            self._call("git", "clone", "--quiet", "--local", str(REPOSITORY), ".")
        self._call("make", "install")
        self._call(str(self._python), "-m", "pip", "install", "--quiet", "pytest-cov")
        if not (self.folder / _TIMES).exists():
            measured = ["--cov=work_data_hub", "--cov-context=test", "--cov-report="]
            # What is imported before the measuring begins is warned of.
            _, said = self._run([*measured, f"--junitxml={_TIMES}", "-q", "-W", "ignore"], 3600)
            print(said.strip().splitlines()[-1], flush=True)

    @property
    def _python(self) -> Path:
        return self.folder / ".venv/bin/python"

    def _call(self, *command: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(command, cwd=self.folder, check=True, stdout=sys.stderr)

    def _run(self, arguments: Sequence[str], timeout_seconds: float) -> tuple[int, str]:
        command = [str(self._python), "-m", "pytest", "-n", str(WORKERS), *arguments]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            return -1, said
        return process.returncode, said

    def tests(self) -> Tests:
        """Return what `make` has learnt."""
        seconds = {
            f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}": float(
                case.get("time", 0)
            )
            for case in ET.parse(self.folder / _TIMES).iter("testcase")
        }
        reached: dict[tuple[str, int], set[str]] = {}
        with sqlite3.connect(self.folder / ".coverage") as connection:
            rows = connection.execute(
                "SELECT file.path, context.context, line_bits.numbits FROM line_bits"
                " JOIN file ON file.id = file_id JOIN context ON context.id = context_id"
                " WHERE context.context != ''"
            )
            for path, context, bits in rows:
                name = str(Path(path).relative_to(self.folder))
                for line in _lines_of(bits):
                    reached.setdefault((name, line), set()).add(context.rpartition("|")[0])
        connection.close()
        assert reached
        return Tests(seconds, {place: frozenset(names) for place, names in reached.items()})

    def survives(self, mutation: Mutation, chosen: Sequence[str]) -> tuple[bool, str]:
        """Whether no test notices, and what the last line of pytest says."""
        path = self.folder / mutation.path
        source = path.read_bytes()
        path.write_bytes(mutation.applied(source))
        listed = self.folder / "chosen.txt"
        listed.write_text("\n".join(chosen), encoding="utf-8")
        try:
            code, said = self._run(["-x", "-q", "--timeout=60", f"@{listed}"], 900)
        finally:
            path.write_bytes(source)
        last = said.strip().splitlines()[-1] if said.strip() else ""
        return code == 0, last


def _lines_of(bits: bytes) -> Iterator[int]:
    for number, byte in enumerate(bits):
        for bit in range(8):
            if byte & (1 << bit):
                yield number * 8 + bit


def chosen_tests(mutation: Mutation, tests: Tests) -> tuple[list[str], int]:
    """Return the tests to run, the likeliest and quickest first, and how many reach the line."""
    module = mutation.path.relative_to(PACKAGE)
    if mutation.is_of_import:  # it is run within whatever test happens to be the first
        reaching = tests.reaching(mutation.path)
    else:
        reaching = tests.reached.get((str(mutation.path), mutation.line), frozenset())
    if not reaching:  # a line that only other processes reach
        folder = f"tests/{module.parent}"
        reaching = frozenset(name for name in tests.seconds if name.startswith(folder))
    near = f"tests/{module.parent}/"
    ordered = sorted(
        reaching & tests.seconds.keys(),
        key=lambda name: (
            module.stem not in name,
            not name.startswith(near),
            tests.seconds[name],
        ),
    )
    chosen: list[str] = []
    took = 0.0
    for name in ordered:
        took += tests.seconds[name]
        if chosen and took > SECONDS_OF_TESTS:
            break
        chosen.append(name)
    return chosen, len(ordered)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw, run and write down."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=100, help="how many to draw (default: 100)")
    parser.add_argument("--seed", type=int, default=None, help="draw the same again")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / ".mutants")
    arguments = parser.parse_args(argv)
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**6)
    head = subprocess.check_output(
        ["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, text=True
    )
    clone = Clone(arguments.folder.resolve() / head.strip())
    clone.make()
    tests = clone.tests()
    every = mutations(clone.folder)
    drawn = random.Random(seed).sample(every, arguments.count)
    print(f"{len(drawn)} of {len(every)} mutations, seed {seed}", flush=True)
    survivors = []
    for number, mutation in enumerate(drawn, 1):
        chosen, reaching = chosen_tests(mutation, tests)
        started = time.monotonic()
        survived, last = clone.survives(mutation, chosen) if chosen else (True, "no test")
        word = "SURVIVED" if survived else "killed"
        took = time.monotonic() - started
        print(f"{number:3} {word:8} {took:5.0f} s  {mutation}", flush=True)
        if survived:
            survivors.append(f"- {mutation}: {len(chosen)} of {reaching} tests; {last}")
    killed = len(drawn) - len(survivors)
    print(f"\n{killed} of {len(drawn)} were killed; seed {seed}")
    print("\n".join(survivors))
    return 0


if __name__ == "__main__":
    sys.exit(main())
