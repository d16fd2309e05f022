"""Which variables of the environment an env.py sets, whatever the shell says; read as text."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator


def variables_set(source: bytes, variables: Collection[str]) -> frozenset[str]:
    """Return those of the variables that an env.py certainly sets, or removes.

    Only what it does in any case counts: what stands under a condition or in a function may be
    its way to leave alone what is set. ``load_dotenv(override=True)`` may set every one.
    """
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError):
        return frozenset()
    found = {name for node in _always_run(module.body) for name in _set_by(node, variables)}
    return frozenset(name for name in variables if name in found)


def _always_run(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.With | ast.Try):
            yield from _always_run(node.body)
        else:
            yield node


def _set_by(node: ast.stmt, variables: Iterable[str]) -> Iterable[object]:
    if isinstance(node, ast.Assign | ast.Delete):
        return [
            _value(target.slice)
            for target in node.targets
            if isinstance(target, ast.Subscript) and _last_name(target.value) == "environ"
        ]
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call):
        return ()
    if _last_name(call.func) == "load_dotenv":
        overrides = (each.value for each in call.keywords if each.arg == "override")
        return variables if any(_value(each) is not False for each in overrides) else ()
    return _updated_by(call)


def _updated_by(call: ast.Call) -> Iterable[object]:
    method = call.func
    if not isinstance(method, ast.Attribute) or _last_name(method.value) != "environ":
        return ()
    if method.attr == "pop":
        return map(_value, call.args[:1])
    if method.attr != "update":
        return ()
    given = [each for each in call.args if isinstance(each, ast.Dict)]
    written = [_value(key) for each in given for key in each.keys if key is not None]
    return [*written, *(each.arg for each in call.keywords)]


def _last_name(node: ast.expr) -> str | None:
    """Return `environ` for os.environ, and for an environ that was imported by itself."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _value(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None
