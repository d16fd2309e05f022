"""An env.py as a syntax tree: which statements run the migrations, and what binds which name."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

from work_data_hub.domain.project.env_file import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LIBRARIES = frozenset({*OURS, "asyncio", *sys.stdlib_module_names})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_RUNS = {"configure", "run_migrations", "begin_transaction"}


class EnvModule:
    """The statements of an env.py.

    Args:
        module: its syntax tree.

    Attributes:
        body: its statements.
        context: the name that it gives to ``alembic.context``.
        running: the statements that run the migrations; the package does that in their place.
        functions: the names of the functions among them.
        bindings: which of the other statements bind a name.
    """

    def __init__(self, module: ast.Module) -> None:
        self.body = module.body
        self.context = _name_of_context(module)
        self.running = self._running()
        self.functions = _function_names(self.running)
        others = [node for node in self.body if node not in self.running]
        self.bindings: dict[str, list[ast.stmt]] = {}
        for node in others:
            for name in bound(node):
                self.bindings.setdefault(name, []).append(node)

    @property
    def configures(self) -> list[ast.Call]:
        """The calls of ``context.configure``."""
        return [call for call in calls(self.body) if self.is_of_context(call, {"configure"})]

    def is_of_context(self, call: ast.Call, methods: set[str]) -> bool:
        """Whether a call is of one of these functions of ``alembic.context``."""
        name, _, method = called(call).rpartition(".")
        return name == self.context and method in methods

    def imported_from(self, name: str) -> str | None:
        """Return the top package from which a name is imported, "" for a relative import."""
        for node in self.bindings.get(name, ()):
            if isinstance(node, ast.ImportFrom):
                return "" if node.level else (node.module or "").split(".")[0]
            if isinstance(node, ast.Import):
                return next(
                    one.name.split(".")[0]
                    for one in node.names
                    if name == (one.asname or one.name.split(".")[0])
                )
        return None

    def is_of_library(self, name: str) -> bool:
        """Whether a name is imported from Alembic, SQLAlchemy or Python itself."""
        return self.imported_from(name) in LIBRARIES

    def _running(self) -> list[ast.stmt]:
        """Return what calls Alembic, and what uses a function that does."""
        running = [
            node
            for node in self.body
            if any(self.is_of_context(call, _RUNS) for call in calls([node]))
        ]
        while True:
            names = _function_names(running)
            more = [node for node in self.body if node not in running and names & used([node])]
            if not more:
                return [node for node in self.body if node in running]
            running += more


def calls(nodes: Iterable[ast.AST]) -> Iterator[ast.Call]:
    """Yield the calls in statements or expressions."""
    for node in nodes:
        for each in ast.walk(node):
            if isinstance(each, ast.Call):
                yield each


def called(call: ast.Call) -> str:
    """Return what is called, as it is written: ``context.configure``."""
    return ast.unparse(call.func)


def keywords(call: ast.Call) -> dict[str, ast.expr]:
    """Return what a call passes by name, without ``**``."""
    return {each.arg: each.value for each in call.keywords if each.arg is not None}


def bound(node: ast.stmt) -> set[str]:
    """Return the names that a statement of the module binds."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {one.asname or one.name.split(".")[0] for one in node.names}
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    inner = [each for each in ast.walk(node) if isinstance(each, ast.Import | ast.ImportFrom)]
    return {name for each in inner for name in bound(each)} | {
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }


def used(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that are read in statements or expressions."""
    return {
        each.id
        for node in nodes
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)
    }


def shown(node: ast.AST) -> str:
    """Return the first line of code, cut to what a terminal's line has room for."""
    line = ast.unparse(node).splitlines()[0]
    return line if len(line) <= 70 else f"{line[:67]}..."


def _function_names(nodes: Iterable[ast.stmt]) -> set[str]:
    return {node.name for node in nodes if isinstance(node, _FUNCTIONS)}


def _name_of_context(module: ast.Module) -> str:
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and node.module == "alembic":
            for one in node.names:
                if one.name == "context":
                    return one.asname or one.name
    return "context"
