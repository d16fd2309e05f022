"""What a file imports, and which of it is a project's own code."""

from __future__ import annotations

import ast
import sys
from functools import cache
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def imported_names(path: Path) -> dict[str, int]:
    """Return the modules that a file imports, and the names that it imports from them.

    Nothing is executed. Imports inside functions count, and ``importlib.import_module`` with a
    literal.

    Returns:
        Dotted names, each with the line of its first import.
    """
    found: dict[str, int] = {}
    for line, name in sorted(_imports(ast.parse(path.read_bytes()))):
        found.setdefault(name, line)
    return found


def is_own_code(name: str, folders: Sequence[Path]) -> bool:
    """Say whether a module lives in one of a project's folders.

    A folder without ``__init__.py`` is a package only when nothing else has its name: beside an
    alembic.ini there often is a folder `alembic`, and here one `io`.

    Args:
        name: dotted.
        folders: from where the project's modules are imported.
    """
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top == "alembic":
        return False
    for folder in folders:
        if (folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file():
            return True
    return any(_holds_python(folder / top) for folder in folders) and not _is_installed(top)


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _imports_by_name(node.func) and node.args:
            match node.args[0]:
                case ast.Constant(value=str(name)):
                    yield node.lineno, name


def _imports_by_name(function: ast.expr) -> bool:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in {"import_module", "__import__"}
    return False


def _holds_python(folder: Path) -> bool:
    return folder.is_dir() and next(folder.rglob("*.py"), None) is not None


@cache
def _is_installed(top: str) -> bool:
    spec = PathFinder.find_spec(top)
    return spec is not None and spec.origin is not None


def code_folders(alembic_ini: Path) -> tuple[Path, ...]:
    """Return from where a project's own modules are imported."""
    from alembic.config import Config

    beside = alembic_ini.parent
    prepended = Config(str(alembic_ini)).get_prepend_sys_paths_list() or []
    return (beside, beside / "src", *(beside / folder for folder in prepended))
