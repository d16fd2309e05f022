"""Makes an env.py of the standard shape hand over to the package, and keeps what is the project's.

Kept are the metadata and the options that are passed to ``context.configure``, with the imports,
assignments and functions that they need; and every import of the project's own code, which may be
what fills the metadata.
"""

from __future__ import annotations

import ast
import builtins
import io
import re
import sys
import tokenize
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.project.env_file import ENVIRONMENT, OURS

if TYPE_CHECKING:
    from collections.abc import Iterable

# What `environment.run` decides; a project that passed it would leave the guarded run.
DECIDED_OPTIONS = frozenset(
    {
        "as_sql",
        "connection",
        "dialect_name",
        "dont_mutate",
        "fn",
        "on_version_apply",
        "purge",
        "transaction_per_migration",
        "transactional_ddl",
        "url",
    }
)
_SAID_ANYWAY = {"literal_binds", "dialect_opts"}
_METADATA = "target_metadata"
_HEAD = '"""Hand Alembic\'s context to the package, where every guarantee lives."""'
_LIBRARIES = {*OURS, *sys.stdlib_module_names}


class EnvRewrite(NamedTuple):
    """What an env.py becomes.

    Attributes:
        text: the new file.
        carried: what was taken over, in words.
        left: what was not, each with its line: for a person to look at.
    """

    text: str
    carried: tuple[str, ...]
    left: tuple[str, ...]


class UnusualEnvError(Exception):
    """An env.py that cannot be replaced; its text says why."""


def new_env() -> str:
    """Return the env.py of a project that has no tables in code yet."""
    return rewrite_env(b"from alembic import context\ncontext.configure(target_metadata=None)").text


def rewrite_env(source: bytes) -> EnvRewrite:
    """Return what an env.py of the standard shape becomes.

    Raises:
        UnusualEnvError: it is not of that shape, or serves several databases.
    """
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise UnusualEnvError(f"it is not Python: {error}") from None
    calls = [node for node in ast.walk(module) if _is_configure(node)]
    if not calls:
        raise UnusualEnvError("it does not call context.configure")
    if _serves_several_databases(module, calls):
        raise UnusualEnvError("it serves several databases, and the package guards one at a time")
    text = source.decode(tokenize.detect_encoding(io.BytesIO(source).readline)[0])
    return _Rewriting(module, calls, re.split(r"\r\n|\r|\n", text)).result()  # type: ignore[arg-type]  # all are calls


