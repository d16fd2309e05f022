"""Reads a revision file as text, as far as that tells what executing it would give.

Statements of the module are followed in their order; a name that only execution could tell (a
call, an import, an assignment under a condition) is a finding, and the full path then decides.
"""

from __future__ import annotations

# Not `ast`: its own import costs as much as reading a hundred files.
import _ast
import unicodedata
import warnings

from work_data_hub.domain.revision_file import Declared, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_ILLEGAL = "@-+:"  # alembic.script.revision._revision_illegal_chars
_BY_NAME = {"exec", "eval", "globals", "locals", "vars", "setattr", "delattr"}
_BY_ATTRIBUTE = {"exec", "eval", "modules", "__dict__"}
_HINTS = ("global", ":=", "eval", "locals", "vars", "setattr", "delattr", "modules", "__dict__")
_DEFINITIONS = (_ast.FunctionDef, _ast.AsyncFunctionDef, _ast.ClassDef)
_NAMED = (*_DEFINITIONS, _ast.ExceptHandler, _ast.MatchAs, _ast.MatchStar)
_DECLARED = ("revision", "down_revision", "depends_on", "branch_labels")
_DOCSTRING = "__doc__"


def read_revision(source: bytes, path: str) -> Declared | Finding:
    """Return what the text of a revision file declares.

    Args:
        source: the file's bytes; its coding cookie and byte order mark are honoured (PEP 263).
        path: what a finding calls the file.

    Returns:
        What it declares, or the finding that it cannot be told without executing the file.
    """
    try:
        module = _parse(source)
        names = _Names()
        if _may_hide_a_change(source):
            names.distrust(module)
        names.follow(module)
        names.distrust_lists(module)
        return _declared(names)
    except _UntellableError as found:
        return Finding(found.kind, path, found.line, found.reason)


