"""The checksum of what a revision means, not of how it is written.

Comments, docstrings, formatting, annotations, the order of imports and imports that nothing uses
change nothing; every other change does. The dump is our own because that of ``ast.dump`` differs
between versions of Python (3.12 added ``type_params``, 3.13 leaves out empty fields).
"""

from __future__ import annotations

import ast
import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEME = "1"
_IGNORED_FIELDS = {"ctx", "kind", "type_comment", "type_params", "annotation", "returns", "simple"}
_Meaning = list[Any] | str


def checksum(source: str) -> str:
    """Return the checksum of a revision's meaning: a scheme, a colon, and 32 hex digits.

    Raises:
        SyntaxError: the source is not Python.
    """
    meaning = json.dumps(_module(ast.parse(source)), ensure_ascii=True, separators=(",", ":"))
    return f"{SCHEME}:{hashlib.sha256(meaning.encode()).hexdigest()[:32]}"


def digest(source: bytes) -> str:
    """Return the SHA-256 of the text: equal text needs no second look at its meaning."""
    return hashlib.sha256(source).hexdigest()


def _module(tree: ast.Module) -> list[_Meaning]:
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    rest = [node for node in _without_docstring(tree.body) if node not in imports]
    body = [_meaning(node) for node in rest]
    used = set(_names(body))
    return [*sorted(_imported(imports, used)), *body]


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


def _names(meaning: Any) -> Iterator[str]:
    if not isinstance(meaning, list):
        return
    if len(meaning) == 2 and meaning[0] == "Name":
        yield meaning[1][1]
        return
    for part in meaning:
        yield from _names(part)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        return body[1:] if isinstance(body[0].value.value, str) else body
    return body


def _meaning(value: Any) -> Any:
    if isinstance(value, list):
        return [_meaning(item) for item in value]
    if not isinstance(value, ast.AST):
        return repr(value)
    if isinstance(value, ast.JoinedStr):  # 3.12.0 and 3.12.1 add empty strings
        value = ast.JoinedStr([part for part in value.values if not _is_empty_string(part)])
    if isinstance(value, ast.AnnAssign) and value.value is not None:
        return ["Assign", ["targets", [_meaning(value.target)]], ["value", _meaning(value.value)]]
    return [type(value).__name__, *_fields(value)]


def _is_empty_string(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def _fields(node: ast.AST) -> Iterator[list[Any]]:
    for name, value in ast.iter_fields(node):
        if name in _IGNORED_FIELDS or value is None or value == []:
            if isinstance(node, ast.Constant) and name == "value":
                yield [name, "None"]
            continue
        if name == "body" and isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ):
            yield [name, _body(value)]
        elif isinstance(node, ast.Name):
            yield [name, value]
        else:
            yield [name, _meaning(value)]


def _body(statements: list[ast.stmt]) -> list[Any]:
    """Return a body without its docstring; `pass` says nothing beside other statements."""
    meant = [node for node in _without_docstring(statements) if not isinstance(node, ast.Pass)]
    return [_meaning(node) for node in meant]