class _Rewriting:
    """One env.py on its way."""

    def __init__(self, module: ast.Module, calls: list[ast.Call], lines: list[str]) -> None:
        self._module = module
        self._lines = lines
        self._bindings = {name: node for node in module.body for name in _bound(node)}
        self._left: list[tuple[int, str]] = []
        self._options: dict[str, ast.expr] = {}
        # What the connected run passes goes before what `--sql` passes.
        for call in sorted(calls, key=lambda call: "connection" in _keywords(call)):
            self._take_options(call)

    def result(self) -> EnvRewrite:
        kept = self._kept()
        self._name_what_is_left(kept)
        alias = "run" if "run" not in self._bound_by(kept) else "run_guarded"
        imported = "run" if alias == "run" else f"run as {alias}"
        lines = [
            _HEAD,
            "",
            "from alembic import context",
            f"from {ENVIRONMENT} import {imported}",
            "",
        ]
        was_import = True
        for node in kept:
            is_import = isinstance(node, ast.Import | ast.ImportFrom)
            if not (is_import and was_import):
                lines.append("")
            was_import = is_import
            lines.append(self._written(node))
        lines += [""] if kept else []
        arguments = [f"{name}={ast.unparse(value)}" for name, value in self._passed().items()]
        lines.append(_call(alias, ["context", *arguments]))
        carried = (*arguments, *(ast.unparse(node).splitlines()[0] for node in kept))
        left = tuple(f"line {line}: {text}" for line, text in sorted(set(self._left)))
        return EnvRewrite("\n".join(lines) + "\n", carried, left)

    def _take_options(self, call: ast.Call) -> None:
        for name, value in _keywords(call).items():
            if name in DECIDED_OPTIONS | _SAID_ANYWAY:
                if name in {"transaction_per_migration", "transactional_ddl", "on_version_apply"}:
                    self._left.append((value.lineno, f"{name}: the package decides it"))
            elif self._is_global(value):
                self._options[name] = value
            else:
                self._left.append((value.lineno, f"{name}={ast.unparse(value)}"))
        if any(keyword.arg is None for keyword in call.keywords):
            self._left.append((call.lineno, "the ** arguments of context.configure"))

    def _is_global(self, value: ast.expr) -> bool:
        """Whether an expression means the same at the end of the module."""
        known = self._bindings.keys() | set(dir(builtins)) | {"context"}
        bound = {each.arg for each in ast.walk(value) if isinstance(each, ast.arg)}
        return _used([value]) - bound <= known

    def _passed(self) -> dict[str, ast.expr]:
        """Return the arguments of ``run``: the metadata first, by the name that it has."""
        metadata = self._options.get(_METADATA, ast.Constant(None))
        if isinstance(metadata, ast.Name):
            metadata = self._meaning(metadata)
        options = {name: value for name, value in self._options.items() if name != _METADATA}
        return {_METADATA: metadata, **options}

    def _meaning(self, name: ast.Name) -> ast.expr:
        """Return what a name was set to, where that is as short as the name."""
        node = self._bindings.get(name.id)
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        is_short = isinstance(value, ast.Name | ast.Attribute | ast.Constant)
        return value if value is not None and is_short else name

    def _kept(self) -> list[ast.stmt]:
        """Return the statements that the new file needs, in their order."""
        needed = [node for node in self._module.body if _is_own_import(node) or _is_path(node)]
        waiting = _used([*self._passed().values(), *needed])
        kept = {id(node) for node in needed}
        while waiting:
            node = self._bindings.get(waiting.pop())
            if node is not None and id(node) not in kept:
                kept.add(id(node))
                waiting |= _used([node])
        return [
            node for node in self._module.body if id(node) in kept and not _imports_context(node)
        ]

    def _written(self, node: ast.stmt) -> str:
        """Return a statement as it stands, with its comments, where its lines are its own."""
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
        last = node.end_lineno or node.lineno
        sharing = [
            other
            for other in self._module.body
            if other.lineno <= last and first <= (other.end_lineno or other.lineno)
        ]
        return "\n".join(self._lines[first - 1 : last]) if sharing == [node] else ast.unparse(node)

    def _bound_by(self, nodes: Iterable[ast.stmt]) -> set[str]:
        return {name for node in nodes for name in _bound(node)}

    def _name_what_is_left(self, kept: list[ast.stmt]) -> None:
        for node in self._module.body:
            text = ast.unparse(node)
            is_ours = any(word in text for word in ("run_migrations", "configure(", "fileConfig("))
            if _does_something(node) and node not in kept and not is_ours:
                self._left.append((node.lineno, text.splitlines()[0]))


def _does_something(node: ast.stmt) -> bool:
    """Whether a statement may do more than bind a name."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    if isinstance(node, ast.Assign):
        return not all(isinstance(target, ast.Name) for target in node.targets)
    blocks = ast.For | ast.While | ast.Try | ast.With | ast.If | ast.AugAssign | ast.Delete
    return isinstance(node, blocks)


def _call(name: str, arguments: list[str]) -> str:
    line = f"{name}({', '.join(arguments)})"
    if len(line) <= 88:
        return line
    return f"{name}(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"


def _is_configure(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "configure"
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "context"
    )


def _serves_several_databases(module: ast.Module, calls: Iterable[ast.AST]) -> bool:
    names = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    tokens = {name for call in calls if isinstance(call, ast.Call) for name in _keywords(call)}
    return "upgrade_token" in tokens or "db_names" in names


def _keywords(call: ast.Call) -> dict[str, ast.expr]:
    return {each.arg: each.value for each in call.keywords if each.arg is not None}


def _bound(node: ast.stmt) -> set[str]:
    """Return the names that a statement of the module binds."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {one.asname or one.name.split(".")[0] for one in node.names}
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    return {
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }


def _used(nodes: Iterable[ast.AST]) -> set[str]:
    return {
        each.id
        for node in nodes
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)
    }


def _is_own_import(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import):
        return any(one.name.split(".")[0] not in _LIBRARIES for one in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.level > 0 or (node.module or "").split(".")[0] not in _LIBRARIES
    return False


def _is_path(node: ast.stmt) -> bool:
    """Whether a statement makes the project importable."""
    return isinstance(node, ast.Expr) and ast.unparse(node).startswith("sys.path.")


def _imports_context(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.ImportFrom)
        and node.module in {"alembic", ENVIRONMENT}
        and [(one.name, one.asname) for one in node.names] in ([("context", None)], [("run", None)])
    )
