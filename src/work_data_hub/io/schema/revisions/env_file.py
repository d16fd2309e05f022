"""What an env.py does, read as text: does it hand over to the package and do nothing else?"""

from __future__ import annotations

# Not `ast`: its own import costs as much as the question to the database.
import _ast
from typing import NamedTuple

_RUN = "work_data_hub.io.schema.environment.run"
_CONTEXT = "alembic.context"
_OURS = ("alembic", "sqlalchemy", "work_data_hub", "__future__")


class EnvFile(NamedTuple):
    """An env.py that imports, and then calls ``run(context, target_metadata=...)``.

    Attributes:
        imports_foreign_code: whether it imports what may change the environment, such as a
            package that reads a ``.env`` of its own.
    """

    imports_foreign_code: bool


def read_env_file(source: bytes) -> EnvFile | None:
    """Return what an env.py does; None when only executing it could tell."""
    try:
        module = compile(source, "env.py", "exec", _ast.PyCF_ONLY_AST)
    except (SyntaxError, ValueError):
        return None
    assert isinstance(module, _ast.Module)
    body = module.body
    if body and _is_text(body[0]):
        body = body[1:]
    bound: dict[str, str] = {}
    for statement in body[:-1]:
        names = _imported(statement)
        if names is None:
            return None
        bound.update(names)
    if not body or not _hands_over(body[-1], bound):
        return None
    return EnvFile(any(name.split(".")[0] not in _OURS for name in bound.values()))


def _is_text(node: _ast.stmt) -> bool:
    return isinstance(node, _ast.Expr) and isinstance(node.value, _ast.Constant)


def _imported(node: _ast.stmt) -> dict[str, str] | None:
    """Return the names that an import binds, and what they mean; None for another statement."""
    if isinstance(node, _ast.Import):
        # `import a.b` binds a.
        return {
            one.asname or one.name.split(".")[0]: one.name if one.asname else one.name.split(".")[0]
            for one in node.names
        }
    if not isinstance(node, _ast.ImportFrom) or any(one.name == "*" for one in node.names):
        return None
    module = "." * node.level + (node.module or "")
    return {one.asname or one.name: f"{module}.{one.name}" for one in node.names}


def _hands_over(node: _ast.stmt, bound: dict[str, str]) -> bool:
    """Whether a statement is the call of ``run`` with nothing that would change the run."""
    call = node.value if isinstance(node, _ast.Expr) else None
    return (
        isinstance(call, _ast.Call)
        and _meaning(call.func, bound) == _RUN
        and [_meaning(argument, bound) for argument in call.args] == [_CONTEXT]
        and all(_is_metadata(keyword) for keyword in call.keywords)
    )


def _meaning(node: _ast.expr, bound: dict[str, str]) -> str | None:
    """Return the dotted name of what an expression means, where imports tell."""
    if isinstance(node, _ast.Name):
        return bound.get(node.id)
    if isinstance(node, _ast.Attribute):
        owner = _meaning(node.value, bound)
        return None if owner is None else f"{owner}.{node.attr}"
    return None


def _is_metadata(keyword: _ast.keyword) -> bool:
    """Whether it passes the tables to compare with, by name: a call could do anything."""
    value: object = keyword.value
    while isinstance(value, _ast.Attribute):
        value = value.value
    is_named = isinstance(value, _ast.Name) or (
        isinstance(value, _ast.Constant) and value.value is None
    )
    return keyword.arg == "target_metadata" and is_named
