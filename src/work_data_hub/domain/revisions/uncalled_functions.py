"""The functions that nothing calls while a module is loaded: what they hold is not executed."""

from __future__ import annotations

import _ast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_FUNCTIONS = (_ast.FunctionDef, _ast.AsyncFunctionDef)


def executed_statements(
    module: _ast.Module, walk: Callable[[_ast.AST], Iterable[_ast.AST]]
) -> list[_ast.AST]:
    """Return the parts of a module that may be executed while it is loaded.

    Those are all but the bodies of its functions, where nothing else names one of these; a
    decorator may call what it is given, and Python calls a name with two underscores itself.

    Args:
        module: its syntax tree.
        walk: yields the nodes of a tree, as ``ast.walk`` does.
    """
    functions = [node for node in module.body if isinstance(node, _FUNCTIONS)]
    outside = [part for node in module.body for part in _outside(node)]
    names = {node.name for node in functions}
    is_called = any(node.decorator_list or node.name.startswith("__") for node in functions) or any(
        isinstance(each, _ast.Name) and each.id in names for part in outside for each in walk(part)
    )
    return [module] if is_called else outside


def _outside(node: _ast.stmt) -> Iterator[_ast.AST]:
    """Yield what of a statement is executed with the module: of a function not its body."""
    if isinstance(node, _FUNCTIONS):
        yield node.args
        if node.returns is not None:
            yield node.returns
    else:
        yield node
