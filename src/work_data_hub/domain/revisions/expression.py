"""The value of an expression in a revision file, where its syntax tree tells it."""

from __future__ import annotations

# Not `ast`: its own import costs as much as reading a hundred files.
import _ast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Named = Callable[[_ast.Name], object]


class UntellableError(Exception):
    """Only execution could tell.

    Attributes:
        code: that of the ``Finding``.
        line: 1-based.
        reason: what was found.
    """

    def __init__(self, code: str, line: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.line = line
        self.reason = reason


def value_of(node: _ast.expr, named: Named) -> object:
    """Return the value of an expression that nothing outside of the file decides.

    Args:
        node: the expression.
        named: gives the value of a name in it.

    Raises:
        UntellableError: only execution could tell.
    """
    if isinstance(node, _ast.Constant):
        return node.value
    if isinstance(node, _ast.Name):
        return named(node)
    if isinstance(node, _ast.Tuple):
        return tuple([value_of(item, named) for item in node.elts])
    if isinstance(node, _ast.List):
        return [value_of(item, named) for item in node.elts]
    if isinstance(node, _ast.JoinedStr):
        return "".join([_part(part, named) for part in node.values])
    if isinstance(node, _ast.BinOp) and isinstance(node.op, _ast.Add):
        return _sum(node, named)
    raise UntellableError("computed", node.lineno, _called(node))


def _sum(node: _ast.expr, named: Named) -> object:
    # No recursion: a text may be joined of hundreds, each of them in the left of the next.
    sums: list[_ast.BinOp] = []
    while isinstance(node, _ast.BinOp) and isinstance(node.op, _ast.Add):
        sums.append(node)
        node = node.left
    value = value_of(node, named)
    for each in reversed(sums):
        value = _added(value, value_of(each.right, named), each)
    return value


def _part(node: _ast.expr, named: Named) -> str:
    """Return a part of an f-string."""
    if isinstance(node, _ast.FormattedValue):
        if node.conversion != -1 or node.format_spec is not None:
            raise UntellableError("computed", node.lineno, "a formatted value")
        node = node.value
    value = value_of(node, named)
    if not isinstance(value, str):
        raise UntellableError("computed", node.lineno, "a formatted value")
    return value


def _added(left: object, right: object, node: _ast.expr) -> object:
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, tuple) and isinstance(right, tuple):
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        return left + right
    raise UntellableError("computed", node.lineno, "a sum of what cannot be added")


def _called(node: _ast.expr) -> str:
    """Return what a person calls this kind of expression."""
    if isinstance(node, _ast.Call):
        return "a call"
    if isinstance(node, _ast.IfExp):
        return "a condition"
    if isinstance(node, _ast.Set):
        return "a set, whose order differs from run to run"
    return "an expression"
