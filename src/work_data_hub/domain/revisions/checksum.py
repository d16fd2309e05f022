"""The checksum of what a revision means, not of how it is written.

Comments, docstrings, formatting, annotations, the order of imports and imports that nothing uses
change nothing; every other change does. The dump is our own because that of ``ast.dump`` differs
between versions of Python (3.12 added ``type_params``, 3.13 leaves out empty fields).
"""

from __future__ import annotations

import ast
import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEME = "1"
_IGNORED_FIELDS = {"ctx", "kind", "type_comment", "type_params", "annotation", "returns", "simple"}
_shapes: dict[type, tuple[str, tuple[tuple[str, str], ...]]] = {}


def checksum(source: str) -> str:
    """Return the checksum of a revision's meaning: a scheme, a colon, and 32 hex digits.

    Raises:
        SyntaxError: the source is not Python.
    """
    body = ast.parse(source).body
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    writer = _Writer()
    for node in _meant(body):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            writer.write(node)
    meaning = "\n".join([*sorted(_imported(imports, writer.names)), "".join(writer.parts)])
    return f"{SCHEME}:{hashlib.sha256(meaning.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


class _Writer:
    """Writes a tree as text without what means nothing; notes the names that it uses.

    It runs for each revision of an upgrade, so it looks up what it needs of a class once.
    """

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.names: set[str] = set()

    def write(self, value: Any) -> None:
        kind = type(value)
        if kind is list:
            self.parts.append("[")
            for item in value:
                self.write(item)
            self.parts.append("]")
        elif kind in _shapes or isinstance(value, ast.AST):
            self._write_node(value, kind)
        else:
            self.parts.append(f"{value!r},")

    def _write_node(self, node: Any, kind: type[ast.AST]) -> None:
        if kind is ast.Name:
            self.names.add(node.id)
        elif kind is ast.AnnAssign and node.value is not None:
            node, kind = ast.Assign([node.target], node.value), ast.Assign
        opening, fields = _shapes.get(kind) or _shape(kind)
        self.parts.append(opening)
        for name, label in fields:
            value = getattr(node, name, None)
            if kind is ast.Constant or (value is not None and value != []):
                self.parts.append(label)
                self.write(_meant(value) if name == "body" or kind is ast.JoinedStr else value)
        self.parts.append(")")


def _shape(kind: type[ast.AST]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return how a class is written: its opening, and the fields that mean something."""
    meant = tuple((name, f"{name}=") for name in kind._fields if name not in _IGNORED_FIELDS)
    _shapes[kind] = f"{kind.__name__}(", meant
    return _shapes[kind]


def _meant(part: Any) -> Any:
    """Return a body without its docstring and `pass`, and a string without its empty parts.

    (3.12.0 and 3.12.1 add empty strings to the values of an f-string.)
    """
    if not isinstance(part, list):
        return part
    without = part[1:] if part and _is_text(part[0]) else part
    return [node for node in without if not isinstance(node, ast.Pass) and not _is_empty(node)]


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_empty(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def _imported(imports: list[ast.Import | ast.ImportFrom], used: set[str]) -> Iterator[str]:
    """Yield every imported name that is used, one a line, whatever the lines were."""
    for node in imports:
        origin = (
            f"{'.' * node.level}{node.module or ''}:" if isinstance(node, ast.ImportFrom) else ""
        )
        for alias in node.names:
            bound = alias.asname or alias.name.split(".")[0]
            if bound in used or alias.name == "*":
                yield f"{origin}{alias.name} as {bound}"
