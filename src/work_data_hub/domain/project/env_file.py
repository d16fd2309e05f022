"""What an env.py does, read as text: does it hand over to the package, and does it nothing else?"""

from __future__ import annotations

# Not `ast`: its own import costs as much as the question to the database.
import _ast
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

ENVIRONMENT = "work_data_hub.io.schema.environment"
OURS = ("alembic", "sqlalchemy", "work_data_hub", "__future__")
_RUN = f"{ENVIRONMENT}.run"
_CONTEXT = "alembic.context"


class EnvFile(NamedTuple):
    """What an env.py does, as far as its text tells.

    Attributes:
        hands_over: whether it uses the package's ``run``, however it comes by it.
        does_nothing_else: whether it imports, and then calls ``run(context, target_metadata=...)``.
        imports_foreign_code: whether it imports what may change the environment, such as a
            package that reads a ``.env`` of its own.
    """

    hands_over: bool
    does_nothing_else: bool
    imports_foreign_code: bool


def read_env_file(source: bytes) -> EnvFile:
    """Return what an env.py does; what is no Python hands nothing over."""
    try:
        module = compile(source, "env.py", "exec", _ast.PyCF_ONLY_AST)
    except (SyntaxError, ValueError):
        return EnvFile(hands_over=False, does_nothing_else=False, imports_foreign_code=False)
    assert isinstance(module, _ast.Module)
    body = module.body[1:] if module.body and _is_text(module.body[0]) else module.body
    bound = _bound(body)
    is_plain = bool(body) and all(map(_only_imports, body[:-1])) and _hands_over(body[-1], bound)
    return EnvFile(
        hands_over=is_plain or _uses_run(module),
        does_nothing_else=is_plain,
        imports_foreign_code=any(name.split(".")[0] not in OURS for name in bound.values()),
    )


def _is_text(node: _ast.stmt) -> bool:
    return isinstance(node, _ast.Expr) and isinstance(node.value, _ast.Constant)


def _only_imports(node: _ast.stmt) -> bool:
    """Whether a statement imports names that can be read in it."""
    return isinstance(node, _ast.Import | _ast.ImportFrom) and "*" not in _bound([node])


def _bound(nodes: Iterable[_ast.AST]) -> dict[str, str]:
    """Return the names that imports bind, and what they mean."""
    bound = {}
    for node in nodes:
        if isinstance(node, _ast.Import):
            for one in node.names:  # `import a.b` binds a
                name = one.name if one.asname else one.name.split(".")[0]
                bound[one.asname or name] = name
        elif isinstance(node, _ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            bound.update({one.asname or one.name: f"{module}.{one.name}" for one in node.names})
    return bound


def _uses_run(module: _ast.Module) -> bool:
    from ast import walk  # not needed where the file does nothing else

    nodes = list(walk(module))
    # Each import for itself: one under a condition may bind the name of another.
    imports = [_bound([node]) for node in nodes if isinstance(node, _ast.Import | _ast.ImportFrom)]
    return any(_meaning(node, bound) == _RUN for bound in imports for node in nodes)


def _hands_over(node: _ast.stmt, bound: dict[str, str]) -> bool:
    """Whether a statement is the call of ``run`` with nothing that would change the run."""
    call = node.value if isinstance(node, _ast.Expr) else None
    return (
        isinstance(call, _ast.Call)
        and _meaning(call.func, bound) == _RUN
        and [_meaning(argument, bound) for argument in call.args] == [_CONTEXT]
        and all(_is_metadata(keyword) for keyword in call.keywords)
    )


def _meaning(node: _ast.AST, bound: dict[str, str]) -> str | None:
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
