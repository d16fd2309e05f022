"""No room, class or function grows until nobody reads it whole."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parents[1] / "src/work_data_hub"
FUNCTION, CLASS, PARAMETERS, MODULE = 40, 150, 6, 410
"""Lines, but for the parameters of a constructor; a module is usually under 300."""


def too_big(source: str) -> Iterator[str]:
    """Yield what is, in the text of a module."""
    if (lines := source.count("\n")) > MODULE:
        yield f"{lines} lines"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > (CLASS if isinstance(node, ast.ClassDef) else FUNCTION):
                yield f"{node.name}: {lines} lines"
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            parameters = len([*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]) - 1
            if parameters > PARAMETERS:
                yield f"line {node.lineno}: {parameters} parameters"


def test_nothing_is_too_big() -> None:
    rooms = sorted(PACKAGE.rglob("*.py"))
    assert len(rooms) > 200
    assert [
        f"{room.relative_to(PACKAGE)}: {what}"
        for room in rooms
        for what in too_big(room.read_text(encoding="utf-8"))
    ] == []


def test_what_is_too_big_is_found() -> None:
    body = "\n        ".join(["pass"] * 41)
    assert list(too_big(f"class A:\n    def f(self):\n        {body}\n")) == ["f: 42 lines"]
    members = "\n".join(f"    a{number} = 1" for number in range(150))
    assert list(too_big(f"class A:\n{members}\n")) == ["A: 151 lines"]
    many = "class A:\n    def __init__(self, a, b, c, *, d, e, f, g): ...\n"
    assert list(too_big(many)) == ["line 2: 7 parameters"]
    assert list(too_big("\n" * 411)) == ["411 lines"]
