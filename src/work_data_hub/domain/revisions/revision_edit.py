"""Gives a revision file another id and parent; every other character of it stays as it is."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from typing import TYPE_CHECKING, NamedTuple

from work_data_hub.domain.revisions.revision_file import Declared
from work_data_hub.domain.revisions.revision_text import read_revision
from work_data_hub.errors import HistoryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAMES = ("revision", "down_revision", "depends_on")
_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_DOCUMENTED = re.compile(
    r"^([ \t]*(Revision ID|Revises):[ \t]*)([^\r\n]*?)[ \t]*(?=\r?$)", re.MULTILINE
)


class Edit(NamedTuple):
    """A change of a piece of text.

    Attributes:
        line: 1-based.
        before, after: the piece.
    """

    line: int
    before: str
    after: str


class NewPlace(NamedTuple):
    """What a revision shall become.

    Attributes:
        revision: its new id.
        parent: what it shall build on.
        renamed: the new ids of revisions that it may depend on.
    """

    revision: str
    parent: str
    renamed: Mapping[str, str]


def edit_revision(source: bytes, path: str, place: NewPlace) -> tuple[bytes, tuple[Edit, ...]]:
    """Return the text of a revision file with its new place, and what was changed.

    Changed are the values of ``revision``, ``down_revision`` and ``depends_on``, and the lines
    ``Revision ID:`` and ``Revises:`` of the docstring.

    Args:
        source: the file's bytes; coding, byte order mark and line ends are kept.
        path: what an error calls the file.
        place: what the revision shall become.

    Raises:
        HistoryError: the values are not written in the file as plain text.
    """
    declared = read_revision(source, path)
    if not isinstance(declared, Declared):
        raise _not_plain(path, declared.line, declared.message)
    text = _Text(source)
    edits = sorted(_edits(text, path, declared, place), key=lambda edit: edit[0], reverse=True)
    after = text.text
    for start, end, new in edits:
        after = after[:start] + new + after[end:]
    edited = after.encode(text.encoding)
    depends_on = tuple(place.renamed.get(name, name) for name in declared.depends_on)
    found = read_revision(edited, path)
    if not (
        isinstance(found, Declared)
        and (found.revision, found.down_revisions) == (place.revision, (place.parent,))
        and found.depends_on == depends_on
    ):
        raise _not_plain(path, 1, "its values are put together")
    changes = [Edit(text.line_of(start), text.text[start:end], new) for start, end, new in edits]
    return edited, tuple(edit for edit in reversed(changes) if edit.before != edit.after)


class _Text:
    """The text of a file, and where the nodes of its syntax tree are in it."""

    def __init__(self, source: bytes) -> None:
        self.encoding = tokenize.detect_encoding(io.BytesIO(source).readline)[0]
        self.text = source.decode(self.encoding)
        self.module = ast.parse(source)
        self._lines = _LINES.findall(self.text)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def span(self, node: ast.expr) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._offset(node.lineno, node.col_offset),
            self._offset(node.end_lineno, node.end_col_offset),
        )

    def line_of(self, offset: int) -> int:
        return sum(start <= offset for start in self._starts[:-1])

    def _offset(self, line: int, column: int) -> int:
        # The tree counts the bytes of a line in UTF-8, whatever the coding of the file.
        before = self._lines[line - 1].encode("utf-8")[:column]
        return self._starts[line - 1] + len(before.decode("utf-8"))


def _edits(
    text: _Text, path: str, declared: Declared, place: NewPlace
) -> Iterator[tuple[int, int, str]]:
    values = _values(text.module, path)
    id_start, id_end = text.span(values["revision"])
    quote = "'" if text.text[id_start:id_end].endswith("'") else '"'
    yield id_start, id_end, _quoted(place.revision, quote)
    parent = values["down_revision"]
    if isinstance(parent, ast.Tuple | ast.List) and len(parent.elts) == 1:
        parent = parent.elts[0]
    yield *text.span(parent), _quoted(place.parent, quote)
    for node in ast.walk(values["depends_on"]) if "depends_on" in values else ():
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            new = place.renamed.get(node.value, node.value)
            if new != node.value:
                yield *text.span(node), _quoted(new, quote)
    yield from _documented(text, declared, place)


def _values(module: ast.Module, path: str) -> dict[str, ast.expr]:
    values: dict[str, ast.expr] = {}
    for node in module.body:
        name, value = _assigned(node)
        if name not in _NAMES or value is None:
            continue
        if name in values or (name == "revision" and not isinstance(value, ast.Constant)):
            raise _not_plain(path, node.lineno, f"{name} is not set once, to a text")
        values[name] = value
    if not values.keys() >= {"revision", "down_revision"}:
        raise _not_plain(path, 1, "revision and down_revision are not set one by one")
    return values


def _assigned(node: ast.stmt) -> tuple[str, ast.expr | None]:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id, node.value
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
        return (target.id if isinstance(target, ast.Name) else ""), node.value
    return "", None


def _documented(text: _Text, declared: Declared, place: NewPlace) -> Iterator[tuple[int, int, str]]:
    first = text.module.body[0]
    if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
        return
    start, end = text.span(first.value)
    for found in _DOCUMENTED.finditer(text.text, start, end):
        label, said = found[2], found[3]
        if label == "Revises" or said == declared.revision:
            new = place.parent if label == "Revises" else place.revision
            yield found.start(3), found.end(3), new


def _quoted(name: str, quote: str) -> str:
    is_plain = name.isprintable() and not set(name) & {quote, "\\"}
    return f"{quote}{name}{quote}" if is_plain else repr(name)


def _not_plain(path: str, line: int, reason: str) -> HistoryError:
    return HistoryError(
        f"{path}:{line}: it cannot be put on another parent: {reason}",
        hint="write revision, down_revision and depends_on as plain text, or edit it by hand",
    )
