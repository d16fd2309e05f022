"""The checksum of what a revision means, not of how it is written.

Comments, formatting, docstrings that nothing reads, annotations outside of classes, the order of
imports that share no name, and imports that nothing uses change nothing; every other change does.
The dump is our own because that of ``ast.dump`` differs between versions of Python (3.12 added
``type_params``, 3.13 leaves out empty fields).

Scheme 2 is scheme 1 and what that overlooked. A recorded checksum is compared with one of its own
scheme: no revision is edited because the scheme is new.
"""

from __future__ import annotations

import ast
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from work_data_hub.domain.revisions.syntax_tree import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SCHEME = "2"
# How a scheme writes a value. What `repr` escapes differs between versions of Python.
_WRITES: dict[str, Callable[[object], str]] = {"1": repr, SCHEME: ascii}
_IGNORED_FIELDS = {"ctx", "kind", "type_comment", "type_params", "annotation", "returns", "simple"}
_READS_DOCSTRINGS = ("__doc__", "getdoc")
_DEFINITIONS = {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef}
_NOTED = _DEFINITIONS | {ast.Name, ast.alias}
_shapes: dict[type, tuple[str, tuple[tuple[str, str], ...]]] = {}


class _Import(NamedTuple):
    """One name that a statement of the module imports.

    Attributes:
        place: how many other statements come before it.
        name: the name that it binds; ``*`` for all that there are.
        line: what is bound to which name, whatever the line was.
        origin: what is bound; `import a.b` and `import a.c` both bind ``a``.
    """

    place: int
    name: str
    line: str
    origin: str


