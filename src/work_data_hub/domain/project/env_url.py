"""Where an env.py takes the URL of its database from: the Config, or the project's own code."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.project.env_syntax import called, calls, keywords, shown, used

if TYPE_CHECKING:
    from collections.abc import Iterable

    from work_data_hub.domain.project.env_syntax import EnvModule
    from work_data_hub.domain.project.env_values import Values

URL = "sqlalchemy.url"
_FROM_CONFIG = {"engine_from_config", "async_engine_from_config"}
_FROM_URL = {"create_engine", "create_async_engine"}
_SAID_BY_SETTINGS = {"os.environ['DATABASE_URL']", "os.environ.get('DATABASE_URL')"} | {
    f"{name}('DATABASE_URL')" for name in ("os.getenv", "getenv")
}
# What of an engine is not the package's to decide, and does not change what a revision does.
_HARMLESS = {"echo", "future", "poolclass", "prefix", "url"}


class UrlSource(NamedTuple):
    """Where the URL comes from.

    Attributes:
        value: the project's own expression; None where the Config or the settings say it.
        carried: what of env.py that stands for, so that it is not looked at again.
        faults: what cannot be carried, with its line.
    """

    value: ast.expr | None
    carried: tuple[ast.AST, ...]
    faults: tuple[tuple[int, str], ...]


def url_source(env: EnvModule, values: Values) -> UrlSource:
    """Return where the database of the connected run is named."""
    return _Search(env, values).result()


class _Search:
    def __init__(self, env: EnvModule, values: Values) -> None:
        self._env = env
        self._values = values
        self._found: list[ast.expr] = []
        self._faults: list[tuple[int, str]] = []
        self._is_seen = False
        self._resolved: set[str] = set()
        self._engines: list[ast.Call] = []

    def result(self) -> UrlSource:
        for call in calls(self._env.body):
            if sets_url(call):
                self._take(call.args[-1])
        for node in (each for top in self._env.running for each in ast.walk(top)):
            if isinstance(node, ast.Assign) and is_url_item(node.targets[0]):
                self._take(node.value)
            elif isinstance(node, ast.Call):
                self._connect(node)
        value = self._single()
        if not self._is_seen and not self._faults:
            line = min(call.lineno for call in self._env.configures)
            self._faults.append((line, "to which database it connects cannot be told"))
        return UrlSource(value, tuple(self._found), tuple(self._faults))

    def _single(self) -> ast.expr | None:
        """Return the one expression, as it means the same outside."""
        found = {}
        for value in self._found:
            outside = self._values.outside(value)
            if outside is None:
                text = f"the URL is put together in a function: {shown(value)}"
                self._faults.append((value.lineno, text))
                continue
            outside = _unescaped(outside)
            if ast.unparse(outside) not in _SAID_BY_SETTINGS and not _is_of_config(outside):
                found[ast.unparse(outside)] = (value.lineno, outside)
            self._is_seen = True
        if len(found) > 1:
            self._faults += [
                (line, f"one of several URLs: {text}") for text, (line, _) in found.items()
            ]
            return None
        for line, value in found.values():
            if self._is_escaped(value):
                self._faults.append((line, "the URL has its % doubled, as alembic.ini wants it"))
            return value
        return None

    def _is_escaped(self, value: ast.expr) -> bool:
        """Whether the value, or what it is made of in this file, doubles percent signs."""
        waiting, nodes, seen = used([value]), [ast.unparse(value)], set[str]()
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                made = self._env.bindings.get(name, ())
                nodes += map(ast.unparse, made)
                waiting |= used(made)
        return any("'%%'" in text for text in nodes)

    def _connect(self, call: ast.Call) -> None:
        name, _, method = called(call).rpartition(".")
        if method in _FROM_CONFIG | _FROM_URL:
            self._engine(call)
        elif (
            method in {"connect", "begin"}
            and isinstance(call.func, ast.Attribute)
            and name != self._env.context
        ):
            self._receiver(call.func.value)

    def _receiver(self, value: ast.expr) -> None:
        """Find out where an engine comes from."""
        if isinstance(value, ast.Name):
            if value.id in self._resolved:
                return
            self._resolved.add(value.id)
            made = self._values.local(value.id) or _assigned(self._env.bindings.get(value.id, ()))
            if not made:
                self._take_url_of(value)
            for each in made:
                if isinstance(each, ast.expr):
                    self._receiver(each)
        elif isinstance(value, ast.IfExp | ast.BoolOp):
            parts = value.values if isinstance(value, ast.BoolOp) else [value.body, value.orelse]
            for part in parts:
                self._receiver(part)
        elif isinstance(value, ast.Call):
            self._maker(value)
        elif isinstance(value, ast.Attribute):
            self._take_url_of(value)

    def _maker(self, call: ast.Call) -> None:
        method = called(call).rpartition(".")[2]
        if method in _FROM_CONFIG | _FROM_URL:
            self._engine(call)
        elif method == "AsyncEngine" and (call.args or "sync_engine" in keywords(call)):
            self._receiver(call.args[0] if call.args else keywords(call)["sync_engine"])
        elif method in {"get", "pop"} and "attributes" in called(call):
            self._is_seen = True  # the connection that a program put on the Config
        elif method != "connect":
            self._take_url_of(call)

    def _take_url_of(self, engine: ast.expr) -> None:
        found = ast.Attribute(engine, "url", ast.Load())
        self._take(ast.copy_location(found, engine))

    def _engine(self, call: ast.Call) -> None:
        if call in self._engines:
            return
        self._engines.append(call)
        given = keywords(call)
        for name, value in given.items():
            if name not in _HARMLESS and not name.startswith("pool_"):
                self._faults.append((value.lineno, f"{name} of the engine: {shown(value)}"))
        is_from_url = called(call).rpartition(".")[2] in _FROM_URL
        if is_from_url and call.args:
            self._take(call.args[0])
        elif "url" in given:
            self._take(given["url"])
        elif is_from_url or not call.args or not self._is_section(call.args[0]):
            self._faults.append(
                (call.lineno, f"the engine is made of other options: {shown(call)}")
            )

    def _is_section(self, value: ast.expr) -> bool:
        """Whether the options of an engine are a section of the Config."""
        if isinstance(value, ast.Name):
            made = self._values.local(value.id) or _assigned(self._env.bindings.get(value.id, ()))
            return len(made) == 1 and isinstance(made[0], ast.expr) and self._is_section(made[0])
        if isinstance(value, ast.BoolOp):
            return self._is_section(value.values[0])
        if isinstance(value, ast.Dict):
            given = dict(zip(map(_text, value.keys), value.values, strict=True))
            if given.keys() <= {URL, "url"} and given:
                for each in given.values():
                    self._take(each)
                return True
            return False
        is_section = isinstance(value, ast.Call) and called(value).endswith(".get_section")
        self._is_seen |= is_section
        return is_section

    def _take(self, value: ast.expr) -> None:
        if ast.unparse(value) not in map(ast.unparse, self._found):
            self._found.append(value)


def sets_url(call: ast.Call) -> bool:
    """Whether a call sets the URL of the Config."""
    method = called(call).rpartition(".")[2]
    position = {"set_main_option": 0, "set_section_option": 1}.get(method)
    return (
        position is not None
        and len(call.args) == position + 2
        and (_text(call.args[position]) == URL)
    )


def is_url_item(target: ast.expr) -> bool:
    """Whether an assignment puts the URL into the options of an engine."""
    return isinstance(target, ast.Subscript) and _text(target.slice) == URL


def _assigned(nodes: Iterable[ast.stmt]) -> list[ast.AST | None]:
    return [node.value for node in nodes if isinstance(node, ast.Assign | ast.AnnAssign)]


def _text(node: ast.AST | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _is_of_config(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Call)
        and called(value).rpartition(".")[2] in {"get_main_option", "get_section_option"}
        and any(_text(each) == URL for each in value.args)
    )


def _unescaped(value: ast.expr) -> ast.expr:
    """Return ``url`` for ``url.replace("%", "%%")``: only the Config wants that."""
    if (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr == "replace"
        and [_text(each) for each in value.args] == ["%", "%%"]
    ):
        return value.func.value
    return value
