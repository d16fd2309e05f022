"""What an env.py passes to ``context.configure``, and what of it the package decides."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.project.env_syntax import keywords, shown

if TYPE_CHECKING:
    from work_data_hub.domain.project.env_syntax import EnvModule
    from work_data_hub.domain.project.env_values import Values

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
# Those in whose place the package does the same, or more.
_DONE_ANYWAY = {"connection", "dialect_opts", "dialect_name", "literal_binds", "url"}
SEVERAL_DATABASES = "several databases"
_SEVERAL = {"upgrade_token", "downgrade_token"}


class PassedOptions(NamedTuple):
    """The options of an env.py.

    Attributes:
        values: for ``run``, each as it means the same at the end of the module.
        carried: what of env.py that stands for.
        lost: what cannot be taken over, with its line.
        named: what the package decides, or is passed for `--sql` only, with its line.
    """

    values: dict[str, ast.expr]
    carried: tuple[ast.AST, ...]
    lost: tuple[tuple[int, str], ...]
    named: tuple[tuple[int, str], ...]


def passed_options(env: EnvModule, values: Values) -> PassedOptions:
    """Return what the connected run passes; where there is none, what `--sql` passes."""
    connected = [call for call in env.configures if call.args or "connection" in keywords(call)]
    found = _Options(values)
    for call in connected or env.configures:
        found.take(call)
    for call in env.configures if connected else ():
        if call not in connected:
            found.compare(call)
    return found.result()


class _Options:
    def __init__(self, values: Values) -> None:
        self._values = values
        self._found: dict[str, ast.expr] = {}
        self._calls = 0
        self._carried: list[ast.AST] = []
        self._lost: list[tuple[int, str]] = []
        self._named: list[tuple[int, str]] = []

    def result(self) -> PassedOptions:
        lost, named = tuple(self._lost), tuple(self._named)
        return PassedOptions(self._found, tuple(self._carried), lost, named)

    def take(self, call: ast.Call) -> None:
        """Take the options of a call over."""
        if len(call.args) > 1:
            self._lost.append((call.lineno, f"passes options by position: {shown(call)}"))
        given = self._options(call)
        if self._calls and _texts(given) != _texts(self._found):
            self._lost.append((call.lineno, "passes other options than the configure above"))
        self._calls += 1
        self._found.update(given)

    def compare(self, call: ast.Call) -> None:
        """Name what is passed for `--sql` only."""
        for name, value in keywords(call).items():
            outside = self._values.outside(value)
            same = self._found.get(name)
            is_same = outside and same and ast.unparse(outside) == ast.unparse(same)
            if name not in _DONE_ANYWAY | DECIDED_OPTIONS and not is_same:
                self._named.append((value.lineno, f"{name}={shown(value)}, for --sql only"))
            if outside is not None:
                self._carried.append(value)

    def _options(self, call: ast.Call) -> dict[str, ast.expr]:
        found = {}
        for name, value in keywords(call).items():
            if name in _DONE_ANYWAY:
                continue
            if name in {"transaction_per_migration", "transactional_ddl"}:
                self._named.append((value.lineno, f"{name}: the package decides it"))
            elif name in _SEVERAL:
                why = f"{name}: {SEVERAL_DATABASES}, and the package guards one at a time"
                self._lost.append((value.lineno, why))
            elif name in DECIDED_OPTIONS:
                self._lost.append((value.lineno, f"{name}: the package decides it"))
            elif (outside := self._values.outside(value)) is None:
                self._lost.append((value.lineno, f"{name}={shown(value)} is made in a function"))
            else:
                found[name] = outside
                self._carried.append(value)
        return found


def _texts(options: dict[str, ast.expr]) -> dict[str, str]:
    return {name: ast.unparse(value) for name, value in options.items()}
