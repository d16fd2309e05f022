"""What the run of an env.py does beside what Alembic's own templates do: that would be lost."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.project.env_syntax import called, calls, keywords, shown, used
from work_data_hub.domain.project.env_url import is_url_item, sets_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from work_data_hub.domain.project.env_syntax import EnvModule

EXECUTES = frozenset(
    {
        *("execute", "exec_driver_sql", "executescript", "executemany", "cursor"),
        *("scalar", "scalars", "stream"),
    }
)
_LISTENS = {"listen", "listens_for"}
_LOOPS = (
    *(ast.For, ast.AsyncFor, ast.While),
    *(ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp),
)
# What the templates of Alembic, and of its cookbook, call.
_OF_TEMPLATES = frozenset(
    {
        *("configure", "begin_transaction", "run_migrations", "is_offline_mode", "get_context"),
        *("get_main_option", "get_section", "get_section_option", "get", "pop", "fileConfig"),
        *("engine_from_config", "async_engine_from_config", "create_engine"),
        *("create_async_engine", "AsyncEngine", "getLogger", "isinstance", "print", "dict"),
        *("connect", "begin", "commit", "rollback", "close", "dispose", "run_sync", "str"),
        *("run_until_complete", "get_event_loop", "new_event_loop", "get_running_loop"),
        *("asyncio.run", "anyio.run", "get_x_argument", "set_event_loop"),
    }
)
_LOGGERS = {"logger", "log", "logging"}
_CONNECTS = {"connect", "begin", "begin_transaction", "closing", "suppress"}
# Questions of the templates on which their run depends.
_QUESTIONS = ("is_offline_mode", "is None", "is not None", "isinstance(", "hasattr(", "attributes")


class RunFaults(NamedTuple):
    """What stands in the run of an env.py, each with its line.

    Attributes:
        lost: what the package would not do; the file cannot be replaced.
        named: calls that no template makes, which may mean nothing.
    """

    lost: tuple[tuple[int, str], ...]
    named: tuple[tuple[int, str], ...]


def run_faults(env: EnvModule, carried: Iterable[ast.AST]) -> RunFaults:
    """Return what an env.py's run does that no template does.

    Args:
        env: its statements.
        carried: what of it is taken over, and need not be looked at.
    """
    look = _Look(env, carried)
    for node in env.running:
        look.visit(node)
    look.count_sites()
    lost, named = set(look.lost), set(look.named)
    return RunFaults(tuple(sorted(lost)), tuple(sorted(named)))


class _Look(ast.NodeVisitor):
    """Goes through the statements that run the migrations."""

    def __init__(self, env: EnvModule, carried: Iterable[ast.AST]) -> None:
        self._env = env
        self._carried = {id(each) for node in carried for each in ast.walk(node)}
        self._loops = 0
        self._sites: dict[str, list[ast.Call]] = {}
        self._connections = _connections(env)
        self.lost: list[tuple[int, str]] = []
        self.named: list[tuple[int, str]] = []

    def count_sites(self) -> None:
        """Find functions that run the migrations and are called more than once."""
        for name, sites in self._sites.items():
            for call in sites[1:]:
                if not self._are_alternatives(sites[0], call):
                    self._lose(call, f"{name}() is called a second time")

    def visit(self, node: ast.AST) -> None:
        """Look at a node and what is in it, but for what is taken over."""
        if id(node) in self._carried:
            return
        is_loop = isinstance(node, _LOOPS)
        self._loops += is_loop
        super().visit(node)
        self._loops -= is_loop

    def visit_Name(self, node: ast.Name) -> None:  # ast's own word
        """Find functions that run the migrations and are handed to something else."""
        if isinstance(node.ctx, ast.Load) and node.id in self._env.functions:
            self._lose(node, f"{node.id} is handed to something that calls it")

    def visit_Call(self, node: ast.Call) -> None:
        """Look at a call."""
        name = called(node)
        method = name.rpartition(".")[2]
        if name in self._env.functions:
            self._sites.setdefault(name, []).append(node)
        is_run = name in self._env.functions or self._env.is_of_context(node, {"configure"})
        if self._loops and is_run:
            self._lose(node, f"{name} stands in a loop: several schemas, tenants or databases")
        elif (why := self._why_lost(node, name, method)) is not None:
            self._lose(node, why)
        elif not self._is_of_template(name, method):
            self.named.append((node.lineno, shown(node)))
        if name not in self._env.functions and not sets_url(node):
            self.visit(node.func)
        for argument in [*node.args, *(each.value for each in node.keywords)]:
            is_run = isinstance(argument, ast.Name) and argument.id in self._env.functions
            if not (is_run and method in {"run_sync", "run"}):
                self.visit(argument)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Look at what is set."""
        for target in node.targets:
            if isinstance(target, ast.Attribute) or (
                isinstance(target, ast.Subscript) and not is_url_item(target)
            ):
                self._lose(node, f"sets {shown(target)}")
        self.generic_visit(node)

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        """Look at what the run stands in."""
        for item in node.items:
            manager = item.context_expr
            method = called(manager).rpartition(".")[2] if isinstance(manager, ast.Call) else ""
            if method not in _CONNECTS and not isinstance(manager, ast.Name):
                self._lose(node, f"runs inside of {shown(manager)}")
        self.generic_visit(node)

    visit_AsyncWith = visit_With  # noqa: N815

    def visit_Raise(self, node: ast.Raise) -> None:
        """Find what stops the run."""
        if node.exc is not None:
            self._lose(node, f"stops the run: {shown(node)}")
        self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        """Find what stops the run."""
        self._lose(node, f"stops the run: {shown(node)}")

    def visit_If(self, node: ast.If) -> None:
        """Find what the run depends on."""
        test = ast.unparse(node.test)
        holds = [*calls(node.body), *calls(node.orelse)]
        runs = any(called(each) in self._env.functions or self._runs(each) for each in holds)
        leaves = any(isinstance(each, ast.Return) for each in node.body)
        is_usual = any(question in test for question in _QUESTIONS)
        if (runs or leaves) and not is_usual:
            self._lose(node, f"depends on {shown(node.test)}")
        self.generic_visit(node)

    def _runs(self, call: ast.Call) -> bool:
        return self._env.is_of_context(call, {"configure", "run_migrations"})

    def _why_lost(self, call: ast.Call, name: str, method: str) -> str | None:
        why: str | None = None
        if self._env.is_of_context(call, {"configure"}):
            is_open = any(each.arg is None for each in call.keywords)
            why = "** is passed to context.configure" if is_open else None
        elif self._env.is_of_context(call, {"run_migrations"}):
            if call.args or call.keywords:
                why = f"passes arguments to the revisions: {shown(call)}"
        elif method in EXECUTES:
            why = f"is executed on the connection: {shown(call)}"
        elif method == "execution_options":
            why = f"changes the connection: {shown(call)}"
        elif method in _LISTENS:
            why = f"listens to the engine: {shown(call)}"
        elif name == "setattr" or method in {"set_main_option", "set_section_option", "update"}:
            why = None if sets_url(call) else f"sets an option: {shown(call)}"
        elif name in {"exit", "sys.exit", "quit", "os._exit"}:
            why = f"stops the run: {shown(call)}"
        elif self._works_on_connection(call, name, method):
            why = f"works on the connection: {shown(call)}"
        return why

    def _works_on_connection(self, call: ast.Call, name: str, method: str) -> bool:
        """Whether a function of the project is handed the connection, or executes something."""
        if name in self._env.functions or self._is_of_template(name, method):
            return False
        return executes(self._env.bindings.get(name, ())) or bool(
            used([*call.args, *keywords(call).values()]) & self._connections
        )

    def _is_of_template(self, name: str, method: str) -> bool:
        if name in self._env.functions or method in _OF_TEMPLATES or name in _OF_TEMPLATES:
            return True
        return name.partition(".")[0] in _LOGGERS or method == "set_main_option"

    def _are_alternatives(self, one: ast.AST, other: ast.AST) -> bool:
        """Whether two calls stand in the two branches of one condition."""
        for node in (each for top in self._env.running for each in ast.walk(top)):
            if isinstance(node, ast.If | ast.Try):
                body = node.body
                rest = node.orelse if isinstance(node, ast.If) else node.handlers
                sides = [one in list(calls(body)), other in list(calls(rest))]
                sides_turned = [other in list(calls(body)), one in list(calls(rest))]
                if all(sides) or all(sides_turned):
                    return True
        return False

    def _lose(self, node: ast.AST, text: str) -> None:
        self.lost.append((getattr(node, "lineno", 0), text))


def executes(nodes: Iterable[ast.AST]) -> bool:
    """Whether statements are executed in a function."""
    functions = [each for each in nodes if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    return any(called(call).rpartition(".")[2] in EXECUTES for call in calls(functions))


def _connections(env: EnvModule) -> set[str]:
    """Return the names of connections: what is passed to configure, and what `connect` gives."""
    found = {
        name
        for call in env.configures
        for name in used([keywords(call).get("connection", ast.Constant(None)), *call.args])
    }
    for node in (each for top in env.running for each in ast.walk(top)):
        if isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
            found.add(node.optional_vars.id)
    return found