def checksum(source: bytes, scheme: str = SCHEME) -> str | None:
    """Return the checksum of a revision's meaning: a scheme, a colon, and 32 hex digits.

    Args:
        source: the file's bytes; its coding cookie and byte order mark are honoured (PEP 263).
        scheme: ``1`` or ``2``.

    Returns:
        None when the source is not Python, or nested more deeply than Python itself reads.
    """
    try:
        module = parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    writer = _Writer(_WRITES[scheme])
    imports: list[_Import] = []
    place = 0
    for node in writer.meant(module, module.body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports += _imported(node, place)
        else:
            writer.write(node)
            place += 1
    meaning = "\n".join([*_used(imports, writer.names), "".join(writer.parts)])
    if scheme != "1":
        meaning = "\n".join([meaning, *_overlooked_by_scheme_1(writer, imports, meaning)])
    return f"{scheme}:{hashlib.sha256(meaning.encode()).hexdigest()[:32]}"


def other_checksum(source: bytes, recorded: str) -> str | None:
    """Return the checksum of a source, in a recorded one's scheme, where it is not that.

    Returns:
        None where the two are equal, or the scheme is that of a later version of this package.
    """
    scheme = recorded.partition(":")[0]
    if scheme not in _WRITES:
        return None
    found = checksum(source, scheme) or f"{scheme}:none"
    return None if found == recorded else found


class _Writer:
    """Writes a tree as text without what means nothing, however deep it is.

    It runs for each revision of an upgrade, so it looks up what it needs of a class once.

    Args:
        write_value: how a name or a constant is written.

    Attributes:
        parts: the text.
        names: every name that is used.
        bound: those of them that are bound, and what else binds a name.
        classes: the class statements.
        docstrings: of what, and what they say.
    """

    def __init__(self, write_value: Callable[[object], str]) -> None:
        self._write_value = write_value
        self.parts: list[str] = []
        self.names: set[str] = set()
        self.bound: set[str] = set()
        self.classes: list[ast.ClassDef] = []
        self.docstrings: list[tuple[str, object]] = []

    def write(self, root: ast.AST) -> None:
        """Write a node and all below it."""
        # No recursion: a text may be joined of hundreds. What is text already waits as such.
        waiting: list[Any] = [root]
        while waiting:
            value = waiting.pop()
            kind = type(value)
            if kind is str:
                self.parts.append(value)
            elif kind is list:
                self.parts.append("[")
                waiting.append("]")
                waiting.extend([self._waits(item) for item in reversed(value)])
            else:
                self._write_node(value, kind, waiting)

    def meant(self, holder: ast.AST, body: list[Any]) -> list[Any]:
        """Return a body without its docstring and `pass`, and a text without its empty parts.

        (3.12.0 and 3.12.1 add empty strings to the values of an f-string.)
        """
        if body and _is_text(body[0]):
            self.docstrings.append((getattr(holder, "name", ""), body[0].value.value))
            body = body[1:]
        return [node for node in body if not isinstance(node, ast.Pass) and not _is_empty(node)]

    def _write_node(self, node: Any, kind: type[ast.AST], waiting: list[Any]) -> None:
        if kind in _NOTED:
            self._note(node, kind)
        if kind is ast.AnnAssign and node.value is not None:
            node, kind = ast.Assign([node.target], node.value), ast.Assign
        opening, fields = _shapes.get(kind) or _shape(kind)
        self.parts.append(opening)
        content: list[Any] = []
        for name, label in fields:
            value = getattr(node, name, None)
            if kind is ast.Constant or (value is not None and value != []):
                if isinstance(value, list) and (name == "body" or kind is ast.JoinedStr):
                    value = self.meant(node, value)
                content += (label, self._waits(value))
        waiting.append(")")
        waiting.extend(reversed(content))

    def _note(self, node: Any, kind: type[ast.AST]) -> None:
        if kind is ast.Name:
            self.names.add(node.id)
            if type(node.ctx) is not ast.Load:
                self.bound.add(node.id)
        elif kind is ast.alias:
            self.bound.add(_bound(node))
        else:
            self.bound.add(node.name)
            if kind is ast.ClassDef:
                self.classes.append(node)

    def _waits(self, value: Any) -> Any:
        kind = type(value)
        if kind is list or kind in _shapes or isinstance(value, ast.AST):
            return value
        try:
            return f"{self._write_value(value)},"
        except ValueError:  # it has more digits than Python writes in decimal
            return f"{value:#x},"


def _shape(kind: type[ast.AST]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return how a class is written: its opening, and the fields that mean something."""
    meant = tuple((name, f"{name}=") for name in kind._fields if name not in _IGNORED_FIELDS)
    _shapes[kind] = f"{kind.__name__}(", meant
    return _shapes[kind]


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_empty(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.split(".")[0]


def _imported(node: ast.Import | ast.ImportFrom, place: int) -> Iterator[_Import]:
    source = f"{'.' * node.level}{node.module or ''}:" if isinstance(node, ast.ImportFrom) else ""
    for alias in node.names:
        name = _bound(alias)
        line = f"{source}{alias.name} as {name}"
        yield _Import(place, name, line, line if source or alias.asname else name)


def _used(imports: Iterable[_Import], names: set[str]) -> list[str]:
    return sorted(each.line for each in imports if each.name in names or each.name == "*")


def _overlooked_by_scheme_1(writer: _Writer, imports: list[_Import], meaning: str) -> Iterator[str]:
    annotations = _Writer(ascii)
    for node in writer.classes:
        for annotated in _annotated(node):
            annotations.write(annotated.target)
            annotations.write(annotated.annotation)
    yield "".join(annotations.parts)
    yield from _used(imports, annotations.names)
    yield from _order_that_decides(imports, writer.names | annotations.names, writer.bound)
    if any(reader in meaning for reader in _READS_DOCSTRINGS):
        yield from map(ascii, writer.docstrings)


def _annotated(holder: ast.ClassDef) -> Iterator[ast.AnnAssign]:
    """Yield the fields of a class, which `dataclass` and SQLAlchemy's `Mapped` read."""
    waiting: list[ast.AST] = [*reversed(holder.body)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.AnnAssign):
            yield node
        elif type(node) not in _DEFINITIONS:
            waiting.extend(reversed([*ast.iter_child_nodes(node)]))


def _order_that_decides(imports: list[_Import], used: set[str], bound: set[str]) -> Iterator[str]:
    """Yield the imports of names that something else binds too: the last one wins."""
    origins: dict[str, set[str]] = {}
    for each in imports:
        origins.setdefault(each.name, set()).add(each.origin)
    all_count = "*" in origins  # it may bind any name
    for each in imports if all_count else sorted(imports, key=lambda each: each.name):
        is_shared = all_count or each.name in bound or len(origins[each.name]) > 1
        if is_shared and (each.name in used or each.name == "*"):
            yield f"{each.place} {each.line}"
