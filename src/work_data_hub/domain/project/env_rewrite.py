"""Makes an env.py hand over to the package, and keeps what is the project's.

Kept is all that the module does when it is imported, but for what runs the migrations: the imports
of the project's own code and the statements that fill the metadata; and the options that are passed
to ``context.configure``, with what they need. What the run did beside that would be lost: then the
file is not replaced.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.project.env_file import ENVIRONMENT
from work_data_hub.domain.project.env_options import passed_options
from work_data_hub.domain.project.env_run import EXECUTES, run_faults
from work_data_hub.domain.project.env_syntax import (
    LIBRARIES,
    EnvModule,
    bound,
    called,
    calls,
    shown,
    used,
)
from work_data_hub.domain.project.env_url import sets_url, url_source
from work_data_hub.domain.project.env_values import Values

if TYPE_CHECKING:
    from collections.abc import Iterable

_METADATA = "target_metadata"
_HEAD = '"""Hand Alembic\'s context to the package, where every guarantee lives."""'
_SETS_LOGGING_UP = {"fileConfig", "dictConfig", "basicConfig"}
# What stands in such a statement beside: a logger's level, and where the file is.
_BESIDE = {
    *("getLogger", "setLevel", "exists", "is_file", "Path", "bool"),
    *("get", "getenv", "get_main_option"),
}


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


class IrreplaceableEnvError(Exception):
    """An env.py that cannot be replaced.

    Args:
        reasons: why, each with its line.
        text: the file that a person begins with; it lacks what the reasons name.
    """

    def __init__(self, reasons: Iterable[str], text: str = "") -> None:
        self.reasons = tuple(reasons)
        self.text = text or new_env()
        super().__init__("; ".join(self.reasons))


def new_env() -> str:
    """Return the env.py of a project that has no tables in code yet."""
    return "\n".join([*_beginning("context", "run"), "run(context, target_metadata=None)", ""])


def env_of_several_databases() -> str:
    """Return what stands in for the env.py of `alembic init -t multidb`: a run for each section."""
    return "\n".join(
        [
            *_beginning("context", "run"),
            "target_metadata = {}  # the tables of each database, by the name of its section",
            "name = context.config.config_ini_section",
            "tokens = (",
            '    ("upgrade_token", f"{name}_upgrades"),',
            '    ("downgrade_token", f"{name}_downgrades"),',
            ")",
            "run(",
            "    context,",
            "    target_metadata=target_metadata.get(name),",
            '    migration_arguments={"engine_name": name},',
            "    **dict(tokens),",
            ")",
            "",
        ]
    )


def rewrite_env(source: bytes) -> EnvRewrite:
    """Return what an env.py becomes.

    Raises:
        IrreplaceableEnvError: it does what would be lost, or is no env.py.
    """
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise IrreplaceableEnvError([f"it is not Python: {error}"]) from None
    env = EnvModule(module)
    if not env.configures:
        raise IrreplaceableEnvError(["it does not call context.configure"])
    text = source.decode(tokenize.detect_encoding(io.BytesIO(source).readline)[0])
    return _Rewriting(env, re.split(r"\r\n|\r|\n", text)).result()