class _UntellableError(Exception):
    def __init__(self, kind: str, line: int, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.line = line
        self.reason = reason


def _parse(source: bytes) -> _ast.Module:
    try:
        # Warnings on escapes such as "\d" are for whoever compiles the file.
        with warnings.catch_warnings():
            if b"\\" in source:
                warnings.simplefilter("ignore")
            module = compile(source, "<revision>", "exec", _ast.PyCF_ONLY_AST)
    except SyntaxError as error:
        raise _UntellableError("not-python", error.lineno or 1, f"{error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise _UntellableError("not-python", 1, f"{error}") from None
    assert isinstance(module, _ast.Module)
    return module


def _may_hide_a_change(source: bytes) -> bool:
    """Whether the text must be searched for changes that the module's statements do not show.

    Python folds the compatibility forms of letters in identifiers (NFKC, PEP 3131), and a coding
    cookie may hide what the bytes spell.
    """
    cookie = b"".join(source.split(b"\n", 2)[:2]).partition(b"coding")
    if cookie[1] and not cookie[2].lstrip(b":= ").lower().startswith((b"utf-8", b"utf8")):
        return True
    text = source.decode("utf-8", "replace")
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return any(hint in text for hint in _HINTS) or "exec" in text.replace("execut", "")


class _Names:
    """The names of a module after its statements have run: a value, or why it has none."""

    def __init__(self) -> None:
        self._values: dict[str, object] = {}
        self._distrusted: dict[str, _UntellableError] = {}
        self._everything: _UntellableError | None = None
        self._lists: list[tuple[str, list[object]]] = []
        self._seen: dict[str, int] = {}

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
                self._hide_bound(node, "is imported")
            elif isinstance(node, _ast.Expr):
                if number == 0 and isinstance(node.value, _ast.Constant):
                    self._values[_DOCSTRING] = node.value.value
            else:
                self._hide_bound(node, "is set by a statement that only execution decides")

    def distrust(self, module: _ast.Module) -> None:
        """Distrust what functions and expressions may change without a statement that shows it."""
        for node in _walk(module):
            bound: list[str] = []
            if isinstance(node, _ast.Global):
                bound = node.names
            elif isinstance(node, _ast.NamedExpr):
                bound = [node.target.id]
            elif (isinstance(node, _ast.Name) and node.id in _BY_NAME) or (
                isinstance(node, _ast.Attribute) and node.attr in _BY_ATTRIBUTE
            ):
                called = node.id if isinstance(node, _ast.Name) else node.attr
                reason = f"{called} may change what the file declares"
                raise _UntellableError("computed", node.lineno, reason)
            elif isinstance(node, _ast.ImportFrom | _ast.Import):
                aliased = [alias.name for alias in node.names if alias.name in _BY_NAME | {"*"}]
                bound = [name for name in aliased if name != "*"]
                if bound:
                    reason = f"{bound[0]} may change what the file declares"
                    raise _UntellableError("computed", node.lineno, reason)
            for name in bound:
                reason = f"{name} may be changed by a function or inside an expression"
                self._distrusted[name] = _UntellableError("computed", _line(node), reason)

    def distrust_lists(self, module: _ast.Module) -> None:
        """Distrust a list that is named where it is not just assigned: it may be changed there."""
        wanted = [self._values.get(name) for name in _DECLARED]
        names = {name for name, held in self._lists if any(held is value for value in wanted)}
        if not names:
            return
        for node in _walk(module):
            if isinstance(node, _ast.Name) and node.id in names:
                self._seen[node.id] = self._seen.get(node.id, 0) - 1
                if self._seen[node.id] < 0:
                    reason = f"the list {node.id} may be changed after it was made"
                    raise _UntellableError("computed", node.lineno, reason)

    def get(self, name: str, default: object = None) -> object:
        """Return the value of a name.

        Raises:
            _UntellableError: only execution could tell.
        """
        unknown = self._distrusted.get(name)
        value = self._values.get(name, self._everything or default)
        unknown = unknown or (value if isinstance(value, _UntellableError) else None)
        if unknown is not None:
            raise _UntellableError(unknown.kind, unknown.line, unknown.reason)
        return value

    def has(self, name: str) -> bool:
        """Whether the module has the name, or may have it."""
        return name in self._values or name in self._distrusted or self._everything is not None

    def line(self, name: str) -> int:
        """Return the line where a name was set last."""
        return self._seen.get(f"line of {name}", 1)

    def _assign(self, targets: list[_ast.expr], expression: _ast.expr) -> None:
        try:
            value = self._value(expression)
        except _UntellableError as unknown:
            value = unknown
        for target in targets:
            self._bind(target, value)

    def _bind(self, target: _ast.expr, value: object) -> None:
        if isinstance(target, _ast.Name):
            if isinstance(value, _UntellableError):
                self._hide(target.id, value.line, f"needs execution: {value.reason}")
                return
            self._values[target.id] = value
            self._seen[f"line of {target.id}"] = target.lineno
            if isinstance(value, list):
                self._lists.append((target.id, value))
                self._seen[target.id] = self._seen.get(target.id, 0) + 1
        elif isinstance(target, _ast.Tuple | _ast.List) and _fits(target, value):
            assert isinstance(value, tuple | list)
            for part, item in zip(target.elts, value, strict=True):
                self._bind(part, item)
        else:
            self._hide_bound(target, "is set by a statement that only execution decides")

    def _hide(self, name: str, line: int, reason: str) -> None:
        text = f"{name} {reason}"
        self._values[name] = _UntellableError("computed", line, text)

    def _hide_bound(self, node: _ast.AST, reason: str) -> None:
        for name in _bound(node):
            if name == "*":
                self._everything = _UntellableError(
                    "computed", _line(node), "import * may set what the file declares"
                )
                # It brings no name that starts with an underscore.
                self._values = {k: v for k, v in self._values.items() if k == _DOCSTRING}
            else:
                self._hide(name, _line(node), reason)

    def _value(self, node: _ast.expr) -> object:
        """Return the value of an expression that nothing outside of the file decides."""
        if isinstance(node, _ast.Constant):
            return node.value
        if isinstance(node, _ast.Name):
            return self._named(node)
        if isinstance(node, _ast.Tuple):
            return tuple([self._value(item) for item in node.elts])
        if isinstance(node, _ast.List):
            return [self._value(item) for item in node.elts]
        if isinstance(node, _ast.JoinedStr):
            return "".join([self._part(part) for part in node.values])
        if isinstance(node, _ast.BinOp) and isinstance(node.op, _ast.Add):
            return _sum(self._value(node.left), self._value(node.right), node)
        raise _UntellableError("computed", node.lineno, _called(node))

    def _named(self, node: _ast.Name) -> object:
        if node.id not in self._values:
            reason = f"{node.id} is not set in this file"
            raise _UntellableError("computed", node.lineno, reason)
        value = self.get(node.id)
        if isinstance(value, list):
            self._seen[node.id] = self._seen.get(node.id, 0) + 1
        return value

    def _part(self, node: _ast.expr) -> str:
        """Return a part of an f-string."""
        if isinstance(node, _ast.FormattedValue):
            if node.conversion != -1 or node.format_spec is not None:
                raise _UntellableError("computed", node.lineno, "a formatted value")
            node = node.value
        value = self._value(node)
        if not isinstance(value, str):
            raise _UntellableError("computed", node.lineno, "a formatted value")
        return value


def _line(node: _ast.AST) -> int:
    return int(getattr(node, "lineno", 1))


def _fits(target: _ast.Tuple | _ast.List, value: object) -> bool:
    return (
        isinstance(value, tuple | list)
        and len(value) == len(target.elts)
        and not any(isinstance(part, _ast.Starred) for part in target.elts)
    )


def _sum(left: object, right: object, node: _ast.expr) -> object:
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, tuple) and isinstance(right, tuple):
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        return left + right
    raise _UntellableError("computed", node.lineno, "a sum of what cannot be added")


def _called(node: _ast.expr) -> str:
    """Return what a person calls this kind of expression."""
    if isinstance(node, _ast.Call):
        return "a call"
    if isinstance(node, _ast.IfExp):
        return "a condition"
    if isinstance(node, _ast.Set):
        return "a set, whose order differs from run to run"
    return "an expression"


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


def _bound(node: _ast.AST) -> Iterator[str]:
    """Yield every name that the node may set or delete; "*" when it imports all."""
    for part in _walk(node):
        if isinstance(part, _ast.Name):
            if not isinstance(part.ctx, _ast.Load):
                yield part.id
        elif isinstance(part, _ast.alias):
            yield part.asname or part.name.partition(".")[0]
        elif isinstance(part, _ast.Global):
            yield from part.names
        elif isinstance(part, _ast.MatchMapping):
            if part.rest is not None:
                yield part.rest
        elif isinstance(part, _NAMED) and part.name is not None:
            yield part.name


def _declared(names: _Names) -> Declared | Finding:
    for name in ("revision", "down_revision"):
        if not names.has(name):
            # An empty down_revision must be written too: Alembic's own template does.
            raise _UntellableError("no-revision", 1, f"it sets no {name}")
    revision = names.get("revision")
    if not isinstance(revision, str):
        raise _UntellableError("refused", names.line("revision"), "revision is no text")
    for character in _ILLEGAL:
        if character in revision:
            reason = f"Alembic allows no {character!r} in a revision id ({revision!r})"
            raise _UntellableError("refused", names.line("revision"), reason)
    parents, dependencies, labels = (_texts(names, name) for name in _DECLARED[1:])
    return Declared(revision, parents, dependencies, labels, _first_line(names))


def _texts(names: _Names, name: str) -> tuple[str, ...]:
    value = names.get(name)
    if value is None:
        return ()
    texts = tuple(value) if isinstance(value, tuple | list) else (value,)
    if not all(isinstance(text, str) for text in texts):
        raise _UntellableError("refused", names.line(name), f"{name} is no text")
    return texts


def _first_line(names: _Names) -> str:
    text = names.get(_DOCSTRING)
    lines = text.strip().splitlines() if isinstance(text, str) else []
    return lines[0] if lines else ""
