"""The names of a module after its statements have run, as far as its syntax tree tells.

Statements are followed in their order; a name that only execution could tell (a call, an import,
an assignment under a condition) has no value here, but the line and the reason why.
"""

from __future__ import annotations

# Not `ast`: its own import costs as much as reading a hundred files.
import _ast

from work_data_hub.domain.revisions.expression import UntellableError, value_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DOCSTRING = "__doc__"
BY_NAME = {"exec", "eval", "globals", "locals", "vars", "setattr", "delattr"}
BY_ATTRIBUTE = {"exec", "eval", "modules", "__dict__"}
_DEFINITIONS = (_ast.FunctionDef, _ast.AsyncFunctionDef, _ast.ClassDef)
_NAMED = (*_DEFINITIONS, _ast.ExceptHandler, _ast.MatchAs, _ast.MatchStar)


class ModuleNames:
    """The names of a module after its statements have run: a value, or why it has none."""

    def __init__(self) -> None:
        self._values: dict[str, object] = {DOCSTRING: None}
        self._distrusted: dict[str, UntellableError] = {}
        self._everything: UntellableError | None = None
        self._lists: list[tuple[str, list[object]]] = []
        # How often a list is named where it is just assigned.
        self._assignments: dict[str, int] = {}
        self._lines: dict[str, int] = {}

    def follow(self, module: _ast.Module) -> None:
        """Take the statements of the module in their order."""
        for number, node in enumerate(module.body):
            if isinstance(node, _ast.Assign):
                self._assign(node.targets, node.value)
            elif isinstance(node, _ast.AnnAssign):
                if node.value is not None:
                    self._assign([node.target], node.value)
            elif isinstance(node, _DEFINITIONS):
                self._hide(node.name, node.lineno, "is a function or a class")
            elif isinstance(node, _ast.Import | _ast.ImportFrom):
                self._hide_bound(node, "is imported", *node.names)
            elif isinstance(node, _ast.Expr):
                if number == 0 and isinstance(node.value, _ast.Constant):
                    self._values[DOCSTRING] = node.value.value
            else:
                self._hide_bound(node, "is set by a statement that only execution decides")

    def distrust(self, module: _ast.Module) -> None:
        """Distrust what functions and expressions may change without a statement that shows it."""
        from work_data_hub.domain.revisions.uncalled_functions import executed_statements

        executed = {id(each) for part in executed_statements(module, _walk) for each in _walk(part)}
        for node in _walk(module):
            bound: list[str] = []
            if isinstance(node, _ast.Global):
                bound = node.names
            elif isinstance(node, _ast.NamedExpr):
                bound = [node.target.id]
            elif id(node) not in executed:
                continue
            elif (isinstance(node, _ast.Name) and node.id in BY_NAME) or (
                isinstance(node, _ast.Attribute) and node.attr in BY_ATTRIBUTE
            ):
                called = node.id if isinstance(node, _ast.Name) else node.attr
                reason = f"{called} may change what the file declares"
                raise UntellableError("computed", node.lineno, reason)
            elif isinstance(node, _ast.ImportFrom | _ast.Import):
                aliased = [alias.name for alias in node.names if alias.name in BY_NAME | {"*"}]
                bound = [name for name in aliased if name != "*"]
                if bound:
                    reason = f"{bound[0]} may change what the file declares"
                    raise UntellableError("computed", node.lineno, reason)
            for name in bound:
                reason = f"{name} may be changed by a function or inside an expression"
                self._distrusted[name] = UntellableError("computed", _line(node), reason)

    def distrust_lists(self, module: _ast.Module, wanted: Iterable[str]) -> None:
        """Distrust a list that is named where it is not just assigned: it may be changed there."""
        values = [self._values.get(name) for name in wanted]
        names = {name for name, held in self._lists if any(held is value for value in values)}
        if not names:
            return
        lines: dict[str, list[int]] = {name: [] for name in names}
        for node in _walk(module):
            if isinstance(node, _ast.Name) and node.id in names:
                lines[node.id].append(node.lineno)
        for name, found in lines.items():
            if len(found) > self._assignments[name]:
                reason = f"the list {name} may be changed after it was made"
                raise UntellableError("computed", max(found), reason)

    def get(self, name: str, default: object = None) -> object:
        """Return the value of a name.

        Raises:
            UntellableError: only execution could tell.
        """
        unknown = self._distrusted.get(name)
        value = self._values.get(name, self._everything or default)
        unknown = unknown or (value if isinstance(value, UntellableError) else None)
        if unknown is not None:
            raise UntellableError(unknown.code, unknown.line, unknown.reason)
        return value

    def has(self, name: str) -> bool:
        """Whether the module has the name, or may have it."""
        return name in self._values or name in self._distrusted or self._everything is not None

    def line(self, name: str) -> int:
        """Return the line where a name was set last."""
        return self._lines.get(name, 1)

    def _assign(self, targets: list[_ast.expr], expression: _ast.expr) -> None:
        try:
            value = value_of(expression, self._named)
        except UntellableError as unknown:
            value = unknown
        for target in targets:
            self._bind(target, value)

    def _bind(self, target: _ast.expr, value: object) -> None:
        if isinstance(target, _ast.Name):
            if isinstance(value, UntellableError):
                self._hide(target.id, value.line, f"needs execution: {value.reason}")
                return
            self._values[target.id] = value
            self._lines[target.id] = target.lineno
            if isinstance(value, list):
                self._lists.append((target.id, value))
                self._count(target.id)
        elif isinstance(target, _ast.Tuple | _ast.List) and _fits(target, value):
            assert isinstance(value, tuple | list)
            for part, item in zip(target.elts, value, strict=True):
                self._bind(part, item)
        else:
            self._hide_bound(target, "is set by a statement that only execution decides")

    def _hide(self, name: str, line: int, reason: str) -> None:
        text = f"{name} {reason}"
        self._values[name] = UntellableError("computed", line, text)

    def _hide_bound(self, node: _ast.AST, reason: str, *aliases: _ast.alias) -> None:
        for name in map(_imported, aliases) if aliases else _bound(node):
            if name == "*":
                self._everything = UntellableError(
                    "computed", _line(node), "import * may set what the file declares"
                )
                # It brings no name that starts with an underscore.
                self._values = {k: v for k, v in self._values.items() if k == DOCSTRING}
            else:
                self._hide(name, _line(node), reason)

    def _named(self, node: _ast.Name) -> object:
        if node.id not in self._values:
            reason = f"{node.id} is not set in this file"
            raise UntellableError("computed", node.lineno, reason)
        try:
            value = self.get(node.id)
        except UntellableError as unknown:
            raise UntellableError("computed", node.lineno, unknown.reason) from None
        if isinstance(value, list):
            self._count(node.id)
        return value

    def _count(self, name: str) -> None:
        self._assignments[name] = self._assignments.get(name, 0) + 1


def _line(node: _ast.AST) -> int:
    return int(getattr(node, "lineno", 1))


def _fits(target: _ast.Tuple | _ast.List, value: object) -> bool:
    return (
        isinstance(value, tuple | list)
        and len(value) == len(target.elts)
        and not any(isinstance(part, _ast.Starred) for part in target.elts)
    )


def _walk(node: _ast.AST) -> Iterator[_ast.AST]:
    """Yield the node and all below it."""
    todo: list[object] = [node]
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, _ast.AST):
            yield item
            todo.extend(getattr(item, name, None) for name in item._fields)


def _imported(alias: _ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _bound(node: _ast.AST) -> Iterator[str]:
    """Yield every name that the node may set or delete; "*" when it imports all."""
    for part in _walk(node):
        if isinstance(part, _ast.Name):
            if not isinstance(part.ctx, _ast.Load):
                yield part.id
        elif isinstance(part, _ast.alias):
            yield _imported(part)
        elif isinstance(part, _ast.Global):
            yield from part.names
        elif isinstance(part, _ast.MatchMapping):
            if part.rest is not None:
                yield part.rest
        elif isinstance(part, _NAMED) and part.name is not None:
            yield part.name