class _Rewriting:
    """One env.py on its way."""

    def __init__(self, env: EnvModule, lines: list[str]) -> None:
        self._env = env
        self._lines = lines
        values = Values(env)
        options = passed_options(env, values)
        url = url_source(env, values)
        run = run_faults(env, [*options.carried, *url.carried, *values.lifted.values()])
        self._passed = self._with_metadata(options.values)
        if url.value is not None:
            self._passed["default_url"] = url.value
        self._lifted = values.lifted
        self._kept = self._keep()
        self._lost = {*options.lost, *url.faults, *run.lost, *self._lost_outside()}
        self._named = {*options.named, *run.named}

    def result(self) -> EnvRewrite:
        text = self._text()
        if self._lost:
            raise IrreplaceableEnvError(_with_lines(self._lost), text)
        arguments = self._arguments()
        carried = (*arguments, *(shown(node) for node in self._kept))
        return EnvRewrite(text, carried, _with_lines(self._named))

    def _with_metadata(self, options: dict[str, ast.expr]) -> dict[str, ast.expr]:
        """Return the arguments of ``run``: the metadata first, by the name that it has."""
        metadata = options.pop(_METADATA, ast.Constant(None))
        if isinstance(metadata, ast.Name):
            metadata = self._meaning(metadata)
        return {_METADATA: metadata, **options}

    def _meaning(self, name: ast.Name) -> ast.expr:
        """Return what a name was set to, where that is as short as the name."""
        nodes = self._env.bindings.get(name.id, [])
        node = nodes[0] if len(nodes) == 1 else None
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        is_short = isinstance(value, ast.Name | ast.Attribute | ast.Constant)
        return value if value is not None and is_short else name

    def _keep(self) -> list[ast.stmt]:
        """Return the statements that the new file needs, in their order."""
        others = [node for node in self._env.body if node not in self._env.running]
        kept = [node for node in others if self._does_something(node)]
        waiting = used([*self._passed.values(), *self._lifted.values(), *kept])
        while waiting:
            for node in self._env.bindings.get(waiting.pop(), ()):
                if node not in kept:
                    kept.append(node)
                    waiting |= used([node])
        return [node for node in others if node in kept and not self._imports_context(node)]

    def _does_something(self, node: ast.stmt) -> bool:
        """Whether a statement may do more than bind a name: by what it imports, or calls."""
        if isinstance(node, ast.Import):
            return any(one.name.split(".")[0] not in LIBRARIES for one in node.names)
        if isinstance(node, ast.ImportFrom):
            return node.level > 0 or (node.module or "").split(".")[0] not in LIBRARIES
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return bool(node.decorator_list)
        if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Call | ast.Await):
            return False
        if _is_logging(node) or _sets_url(node):
            return False
        if isinstance(node, ast.Assign | ast.AnnAssign):
            return not self._only_binds(node)
        return not isinstance(node, ast.Pass)

    def _only_binds(self, node: ast.Assign | ast.AnnAssign) -> bool:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        made = [] if node.value is None else calls([node.value])
        return all(isinstance(target, ast.Name) for target in targets) and all(
            self._is_of_library(call) for call in made
        )

    def _is_of_library(self, call: ast.Call) -> bool:
        """Whether a call is of Alembic, SQLAlchemy or Python: then it fills no metadata."""
        root = re.split(r"\W", called(call))[0]
        made = self._env.bindings.get(root, ())
        is_of_config = root == "config" or root == self._env.context
        return is_of_config or self._env.is_of_library(root) or not made

    def _lost_outside(self) -> Iterable[tuple[int, str]]:
        """Find what is kept and would mean something else, or nothing, under the package."""
        for node in self._kept:
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            for call in calls(getattr(node, "decorator_list", ()) if is_function else [node]):
                method = called(call).rpartition(".")[2]
                if method in {"listen", "listens_for"}:
                    yield call.lineno, f"listens to the engine: {shown(call)}"
                elif sets_url(call):
                    yield call.lineno, "the URL is set under a condition"
                elif method in {"fileConfig", "dictConfig"}:
                    yield call.lineno, f"sets up the logging beside other things: {shown(call)}"
                elif method in EXECUTES:
                    yield call.lineno, f"is executed on a connection: {shown(call)}"
            if isinstance(node, ast.Assign) and any(map(self._is_of_script, node.targets)):
                yield node.lineno, f"sets {shown(node.targets[0])}"
        needed = used([*self._kept, *self._lifted.values(), *self._passed.values()])
        for name in sorted(needed & self._env.functions):
            yield 0, f"{name} runs the migrations, and is used for something else"

    def _is_of_script(self, target: ast.expr) -> bool:
        text = ast.unparse(target)
        return isinstance(target, ast.Attribute | ast.Subscript) and (
            text.startswith((f"{self._env.context}.", "config.", "script."))
        )

    def _arguments(self) -> list[str]:
        return [f"{name}={ast.unparse(value)}" for name, value in self._passed.items()]

    def _text(self) -> str:
        names = {name for node in self._kept for name in bound(node)}
        alias = "run" if "run" not in names else "run_guarded"
        lines = _beginning(self._env.context, alias)
        was_import = True
        for node in [*self._kept, *self._lifted.values()]:
            is_import = isinstance(node, ast.Import | ast.ImportFrom)
            if not (is_import and was_import):
                lines.append("")
            was_import = is_import
            lines.append(self._written(node))
        lines += [""] if self._kept or self._lifted else []
        lines.append(_call(alias, [self._env.context, *self._arguments()]))
        return "\n".join(lines) + "\n"

    def _written(self, node: ast.stmt) -> str:
        """Return a statement as it stands, with its comments, where its lines are its own."""
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
        last = node.end_lineno or node.lineno
        sharing = [
            other
            for other in self._env.body
            if other.lineno <= last and first <= (other.end_lineno or other.lineno)
        ]
        return "\n".join(self._lines[first - 1 : last]) if sharing == [node] else ast.unparse(node)

    def _imports_context(self, node: ast.stmt) -> bool:
        return (
            isinstance(node, ast.ImportFrom)
            and node.module == "alembic"
            and [one.asname or one.name for one in node.names] == [self._env.context]
        )


def _is_logging(node: ast.stmt) -> bool:
    """Whether a statement only sets up the logging, which the package does."""
    made = [called(call) for call in calls([node])]
    names = {name.rpartition(".")[2] for name in made}
    return bool(names & _SETS_LOGGING_UP) and names <= _SETS_LOGGING_UP | _BESIDE


def _sets_url(node: ast.stmt) -> bool:
    """Whether a statement does nothing but give the Config the URL."""
    return isinstance(node, ast.Expr) and any(sets_url(call) for call in calls([node]))


def _beginning(context: str, alias: str) -> list[str]:
    named = "context" if context == "context" else f"context as {context}"
    imported = "run" if alias == "run" else f"run as {alias}"
    return [
        *(_HEAD, "", f"from alembic import {named}"),
        *(f"from {ENVIRONMENT} import {imported}", ""),
    ]


def _with_lines(found: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(f"line {line}: {text}" if line else text for line, text in sorted(found))


def _call(name: str, arguments: list[str]) -> str:
    line = f"{name}({', '.join(arguments)})"
    if len(line) <= 88:
        return line
    return f"{name}(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"
