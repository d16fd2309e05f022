"""What the run of an env.py passes on, written as it means the same at the end of the module."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

from work_data_hub.domain.project.env_syntax import bound, used

if TYPE_CHECKING:
    from work_data_hub.domain.project.env_syntax import EnvModule

_BLOCKS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Values:
    """The values of one env.py.

    Args:
        env: its statements.

    Attributes:
        lifted: functions that stand inside of those that run the migrations, and are needed.
    """

    def __init__(self, env: EnvModule) -> None:
        self._env = env
        self._locals = _locals(env)
        self.lifted: dict[str, ast.stmt] = {}

    def local(self, name: str) -> list[ast.AST | None]:
        """Return what a name of the running functions is set to; None: something else binds it."""
        return self._locals.get(name, [])

    def outside(self, value: ast.expr) -> ast.expr | None:
        """Return a value without names of the running functions; None where that cannot be."""
        for _ in range(10):  # a name that is set to another one, and so on
            missing = self._missing(value)
            if not missing:
                return value
            replaced = {name: self._single(name) for name in missing}
            if None in replaced.values():
                return None
            for name, node in replaced.items():
                if isinstance(node, ast.stmt):
                    self.lifted[name] = node
            value = _Replacing(replaced).visit(ast.parse(ast.unparse(value), mode="eval").body)
        return None

    def _missing(self, value: ast.AST) -> set[str]:
        known = {*self._env.bindings, *dir(builtins), *self.lifted, self._env.context}
        own = {each.arg for each in ast.walk(value) if isinstance(each, ast.arg)}
        own |= {
            each.id
            for each in ast.walk(value)
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
        }
        return used([value]) - own - known

    def _single(self, name: str) -> ast.AST | None:
        found = self.local(name)
        if len(found) != 1:
            return None
        node = found[0]
        if isinstance(node, _BLOCKS) and self._missing(node):
            return None
        return node


class _Replacing(ast.NodeTransformer):
    def __init__(self, values: dict[str, ast.AST | None]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.AST:  # ast's own word
        value = self._values.get(node.id)
        return value if isinstance(value, ast.expr) else node


def _locals(env: EnvModule) -> dict[str, list[ast.AST | None]]:
    """Return what binds a name in the statements that run the migrations."""
    found: dict[str, list[ast.AST | None]] = {}
    tops = set(map(id, env.running))
    for node in (each for top in env.running for each in ast.walk(top)):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                is_plain = isinstance(target, ast.Name)
                for name in bound(ast.Expr(target)):
                    found.setdefault(name, []).append(node.value if is_plain else None)
        elif isinstance(node, _BLOCKS):
            if id(node) not in tops:
                found.setdefault(node.name, []).append(node)
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    found.setdefault(argument.arg, []).append(None)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            for name in bound(ast.Expr(node.optional_vars)):
                found.setdefault(name, []).append(None)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.AugAssign | ast.NamedExpr):
            for name in bound(ast.Expr(node.target)):
                found.setdefault(name, []).append(None)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for name in bound(node):
                found.setdefault(name, []).append(None)
    return found
